"""Each channel against a service that decodes its requests as the real one does: no refusal is ever taken for a yes."""

from __future__ import annotations

import dataclasses
import logging
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import utf8_size
from tests.receivers import unused_port, write_channels
from tests.services import base, chinese, western
from tests.services.base import Service

SENT, UNVERIFIED, REFUSED, FAILED, UNKNOWN = SendVerdict
LINK = "https://shop.example/ack/abc"
NOTICE = Message(
    "INC-1 需要你", "第一行 <b>&amp;\nline two", key="INC-1/apology/assign/alice/1", link=LINK, urgent=True
)
PUBLIC = Message("", "我们深表歉意 <敬上> https://shop.example/sorry", public=True, key="INC-1/apology/publish/r1")
SERVICES = (*chinese.CHINESE, *western.WESTERN)
PRIVATE = tuple(kind for kind in SERVICES if not kind.public_only)
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ssl.SSLContext]]:
    hosts = tuple(sorted({host for service in SERVICES for host in service.hosts}))
    with base.certified(tmp_path_factory.mktemp("tls"), hosts) as made:
        yield made


@dataclasses.dataclass
class Line:
    """A service, and the directory whose channel `a` leads to it."""

    service: Any
    file: Path
    directory: ChannelDirectory

    def hurry(self) -> None:
        """No patience with a service that will not answer."""
        self.directory = ChannelDirectory.load(write_channels(self.file, a=self.service.url_with(base.NO_PATIENCE)))

    def send(self, message: Message = NOTICE, **changes: Any) -> SendOutcome:
        return self.directory.send("a", dataclasses.replace(message, **changes))


@pytest.fixture
def connect(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[type[Service]], Line]]:
    started: list[Service] = []

    def make(kind: type[Service]) -> Line:
        for earlier in started:  # under the same name, it would keep its connection
            earlier.stop()
        service = kind(certificate[1]).start()
        started.append(service)
        base.dialling(monkeypatch, certificate[0], dict.fromkeys(kind.hosts, service.port))
        file = write_channels(tmp_path / "c.yaml", a=service.url)
        return Line(service, file, ChannelDirectory.load(file))

    yield make
    for service in started:
        service.stop()
    base.forget()


def by_name(kind: type[Service]) -> str:
    return kind.name


@pytest.mark.parametrize("kind", PRIVATE, ids=by_name)
def test_what_is_right_is_taken_and_reads_as_it_was_written(connect: Open, kind: type[Service]) -> None:
    line = connect(kind)
    outcome = line.send()
    assert outcome.verdict is (UNVERIFIED if kind is western.Unknown else SENT), outcome
    text = line.service.texts[-1]
    body = "第一行 <b>&amp;. line two" if kind is western.TwilioCall else "第一行 <b>&amp;\nline two"
    assert body in text, text
    shown = text + line.service.title
    if kind not in {western.Json, western.Unknown}:
        assert "INC-1 需要你"[:5] in shown
    assert (LINK in text) is (kind is not western.TwilioCall), "a link is not read out"


@pytest.mark.parametrize("kind", SERVICES, ids=by_name)
def test_a_publication_goes_out_as_it_was_approved(connect: Open, kind: type[Service]) -> None:
    line = connect(kind)
    outcome = line.send(PUBLIC)
    assert PUBLIC.body in line.service.texts[-1]
    taken = UNKNOWN if outcome.receipt is None else SENT
    assert outcome.verdict is taken, "without an id or URL a person looks"


@pytest.mark.parametrize("mood", ["in 200", "status", "limited"])
@pytest.mark.parametrize("kind", SERVICES, ids=by_name)
def test_a_no_is_a_no(connect: Open, kind: type[Service], mood: str) -> None:
    if mood == "in 200" and kind.in_200 is None:
        pytest.skip("it does not do that")
    line = connect(kind)
    line.service.mood = mood
    for message in (PUBLIC,) if kind.public_only else (NOTICE, PUBLIC):
        outcome = line.send(message, key=f"{message.key}/{mood}")
        later = mood == "limited" and kind is not chinese.PushPlus
        assert outcome.verdict is (FAILED if later else REFUSED), outcome
        assert "answered" in outcome.detail or outcome.retry_after
        if not later:
            assert len(line.service.received) >= 1
    assert line.service.texts == []


@pytest.mark.parametrize("public", [False, True], ids=["notice", "public"])
@pytest.mark.parametrize("script", [{"delay": 1.5}, {"cut": "after"}], ids=["time-out", "cut"])
@pytest.mark.parametrize("kind", SERVICES, ids=by_name)
def test_no_answer_is_unknown_once_the_message_was_written(
    connect: Open, kind: type[Service], script: dict[str, Any], public: bool
) -> None:
    if kind.public_only and not public:
        pytest.skip("it takes no notice")
    line = connect(kind)
    before = 0
    if kind.asks_first:
        assert line.send().verdict is SENT  # logged in; what is cut now is the message itself
        before = len(line.service.received)
    elif "delay" in script:
        line.hurry()
    line.service.script("/api/chat" if kind is western.SlackBot else "/", **script)
    outcome = line.send(PUBLIC if public else NOTICE)
    assert outcome.verdict is UNKNOWN, outcome
    messages = [r for r in line.service.received[before:] if "lookup" not in r.path]
    assert len(messages) == (2 if kind is western.SlackBot else 1), "nothing repeats by itself"


@pytest.mark.parametrize("kind", PRIVATE, ids=by_name)
def test_too_long_is_cut_at_a_line_by_the_services_own_measure(connect: Open, kind: type[Service]) -> None:
    line = connect(kind)
    body = '客服系统\t无法下单 "quoted"。\n' * 30_000
    outcome = line.send(body=body)
    assert outcome.verdict in {SENT, UNVERIFIED}, outcome
    text = line.service.texts[-1]
    assert line.service.length(text) <= kind.limit
    if kind is western.TwilioCall:
        assert LINK not in text
    else:
        assert text.endswith(f"。\n…\n{LINK}")
    whole = line.send(PUBLIC, body=f"{LINK} {body}")
    assert (whole.verdict, "too long" in whole.detail) == (REFUSED, True), "a publication is never cut"
    assert len(line.service.texts) == (2 if kind is western.SlackBot else 1)


@pytest.mark.parametrize("letter", ["演", "a"])
@pytest.mark.parametrize("kind", SERVICES, ids=by_name)
def test_a_publication_as_long_as_fits_is_taken_and_no_longer(connect: Open, kind: type[Service], letter: str) -> None:
    line = connect(kind)
    limits = line.directory._by_id["a"].limits
    start = f"{LINK} "
    room = (limits.body_bytes - utf8_size(start)) // utf8_size(letter)
    if limits.characters:
        room = min(room, limits.characters - len(start))
    longest = start + letter * room
    assert not line.directory.fits("a", longest + letter)
    assert line.send(PUBLIC, body=longest + letter).verdict is REFUSED
    assert line.service.received == []
    assert line.directory.fits("a", longest)
    assert line.send(PUBLIC, body=longest).verdict in {SENT, UNKNOWN}
    assert longest in line.service.texts[0], "and nothing of it is cut off"


@pytest.mark.parametrize("kind", [kind for kind in SERVICES if kind.hosts], ids=by_name)
def test_an_answer_of_somebody_else_is_no_yes(connect: Open, kind: type[Service]) -> None:
    line = connect(kind)
    line.service.script("/", body="<html>Please log in to the hotel's network</html>")
    outcome = line.send(PUBLIC if kind.public_only else NOTICE)
    # WeCom's application asks for a token first: the message itself never left.
    expected = {western.Teams: UNVERIFIED, chinese.WeComApp: FAILED}.get(kind, UNKNOWN)
    assert outcome.verdict is expected, outcome


SECRETS = re.compile(
    r"SEC000111222aaabbb|f00dfeed0123456789|693a91f6-7xxx|Secret-0123|token-\d|e9f7-abcd|SCT1234Tabcdef"
    r"|0123456789abcdef0123456789abcdef|2\.00AbCdEf|TIiajkdnlazkcOXrIdevi7FQ|4ddbc191d40ee098|signature0123"
    r"|abcdefg_hijklmnop|charactersapikey|eb243592-faa2|b2b2b2b2|deviceKey0123"
)


@pytest.mark.parametrize("mood", ["", "status"])
@pytest.mark.parametrize("kind", SERVICES, ids=by_name)
def test_no_secret_in_any_log_at_debug(
    connect: Open, kind: type[Service], mood: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = connect(kind)
    line.service.mood = mood
    with caplog.at_level(logging.DEBUG), caplog.at_level(1, "apprise"), caplog.at_level(1, "urllib3"):
        outcomes = (line.send(), line.send(PUBLIC))
    assert caplog.records, "the test must see what is logged"
    assert not SECRETS.findall(caplog.text + repr(outcomes))
    wire = repr([(r.path, r.query, r.headers, r.body) for r in line.service.received])
    assert SECRETS.search(wire) or "Basic" in wire or not kind.hosts, "they were there to be told"


def test_a_wrong_signature_is_what_the_service_says_it_is(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from channels.adapters.base import HttpAdapter
    from channels.adapters.dingtalk import DingTalk

    line = connect(chinese.DingTalk)
    monkeypatch.setattr(DingTalk, "amend", HttpAdapter.amend)
    outcomes = [line.send(key=str(number)) for number in range(8)]
    # As Apprise puts it on the wire, every signature with `+`, `/` or `=` is encoded twice: that is all of them.
    assert {outcome.verdict for outcome in outcomes} == {REFUSED}
    assert "sign not match" in outcomes[0].detail


def test_a_robot_takes_twenty_a_minute_and_no_more_is_tried(connect: Open) -> None:
    for kind in (chinese.DingTalk, chinese.WeComRobot):
        line = connect(kind)
        outcomes = [line.send(key=str(number)) for number in range(25)]
        assert [outcome.verdict for outcome in outcomes] == [SENT] * 20 + [FAILED] * 5
        assert len(line.service.received) == 20
        for outcome in outcomes[20:]:
            assert outcome.retry_after is not None
            assert 50 < outcome.retry_after <= 60
            assert not outcome.begun


def test_a_robot_that_is_shut_out_is_left_alone(connect: Open) -> None:
    line = connect(chinese.DingTalk)
    line.service.mood = "limited"
    assert line.send(key="1").retry_after == 600.0
    line.service.mood = ""
    assert (line.send(key="2").begun, len(line.service.received)) == (False, 1)


def test_a_repeat_joins_what_it_repeats(connect: Open) -> None:
    line = connect(western.PagerDuty)
    first = line.send()
    again = line.send(possible_duplicate=True)
    other = line.send(key="INC-1/apology/assign/bob/1")
    assert first.receipt == again.receipt == NOTICE.key != other.receipt
    assert line.service.alerts == {NOTICE.key: 2, "INC-1/apology/assign/bob/1": 1}
    event = line.service.received[0].json
    assert (event["payload"]["severity"], event["links"][0]["href"]) == ("critical", LINK)

    line = connect(western.Opsgenie)
    assert line.send().receipt != line.send(possible_duplicate=True).receipt
    assert {r.json["alias"] for r in line.service.received} == {NOTICE.key}
    assert line.service.received[0].json["priority"] == "P1"

    line = connect(western.Bark)
    line.send()
    line.send(possible_duplicate=True)
    line.send(key="other", urgent=False)
    first, again, other = (request.json for request in line.service.received)
    assert first["id"] == again["id"] != other["id"]
    assert (first["level"], other.get("level"), first["url"]) == ("critical", None, LINK)


def test_a_key_too_long_for_the_service_is_its_digest(connect: Open) -> None:
    line = connect(western.PagerDuty)
    assert line.send(key="k" * 300).verdict is SENT
    assert len(line.service.received[0].json["dedup_key"]) == 64


def test_wecom_fetches_its_token_once_and_anew_when_it_expires(connect: Open) -> None:
    line = connect(chinese.WeComApp)
    assert [line.send(key=str(n)).verdict for n in range(3)] == [SENT] * 3
    assert [r.path.rpartition("/")[2] for r in line.service.received] == ["gettoken", "send", "send", "send"]
    line.service.tokens += 1  # the one in use is void
    outcome = line.send()
    assert (outcome.verdict, outcome.receipt) == (SENT, "m-6"), outcome
    assert [r.path.rpartition("/")[2] for r in line.service.received[4:]] == ["send", "gettoken", "send"]
    line.service.missing = "bob"
    assert line.send().verdict is UNKNOWN, "one of two was not reached"


def test_wecom_without_a_token_has_sent_nothing(connect: Open) -> None:
    line = connect(chinese.WeComApp)
    line.service.script("/cgi-bin/gettoken", delay=1.5)
    outcome = line.send()
    assert outcome.verdict is FAILED, "the message itself never left"
    line.service.script("/cgi-bin/gettoken", json={"errcode": 40001, "errmsg": "invalid credential"})
    assert line.send().verdict is REFUSED


def test_slack_looks_people_up_first(connect: Open) -> None:
    line = connect(western.SlackBot)
    outcome = line.send()
    assert outcome.receipt == "C1H9RESGL/150348.000000,C1H9RESGL/150348.000002"
    line = connect(western.SlackBot)  # the plugin remembers whom it has found
    line.service.script("/api/users", json={"ok": False, "error": "users_not_found"})
    outcome = line.send()
    assert outcome.verdict is UNKNOWN, "one of two was reached"
    assert outcome.detail.endswith("s_not_found"), outcome  # `user` may be somebody's secret, and cut out
    line.service.script("/api/chat", json={"ok": False, "error": "not_in_channel"})
    assert line.send().verdict is REFUSED


@pytest.mark.parametrize("word", ["fatal_error", "internal_error"])
def test_slack_may_have_posted_all_the_same(connect: Open, word: str) -> None:
    line = connect(western.SlackBot)
    line.service.script("/api/chat", json={"ok": False, "error": word})
    assert line.send().verdict is UNKNOWN


def test_slack_calls_nobody_by_a_text(connect: Open) -> None:
    line = connect(western.SlackWebhook)
    assert line.send(title="<!channel> down", body="a <@U123> & b").verdict is SENT
    assert "<" not in line.service.received[0].body.decode()


def test_telegram_says_in_the_body_how_long_to_wait(connect: Open) -> None:
    line = connect(western.Telegram)
    line.service.mood = "limited"
    assert line.send().retry_after == 35.0


@pytest.mark.parametrize(("language", "voice"), [("en", "en-US"), ("zh_CN", "zh-CN")])
def test_a_call_speaks_the_persons_language(connect: Open, language: str, voice: str) -> None:
    line = connect(western.TwilioCall)
    assert line.send(language=language).verdict is SENT
    assert f'language="{voice}"' in line.service.received[0].form["Twiml"]
    assert line.directory.services("a")[0].waking


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("no link in it", "link"),
        ("#话题# https://shop.example/x", "topic"),
        ("字" * 130 + "https://shop.example/", "too long"),
    ],
)
def test_weibo_refuses_before_it_is_asked(connect: Open, body: str, word: str) -> None:
    line = connect(chinese.Weibo)
    outcome = line.send(PUBLIC, body=body)
    assert (outcome.verdict, word in outcome.detail) == (REFUSED, True), outcome
    assert line.service.received == []


@pytest.mark.parametrize("script", [{"status": 500}, {"status": 503, "headers": {"Retry-After": "1"}}, {"status": 502}])
def test_weibo_is_never_asked_twice_when_it_may_be_out(connect: Open, script: dict[str, Any]) -> None:
    line = connect(chinese.Weibo)
    line.service.script("/", **script)
    assert line.send(PUBLIC).verdict is UNKNOWN


def test_no_notice_to_a_person_goes_to_weibo(connect: Open) -> None:
    line = connect(chinese.Weibo)
    outcome = line.send()
    assert (outcome.verdict, line.service.received) == (REFUSED, [])
    assert "public" in outcome.detail


def test_connection_refused_under_the_services_own_name(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in SERVICES:
        port = unused_port()
        base.dialling(monkeypatch, certificate[0], dict.fromkeys(kind.hosts, port))
        url = f"{kind.address.format(host=f'127.0.0.1:{port}')}"
        outcome = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url)).send("a", PUBLIC)
        assert outcome.verdict is FAILED, (kind.name, outcome)
    base.forget()
