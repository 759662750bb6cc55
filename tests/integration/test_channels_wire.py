"""What each channel makes of each thing that can happen on the wire: the table is the specification."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendVerdict
from channels.rendering import utf8_size
from tests.receivers import (
    HttpReceiver,
    MailBehaviour,
    Received,
    ReceivedMail,
    SmtpReceiver,
    deaf_port,
    unused_port,
    write_channels,
)

SENT, UNVERIFIED, REFUSED, FAILED, UNKNOWN = SendVerdict
NOTICE = Message("INC-1 需要你处理", "第一行\nline two", key="INC-1/apology/assign/alice/1")
PUBLIC = Message("", "我们深表歉意。 We apologise.", public=True, key="INC-1/apology/publish/r1")
HTTP = {
    "json": "json://user:passw0rd@{host}/alice?cto=0.5&rto=0.5",
    "form": "form://user:passw0rd@{host}/alice?cto=0.5&rto=0.5",
    "ntfy": "ntfy://user:passw0rd@{host}/alice?cto=0.5&rto=0.5",
    "generic": "xml://user:passw0rd@{host}/alice?cto=0.5&rto=0.5",
}
MAIL = "mailto://{host}?from=ops@example.org&to=alice@example.org&cto=0.5&rto=0.5"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as started:
        yield started


@dataclass(frozen=True)
class Case:
    """How the receiver behaves, and the verdict on a notice and on a publication."""

    name: str
    notice: SendVerdict
    public: SendVerdict
    answer: dict[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    detail: str = ""


CASES = [
    Case("accepted", SENT, SENT, detail="answered 200"),
    Case("accepted, no receipt", SENT, UNKNOWN, {"json": {"ok": True}}),
    Case("accepted, no JSON", SENT, UNKNOWN, {"body": "thanks"}),
    *(Case(f"refused {s}", REFUSED, REFUSED, {"status": s}, detail=str(s)) for s in (400, 401, 403, 404, 413)),
    Case("redirected", REFUSED, REFUSED, {"status": 302, "headers": {"Location": "/elsewhere"}}),
    Case("rate-limited", FAILED, FAILED, {"status": 429, "headers": {"Retry-After": "7"}}, 7.0, "429"),
    Case("server error", FAILED, UNKNOWN, {"status": 500}, detail="500"),
    Case("unavailable", FAILED, UNKNOWN, {"status": 503}),
    Case("unavailable till", FAILED, FAILED, {"status": 503, "headers": {"Retry-After": "30"}}, 30.0),
    Case("gateway time-out", UNKNOWN, UNKNOWN, {"status": 504}),
    Case("time-out", UNKNOWN, UNKNOWN, {"delay": 1.0}, detail="no answer in time"),
    Case("cut after reading", UNKNOWN, UNKNOWN, {"cut": "after"}, detail="after the message was written"),
    Case("taken, then breaks off", SENT, UNKNOWN, {"body": '{"id": "r', "headers": {"Content-Length": "500"}}),
    Case("refused, then breaks off", REFUSED, REFUSED, {"status": 403, "headers": {"Content-Length": "500"}}),
    Case("cut before reading", UNKNOWN, UNKNOWN, {"cut": "before"}),
]
# Where a kind differs, and why: ntfy always answers with an id; nobody has checked the generic ones.
DIFFERENT = {
    ("ntfy", "accepted, no receipt"): UNVERIFIED,
    ("ntfy", "accepted, no JSON"): UNVERIFIED,
    ("ntfy", "taken, then breaks off"): UNVERIFIED,
    ("generic", "taken, then breaks off"): UNVERIFIED,
    ("generic", "accepted"): UNVERIFIED,
    ("generic", "accepted, no receipt"): UNVERIFIED,
    ("generic", "accepted, no JSON"): UNVERIFIED,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("channel", HTTP)
def test_http_verdicts(tmp_path: Path, receiver: HttpReceiver, channel: str, case: Case) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=HTTP[channel].format(host=receiver.host)))
    receiver.script("/", **case.answer)
    notice, public = directory.send("a", NOTICE), directory.send("a", PUBLIC)
    assert notice.verdict is DIFFERENT.get((channel, case.name), case.notice), notice
    expected = UNKNOWN if (channel, case.name) == ("generic", "accepted") else case.public
    assert public.verdict is expected, public
    assert notice.retry_after == case.retry_after
    assert case.detail in notice.detail
    assert "passw0rd" not in repr((notice, public))
    # Sent once each, whatever was answered: nothing is repeated by itself.
    assert len(receiver.received) == (0 if case.answer.get("cut") == "before" else 2)


@pytest.mark.parametrize("channel", [*HTTP, "mail"])
def test_connection_refused(tmp_path: Path, channel: str) -> None:
    url = (HTTP | {"mail": MAIL})[channel].format(host=f"127.0.0.1:{unused_port()}")
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    for message in (NOTICE, PUBLIC):
        outcome = directory.send("a", message)
        assert (outcome.verdict, outcome.detail.split(",")[0].split(" before")[0]) == (
            FAILED,
            "connection refused",
        )


@pytest.mark.parametrize("channel", [*HTTP, "mail"])
def test_connect_time_out(tmp_path: Path, channel: str) -> None:
    with deaf_port() as port:
        url = (HTTP | {"mail": MAIL})[channel].format(host=f"127.0.0.1:{port}")
        directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
        outcome = directory.send("a", PUBLIC)
    assert outcome.verdict is FAILED, outcome


def test_tls_that_is_none(tmp_path: Path, receiver: HttpReceiver) -> None:
    url = f"jsons://{receiver.host}/alice?cto=0.5&rto=0.5"
    outcome = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url)).send("a", PUBLIC)
    assert outcome.verdict is FAILED, outcome
    assert "before anything was sent" in outcome.detail


def test_redirect_that_drops_the_message(tmp_path: Path, receiver: HttpReceiver) -> None:
    receiver.script("/alice", status=302, headers={"Location": "/elsewhere"})
    url = f"json://{receiver.host}/alice?redirect=yes"
    outcome = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url)).send("a", NOTICE)
    assert [(r.method, r.path) for r in receiver.received] == [("POST", "/alice"), ("GET", "/elsewhere")]
    assert outcome.verdict is REFUSED, outcome


def json_text(request: Received) -> tuple[str, str]:
    return request.json["title"], request.json["message"]


def form_text(request: Received) -> tuple[str, str]:
    return request.form["title"], request.form["message"]


def ntfy_text(request: Received) -> tuple[str, str]:
    return request.json.get("title", ""), request.json["message"]


TEXTS: dict[str, Callable[[Received], tuple[str, str]]] = {
    "json": json_text,
    "form": form_text,
    "ntfy": ntfy_text,
}
EXACT = [
    "plain",
    "  leading and trailing  \n\n",
    "<b>not bold</b> & &amp; \\n :fire: %20 +",
    "第一行\n\n  第二行\t表格",
    "one\r\ntwo",
    '{"a": "JSON"} ' * 20,
]


@pytest.mark.parametrize("text", EXACT)
@pytest.mark.parametrize("channel", TEXTS)
def test_publication_goes_out_byte_for_byte(tmp_path: Path, receiver: HttpReceiver, channel: str, text: str) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=HTTP[channel].format(host=receiver.host)))
    outcome = directory.send("a", Message("", text, public=True, possible_duplicate=True))
    assert (outcome.verdict, outcome.receipt) == (SENT, "r-0")
    assert TEXTS[channel](receiver.received[0]) == ("", text)
    directory.send("a", Message("", text, public=True, drill=True))
    assert TEXTS[channel](receiver.received[1]) == ("", f"[DRILL 演练] {text}")


@pytest.mark.parametrize("channel", [*TEXTS, "mail"])
def test_too_long(tmp_path: Path, receiver: HttpReceiver, mail: SmtpReceiver, channel: str) -> None:
    url = (HTTP | {"mail": MAIL})[channel].format(host=mail.host if channel == "mail" else receiver.host)
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    limit = directory.services("a")[0].limit_bytes
    line = "客服系统无法下单。\n"
    body = line * (limit // utf8_size(line) + 1)
    assert not directory.fits("a", body)
    assert directory.fits("a", body.strip()[: limit // 3])
    public = directory.send("a", Message("", body, public=True))
    assert public.verdict is REFUSED
    assert str(limit) in public.detail
    assert (receiver.received, mail.received) == ([], []), "refused before anything was sent"

    link = "https://tocsin.example/ack/abc"
    notice = directory.send("a", Message("标题", body, link=link))
    assert notice.verdict is SENT, notice
    arrived = mail.received[0].text if channel == "mail" else TEXTS[channel](receiver.received[0])[1]
    arrived = arrived.replace("\r\n", "\n")
    assert limit * 0.9 < utf8_size(arrived) <= limit + len("\n")
    assert arrived.strip().endswith(f"客服系统无法下单。\n…\n{link}")


def test_fields_that_go_along(tmp_path: Path, receiver: HttpReceiver) -> None:
    urls = {name: HTTP[name].format(host=receiver.host) for name in TEXTS}
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", **urls))
    message = Message("T", "b", key="INC-1/a b/é\r\nX: y", urgent=True, drill=True, link="https://x.example/a")
    for name in urls:
        assert directory.send(name, message).verdict is SENT
    json_post, form, ntfy = receiver.received
    assert {r.headers["x-tocsin-key"] for r in receiver.received} == {"INC-1/a%20b/%C3%A9%0D%0AX:%20y"}
    assert (json_post.json["key"], json_post.json["drill"], json_post.json["type"]) == (
        message.key,
        True,
        "warning",
    )
    assert (form.form["drill"], form.form["type"]) == ("true", "warning")
    assert form.form["key"] == message.key
    assert (ntfy.headers["x-priority"], ntfy.headers["x-click"]) == ("max", "https://x.example/a")
    assert "x-icon" not in ntfy.headers
    # What belongs to one message stays with it.
    directory.send("ntfy", Message("T", "b"))
    assert "x-priority" not in receiver.received[-1].headers


def test_configured_fields_are_kept(tmp_path: Path, receiver: HttpReceiver) -> None:
    url = f"json://{receiver.host}/a?:key=theirs&:message=text&+X-Tocsin-Key=own"
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    directory.send("a", Message("T", "b", key="ours"))
    request = receiver.received[0]
    assert (request.json["key"], request.json["text"], request.headers["x-tocsin-key"]) == (
        "theirs",
        "b",
        "own",
    )


@pytest.mark.parametrize(
    ("statuses", "verdict", "receipt"),
    [
        ((200, 200), SENT, "r-0,r-1"),
        ((200, 500), UNKNOWN, None),
        ((500, 404), FAILED, None),
        ((404, 403), REFUSED, None),
    ],
)
def test_several_targets_of_one_service(
    tmp_path: Path, receiver: HttpReceiver, statuses: tuple[int, int], verdict: SendVerdict, receipt: str | None
) -> None:
    for status in reversed(statuses):
        receiver.script("/", status=status, times=1)
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"ntfy://{receiver.host}/one/two"))
    outcome = directory.send("a", NOTICE)
    assert (outcome.verdict, outcome.receipt) == (verdict, receipt), outcome


@dataclass(frozen=True)
class MailCase:
    name: str
    behaviour: MailBehaviour
    verdict: SendVerdict
    detail: str = ""
    arrived: int = 0


ALICE = "alice@example.org"
MAIL_CASES = [
    MailCase("accepted", MailBehaviour(), SENT, arrived=1),
    MailCase("no such user", MailBehaviour(refuse={ALICE: "550 5.1.1 no such user"}), REFUSED, "550 5.1.1 no such"),
    MailCase("greylisted", MailBehaviour(refuse={ALICE: "451 4.7.1 greylisted"}), FAILED, "451 4.7.1 greylisted"),
    MailCase("rate-limited", MailBehaviour(refuse={ALICE: "421 4.7.0 too many"}), FAILED, "421"),
    MailCase("text put off", MailBehaviour(after_data="451 4.3.0 later"), FAILED, "451 4.3.0 later"),
    MailCase("text refused", MailBehaviour(after_data="554 5.7.1 spam"), REFUSED, "554 5.7.1 spam"),
    MailCase("cut after the text", MailBehaviour(cut_after_data=True), UNKNOWN, "connection cut after the text", 1),
    MailCase("odd goodbye", MailBehaviour(at_quit="451 not yet"), SENT, arrived=1),
    MailCase("time-out", MailBehaviour(delay=1.0), UNKNOWN, "no answer in time after the text", 1),
]


@pytest.mark.parametrize("message", [NOTICE, PUBLIC], ids=["notice", "public"])
@pytest.mark.parametrize("case", MAIL_CASES, ids=lambda case: case.name)
def test_mail_verdicts(tmp_path: Path, mail: SmtpReceiver, case: MailCase, message: Message) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=MAIL.format(host=mail.host)))
    mail.behaviour = case.behaviour
    outcome = directory.send("a", message)
    assert outcome.verdict is case.verdict, outcome
    assert case.detail in outcome.detail
    assert len(mail.received) == case.arrived


def test_a_mail_as_it_arrives(tmp_path: Path, mail: SmtpReceiver) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=MAIL.format(host=mail.host)))
    title = "标题\r\nBcc: eve@example.org"
    message = Message(title, "第一行\n.\n  line <b>\n", key="INC-1/x", urgent=True, language="zh_CN", drill=True)
    first = directory.send("a", message)
    again = directory.send("a", Message(title, "b", key="INC-1/x", possible_duplicate=True))
    other = directory.send("a", Message(title, "b", key="INC-1/y"))
    arrived: ReceivedMail = mail.received[0]
    assert arrived.subject == "[DRILL 演练] 标题 Bcc: eve@example.org"
    assert arrived.text.replace("\r\n", "\n") == "第一行\n.\n  line <b>\n"
    assert arrived.recipients == (ALICE,)
    assert arrived.sender == "ops@example.org"
    assert arrived.message["X-Tocsin-Key"] == "INC-1/x"
    assert arrived.message["Importance"] == "high"
    assert b"\n" not in arrived.raw.replace(b"\r\n", b""), "servers that guard against smuggling refuse a lone LF"
    assert arrived.message.get_all("Message-ID") == [first.receipt]
    assert first.receipt == again.receipt != other.receipt


def test_an_address_that_the_server_cannot_take(tmp_path: Path, mail: SmtpReceiver) -> None:
    url = f"mailto://user:pässwörd@{mail.host}?from=ops@example.org&to={ALICE}"
    outcome = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url)).send("a", NOTICE)
    assert outcome.verdict is REFUSED
    assert "pässwörd" not in repr(outcome)


@pytest.mark.parametrize(
    ("refuse", "verdict"),
    [
        ({}, SENT),
        ({"bob@example.org": "451 later"}, UNKNOWN),
        ({ALICE: "550 no", "bob@example.org": "451 later"}, FAILED),
        ({ALICE: "550 no", "bob@example.org": "550 no"}, REFUSED),
    ],
)
def test_two_addresses(tmp_path: Path, mail: SmtpReceiver, refuse: dict[str, str], verdict: SendVerdict) -> None:
    url = f"mailto://{mail.host}/{ALICE}/bob@example.org?from=ops@example.org"
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    mail.behaviour = MailBehaviour(refuse=refuse)
    assert directory.send("a", NOTICE).verdict is verdict


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (Message("", ""), "empty"),
        (Message(" ", "\n"), "empty"),
        (Message("T", "text", public=True), "no title"),
        (Message("", "half \ud83d", public=True), "surrogate"),
    ],
)
def test_refused_before_anything_is_sent(tmp_path: Path, receiver: HttpReceiver, message: Message, detail: str) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"json://{receiver.host}/a"))
    outcome = directory.send("a", message)
    assert outcome.verdict is REFUSED
    assert detail in outcome.detail
    assert directory.send("nobody", NOTICE).verdict is REFUSED
    assert receiver.received == []
