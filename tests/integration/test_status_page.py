"""The public page: what it shows and what not, that it stays when nothing else does, its feed and its mails."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pendulum
import pytest

from domain.commands import Acknowledge, Approve, Draft
from engine.delivery.deliver import Deliverer
from engine.process import clock
from engine.response import commands
from engine.statuspage import mail
from storage.database import StorageError
from storage.statuspage import subscribers
from tests.clock import clock_of_its_own
from tests.receivers_smtp import SmtpReceiver
from tests.served import Served, served

TEXTS = {"en": "We are sorry: payments fail & we work on it. <b>", "zh_CN": "支付失败，我们深表歉意。"}
ATOM = "{http://www.w3.org/2005/Atom}"
PUBLIC = {"User-Agent": "Mozilla/5.0", "Accept": "text/html", "X-Forwarded-For": "203.0.113.5"}


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    """For what is refused, and so leaves nothing behind."""
    with served(tmp_path_factory.mktemp("calm"), free_port()) as running:
        yield running


def read(web: Served, path: str = "/status", **headers: str) -> httpx.Response:
    return httpx.get(web.url + path, headers={**PUBLIC, **headers}, trust_env=False, timeout=20)


def publish(web: Served, ref: str, now: pendulum.DateTime | None = None) -> None:
    """Through draft, approval by another, turn and delivery: as in life."""
    at = now or clock.now()

    def do(command: Any) -> None:
        commands.carry_out_command(web.installation, command, at)

    do(Draft(id=f"d-{ref}", incident=ref, by="chenyu", step="apology/draft", texts=TEXTS))
    web.turn(ref)
    do(Acknowledge(id=f"a-{ref}", incident=ref, by="alice", step="apology/approve"))
    digest = web.step(ref, "apology/draft")["digest"]
    do(Approve(id=f"p-{ref}", incident=ref, by="alice", step="apology/approve", digest=digest))
    web.turn(ref)
    deliver(web)


def deliver(web: Served) -> None:
    sender = Deliverer(web.installation, "test", clock.now)
    try:
        sender.deliver()
    finally:
        sender.close()


def settled(web: Served, wanted: str, path: str = "/status") -> str:
    """The page once it says so: a look is good for two seconds."""
    ends = time.monotonic() + 10
    while True:
        text = read(web, path).text
        if wanted in text or time.monotonic() > ends:
            assert wanted in text
            return text
        time.sleep(0.1)


def test_the_public_sees_what_was_published_and_nothing_else(web: Served) -> None:
    ref = web.declare("SECRET-TITLE", service="payment", impact={"customers": 4711})
    web.declare("another secret", service="delivery", drill=True)
    publish(web, ref)
    page = settled(web, "payments fail")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    for hidden in ("SECRET-TITLE", "4711", ref, "alice", "another secret", "/inbox/"):
        assert hidden not in page
    assert page.count("not working") == 1, "the drill changes no service"
    assert "支付失败" in read(web, "/status?lang=zh").text
    assert "中断" in read(web, **{"Accept-Language": "zh-CN,zh;q=0.9"}).text


def test_a_draft_that_nobody_approved_is_not_there(web: Served) -> None:
    ref = web.declare(service="payment")
    draft = Draft(id="d", incident=ref, by="chenyu", step="apology/draft", texts=TEXTS)
    commands.carry_out_command(web.installation, draft, clock.now())
    assert "payments fail" not in settled(web, "not working")


def test_a_drill_publishes_nothing_here(web: Served) -> None:
    ref = web.declare(service="payment", drill=True)
    publish(web, ref)
    page = read(web).text
    assert "payments fail" not in page
    assert "All services work" in page


@pytest.mark.slow
def test_service_back_is_recovering_and_then_well(web: Served) -> None:
    ref = web.declare(service="payment")
    settled(web, "not working")
    web.post(ref, "mitigate", {"reason": "back"})
    settled(web, "recovering")
    web.post(ref, "close", {"reason": "over"})
    settled(web, "All services work")


def test_a_page_can_be_kept_by_caches_until_it_changes(web: Served) -> None:
    first = read(web)
    assert first.headers["cache-control"].startswith("public, max-age=15")
    assert first.headers["vary"] == "Accept-Language"
    assert "set-cookie" not in first.headers
    assert "set-cookie" not in read(web, "/status?lang=zh&tz=UTC").headers
    tag = first.headers["etag"]
    again = read(web, **{"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    web.declare(service="payment")
    settled(web, "not working")
    changed = read(web, **{"If-None-Match": tag})
    assert changed.status_code == 200


def test_it_stays_when_the_database_does_not_answer(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = web.declare(service="payment")
    publish(web, ref)
    settled(web, "payments fail")

    def dead(*_args: Any) -> Any:
        raise StorageError("the database cannot be reached")

    monkeypatch.setattr(web.installation.database, "read", dead)
    time.sleep(2.1)  # the last look is no longer good
    began = time.monotonic()
    assert "payments fail" in read(web).text
    assert read(web, "/healthz").status_code == 503
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_it_stays_when_the_database_hangs(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(web, "All services work")
    monkeypatch.setattr("engine.statuspage.page.build_page", lambda *_args: time.sleep(4))
    time.sleep(2.1)
    for _ in range(3):
        began = time.monotonic()
        assert "All services work" in read(web).text
        assert time.monotonic() - began < 1.5


@pytest.mark.slow
def test_the_last_copy_outlives_the_process_and_says_how_old_it_is(
    home: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock_of_its_own():  # one time for all three processes
        with served(home, free_port()) as web:
            ref = web.declare(service="payment")
            publish(web, ref)
            settled(web, "payments fail")
        with served(home, free_port()) as web:
            monkeypatch.setattr("engine.statuspage.page.build_page", _broken)
            monkeypatch.setattr("web.pages.status_page._OLD", 0.0)
            page = read(web).text
            assert "payments fail" in page
            assert "This page shows what was known at" in page
        (home / "status-page.json").write_text("{")
        with served(home, free_port()) as web:
            answer = read(web)
            assert answer.status_code == 200
            assert "not known just now" in answer.text


def _broken(*_args: Any) -> Any:
    raise StorageError("the database cannot be reached")


def test_the_services_are_those_of_the_file_and_a_broken_one_changes_nothing(web: Served, home: Path) -> None:
    file = home / "status.yaml"
    file.write_text("title: {en: Shop, zh: 商城}\nservices:\n  - {id: a, title: {en: Till, zh: 收银}, covers: [pos]}\n")
    assert "<h1>Shop</h1>" in settled(web, "Till")
    file.write_text("title: [\n")
    time.sleep(1.1)
    assert "Till" in read(web).text


def test_the_feed_is_atom(web: Served) -> None:
    ref = web.declare("SECRET", service="payment")
    publish(web, ref)
    settled(web, "payments fail", "/status/feed.atom")
    answer = read(web, "/status/feed.atom?lang=zh")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert answer.headers["etag"]
    feed = ET.fromstring(answer.content)  # noqa: S314 - our own
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}content") == TEXTS["zh_CN"]
    assert entry.findtext(f"{ATOM}updated") == feed.findtext(f"{ATOM}updated")
    assert re.fullmatch(r"tag:[\w.]+,2026:statement/[0-9a-f]{24}/zh", entry.findtext(f"{ATOM}id") or "")
    english = ET.fromstring(read(web, "/status/feed.atom?lang=en").content)  # noqa: S314 - our own
    assert english.findtext(f"{ATOM}entry/{ATOM}content") == TEXTS["en"]
    assert b"SECRET" not in answer.content


# --- by e-mail -----------------------------------------------------------------------------------------------------


@pytest.fixture
def post(home: Path) -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as receiver:
        yield receiver


@pytest.fixture
def mailing(home: Path, free_port: Callable[[], int], post: SmtpReceiver) -> Iterator[Served]:
    with served(home, free_port()) as running:
        channels = home / "channels.yaml"
        address = f"mailto://127.0.0.1:{post.port}?from=status@shop.example&to=customer@recipient.invalid"
        channels.write_text(re.sub(r"json://\S+/inbox/status/mail\S+(?=:)", address, channels.read_text()))
        ends = time.monotonic() + 10
        while (known := running.installation.channels().info("status-mail")) is None or known.schema != "mailto":
            assert time.monotonic() < ends, "the channel file is read again within a second"
            time.sleep(0.05)
        yield running


def subscribe(web: Served, address: str, **headers: str) -> httpx.Response:
    sent = {**PUBLIC, "Origin": web.url, **headers}
    return httpx.post(
        f"{web.url}/status/subscribe?lang=en",
        data={"address": address},
        headers=sent,
        trust_env=False,
        follow_redirects=True,
    )


def link(text: str, what: str) -> str:
    found = re.search(rf"http://\S+/status/{what}/[\w.-]+", text)
    assert found, text
    return found[0]


def press(address: str, **data: str) -> httpx.Response:
    return httpx.post(address, data=data, headers={"User-Agent": "a mail program"}, trust_env=False, timeout=20)


def test_from_the_form_to_a_statement_and_out_at_one_click(mailing: Served, post: SmtpReceiver) -> None:
    answer = subscribe(mailing, "Ann@Customer.example")
    assert (answer.status_code, "on its way" in answer.text) == (200, True)
    deliver(mailing)
    (asked,) = post.received
    assert asked.recipients == ("Ann@Customer.example",)
    confirming = link(asked.text, "confirm")
    ref = mailing.declare(service="payment")
    publish(mailing, ref)
    assert mail.enqueue_statements(mailing.installation, clock.now()) == 0, "not before they confirmed"
    assert httpx.get(confirming, trust_env=False).status_code == 200, "looking confirms nothing"
    assert press(confirming).status_code == 200
    second = mailing.declare(service="payment")
    publish(mailing, second)
    assert mail.enqueue_statements(mailing.installation, clock.now()) == 1
    assert mail.enqueue_statements(mailing.installation, clock.now()) == 0, "once"
    deliver(mailing)
    statement = post.received[-1]
    assert len(post.received) == 2
    assert TEXTS["en"] in statement.text
    leaving = link(statement.text, "leave")
    assert statement.message["List-Unsubscribe"] == f"<{leaving}>"
    assert statement.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert httpx.get(leaving, trust_env=False).status_code == 200, "a scanner that follows links takes nobody off"
    assert rows(mailing) == 1
    assert press(leaving, **{"List-Unsubscribe": "One-Click"}).status_code == 200
    assert rows(mailing) == 0
    assert press(leaving).status_code == 200, "again is no mistake"
    assert press(confirming).status_code == 410


def rows(web: Served) -> int:
    with web.installation.database.read() as connection:
        return len(connection.execute(subscribers.SUBSCRIBER.select()).all())


def test_an_address_is_kept_sealed_and_stands_nowhere_else(mailing: Served, home: Path) -> None:
    subscribe(mailing, "ann@customer.example")
    deliver(mailing)
    time.sleep(0.3)
    mailing.client.get("/audit")
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert [path.name for path in kept if b"ann@customer" in path.read_bytes()] == []


def test_nobody_learns_who_subscribes_nor_has_others_written_to(mailing: Served, post: SmtpReceiver) -> None:
    answers = {_said(subscribe(mailing, "ann@customer.example")) for _ in range(3)}
    deliver(mailing)
    assert len(post.received) == 1, "asked once, however often it is typed"
    press(link(post.received[0].text, "confirm"))
    answers.add(_said(subscribe(mailing, "ann@customer.example")))
    deliver(mailing)
    assert len(post.received) == 1
    assert len(answers) == 1
    for number in range(10):
        last = subscribe(mailing, f"x{number}@customer.example")
    assert last.status_code == 429


def _said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(re.findall(r'role="\w+">(.*?)</p>', answer.text))


@pytest.mark.parametrize(
    "address",
    ["", "ann", "a@b", "ann@x.example\nBcc: all@x.example", "ann@x.example, bob@x.example", "a" * 65 + "@x.example",
     "ann@" + "x." * 130 + "example", "<ann@x.example>"],
)  # fmt: skip
def test_what_is_no_address_is_refused(calm: Served, address: str) -> None:
    assert subscribe(calm, address).status_code == 422
    assert rows(calm) == 0


def test_a_page_of_another_site_subscribes_nobody(calm: Served) -> None:
    assert subscribe(calm, "ann@x.example", Origin="https://evil.example").status_code == 403
    assert rows(calm) == 0


@pytest.mark.parametrize("path", ["/status/confirm/nonsense", "/status/leave/nonsense", "/status/leave/a.b.c"])
def test_a_link_that_is_altered_does_nothing(calm: Served, path: str) -> None:
    for answer in (read(calm, path), press(calm.url + path)):
        assert answer.status_code == 400
        assert answer.headers["referrer-policy"] == "no-referrer"
