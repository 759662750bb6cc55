"""The table of `docs/channels.md` is what happens: each cell is a real send, settled by the real engine.

`WRITE_DOCS=1 pytest tests/integration/test_channels_table.py` writes it; otherwise the page is compared.
"""

from __future__ import annotations

import dataclasses
import os
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.facts import FactKind
from engine.home import SAMPLE_HOME
from tests.impatient import CHANNELS, ROSTER
from tests.installations import InstallationHarness, installation_harness
from tests.integration.test_channels_services import NOTICE, PUBLIC, SERVICES
from tests.receivers import SmtpReceiver, write_channels
from tests.services import base, mail
from tests.services.base import Service

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
BEGIN, END = "<!-- made by tests/integration/test_channels_table.py -->", "<!-- end of what is made -->"
CASES = ("accepted", "refused in a 200", "refused by status", "time-out", "cut", "too long", "rate-limited")
MOODS = {"refused in a 200": "in 200", "refused by status": "status", "rate-limited": "limited"}
SCRIPTS: dict[str, dict[str, Any]] = {"time-out": {"delay": 1.5}, "cut": {"cut": "after"}}
LONG = '客服系统\t无法下单 "quoted"。\n' * 30_000
GOOD = {SendVerdict.SENT, SendVerdict.UNVERIFIED}
assert SAMPLE_HOME.is_dir()


# --- one send, as it is on the wire ---


@dataclasses.dataclass(frozen=True)
class Cell:
    notice: SendOutcome
    public: SendOutcome


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as context:
        yield context
    base.forget()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> dict[tuple[str, str], Cell | None]:
    folder = tmp_path_factory.mktemp("table")
    hosts = tuple(sorted({host for service in SERVICES for host in service.hosts}))
    found: dict[tuple[str, str], Cell | None] = {}
    with base.certified(folder, hosts) as (trusted, context):
        for kind in SERVICES:
            for case in CASES:
                found[kind.name, case] = _try(kind, case, folder, patch, (trusted, context))
    for case in CASES:
        found["e-mail", case] = _try_mail(case, folder)
    return found


def _try(
    kind: type[Service], case: str, folder: Path, patch: pytest.MonkeyPatch, tls: tuple[Path, ssl.SSLContext]
) -> Cell | None:
    mood = MOODS.get(case, "")
    if mood == "in 200" and kind.in_200 is None:
        return None
    with kind(tls[1]) as service:
        base.dialling(patch, tls[0], dict.fromkeys(kind.hosts, service.port))
        hurried = case == "time-out" and not kind.asks_first
        channels = write_channels(folder / "c.yaml", a=service.url_with(base.NO_PATIENCE if hurried else base.PATIENCE))
        directory = ChannelDirectory.load(channels)
        if case in SCRIPTS:
            if kind.asks_first:
                directory.send("a", NOTICE)
            where = "/api/chat" if kind.name == "Slack bot" else "/"
            service.script(where, **SCRIPTS[case])
        service.mood = mood
        before = len(service.texts)
        cell = _send_both(directory, lambda: ChannelDirectory.load(channels), case)
        arrived = service.texts[before:]
        if case == "accepted" or (case == "too long" and not kind.public_only):
            assert arrived, (kind.name, case)
        else:
            assert not arrived, (kind.name, case)
    return cell


def _try_mail(case: str, folder: Path) -> Cell | None:
    if case == "refused in a 200":
        return None
    with SmtpReceiver() as server:
        server.behaviour = mail.MOODS.get({**MOODS, "time-out": "time-out", "cut": "cut"}.get(case, ""), mail.MOODS[""])
        path = write_channels(folder / "mail.yaml", a=mail.address(server))
        return _send_both(ChannelDirectory.load(path), lambda: ChannelDirectory.load(path), case)


def _send_both(directory: ChannelDirectory, anew: Callable[[], ChannelDirectory], case: str) -> Cell:
    notice, public = NOTICE, PUBLIC
    if case == "too long":
        notice, public = dataclasses.replace(NOTICE, body=LONG), dataclasses.replace(PUBLIC, body=PUBLIC.body + LONG)
    first = directory.send("a", notice)
    if case == "rate-limited":
        directory = anew()  # its books would hold the next one back
    return Cell(first, directory.send("a", public))


# --- what the engine makes of it ---


class Scripted:
    """A directory whose first answer to what is wanted is given, and to all else is yes."""

    def __init__(self, outcome: SendOutcome, wanted: Callable[[str, Message], bool]) -> None:
        self.outcome: SendOutcome | None = outcome
        self.wanted = wanted
        self.sent: list[tuple[str, Message]] = []

    def send(self, tag: str, message: Message) -> SendOutcome:
        if not self.wanted(tag, message):
            return SendOutcome(SendVerdict.SENT, "r")
        self.sent.append((tag, message))
        outcome, self.outcome = self.outcome, None
        return outcome or SendOutcome(SendVerdict.SENT, "r")


def _take_over(installation: InstallationHarness, scripted: Scripted) -> None:
    def channels() -> Any:
        return scripted

    installation.installation.channels = channels  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstallationHarness]:
    with installation_harness(tmp_path_factory.mktemp("house"), roster=ROSTER, channels=CHANNELS) as opened:
        yield opened


def page(installation: InstallationHarness, outcome: SendOutcome) -> str:
    """A page to somebody with two channels."""
    scripted = Scripted(outcome, lambda tag, message: tag in {"fenglei", "fenglei-mail"})
    _take_over(installation, scripted)
    ref = installation.declare()
    installation.deliver()
    first, *others = installation.rows(ref, person="fenglei")
    if first.state == "sent" and len(scripted.sent) == 1:
        return "sent; what it says is not verified" if first.detail.startswith("unverified") else "sent"
    if first.state == "sent":
        assert [tag for tag, _ in scripted.sent] == ["fenglei", "fenglei"]
        assert scripted.sent[1][1].possible_duplicate
        return "retry; at once, marked as a possible repeat"
    assert (first.state, [row.channel for row in others]) == ("dead", ["fenglei-mail"])
    assert [tag for tag, _ in scripted.sent] == ["fenglei", "fenglei-mail"]
    return "dead; their next channel at once"


def last(installation: InstallationHarness, outcome: SendOutcome) -> str:
    """A page to somebody with one channel."""
    scripted = Scripted(outcome, lambda tag, message: tag == "chenyu")
    _take_over(installation, scripted)
    ref = installation.declare("say")
    installation.deliver()
    row = installation.row(ref, person="chenyu")
    if row.state == "retry":
        wait = (row.next_attempt_at - installation.now).total_seconds()
        assert wait >= (outcome.retry_after or 0.0)
        return f"retry; in {wait:.0f} s, as asked" if outcome.retry_after else "retry; in seconds, then minutes"
    if row.state == "dead":
        assert installation.row(ref, person="dora").state == "sent"
        return "dead; the backup is called"
    return "retry; at once, marked as a possible repeat" if len(scripted.sent) > 1 else str(row.state)


def publication(installation: InstallationHarness, outcome: SendOutcome) -> str:
    """An approved statement on one official channel."""
    scripted = Scripted(outcome, lambda tag, message: message.public)
    _take_over(installation, scripted)
    ref = installation.post()
    installation.deliver()
    (row,) = installation.rows(ref, kind="publication")
    assert len(scripted.sent) == 1, "a publication is never sent twice by itself"
    told = {str(entry.kind) for entry in installation.facts(ref)}
    words = {
        "sent": ("sent; published", FactKind.PUBLISHED),
        "unknown": ("unknown; a person looks", FactKind.IN_DOUBT),
        "dead": ("dead; its owner is told", FactKind.PUBLISH_FAILED),
    }
    if row.state == "retry":
        return "retry; after a pause"
    assert str(words[row.state][1]) in told
    return words[row.state][0]


# --- the page ---


def _tables(installation: InstallationHarness, cells: dict[tuple[str, str], Cell | None], folder: Path) -> str:
    paged = cache(lambda outcome: page(installation, outcome))
    published = cache(lambda outcome: publication(installation, outcome))
    lines = [f"| channel | {' | '.join(CASES)} |", "| --- " * (len(CASES) + 1) + "|"]
    for name in dict.fromkeys(name for name, _ in cells):
        row = []
        for case in CASES:
            cell = cells[name, case]
            if cell is None:
                row.append("never does that" if "other" not in name else "nobody knows: would be unverified")
                continue
            wait = f", {cell.notice.retry_after:.0f} s" if cell.notice.retry_after else ""
            shortened = " (shortened)" if case == "too long" and cell.notice.verdict in GOOD else ""
            notice = f"{cell.notice.verdict}{wait}{shortened}{_next(paged(_plain(cell.notice)))}"
            public = f"{cell.public.verdict}{_next(published(_plain(cell.public)))}"
            row.append(f"{notice} / {public}")
        lines.append(f"| {name} | {' | '.join(row)} |")
    lines += ["", "| verdict | page, another channel left | page, the last channel | publication |", "| --- " * 4 + "|"]
    for verdict in SendVerdict:
        for asked in (None, 30.0) if verdict is SendVerdict.FAILED else (None,):
            outcome = SendOutcome(verdict, "r-1" if verdict in GOOD else None, retry_after=asked)
            shown = f"{verdict}, told to wait 30 s" if asked else str(verdict)
            found = (page(installation, outcome), last(installation, outcome), publication(installation, outcome))
            lines.append(f"| {shown} | {' | '.join(found)} |")
    lines += ["", "| channel | most messages | longest text | wakes | what its service does is documented in |"]
    lines += ["| --- " * 5 + "|"]
    pages = {kind.name: kind.page for kind in SERVICES} | {"e-mail": "RFC 5321, section 4.2; RFC 3463"}
    urls = {kind.name: kind.address.format(host="127.0.0.1:9") for kind in SERVICES}
    urls["e-mail"] = "mailto://127.0.0.1:9?from=ops@example.org&to=alice@example.org"
    return "\n".join([*lines, *(_limits(name, url, pages[name], folder) for name, url in urls.items())])


def _limits(name: str, url: str, page: str, folder: Path) -> str:
    """What is kept on our side, as the directory has it."""
    channel = ChannelDirectory.load(write_channels(folder / "c.yaml", a=url))._by_id["a"]
    rate, limits = channel.rate, channel.limits
    most = f"{rate.count} in {rate.seconds:g} s" if rate else ""
    longest = f"{limits.characters:,} characters" if limits.characters else f"{limits.body_bytes:,} bytes"
    return f"| {name} | {most} | {longest} | {'yes' if channel.info.waking else ''} | {page} |"


def _next(settled: str) -> str:
    """What was done, in few words; nothing if nothing was left to do."""
    words = {
        "their next channel": " → next channel", "possible repeat": " → again, marked",
        "person looks": " → a person looks", "owner is told": " → its owner is told", "after a pause": " → retry",
    }  # fmt: skip
    return next((word for phrase, word in words.items() if phrase in settled), "")


def _plain(outcome: SendOutcome) -> SendOutcome:
    """Without what differs from run to run."""
    return dataclasses.replace(outcome, detail="", receipt="r-1" if outcome.receipt else None)


def test_no_refusal_is_recorded_as_sent(cells: dict[tuple[str, str], Cell | None]) -> None:
    for (name, case), cell in cells.items():
        if cell is None:
            continue
        if case == "accepted":
            assert cell.notice.verdict in (GOOD if name != "Weibo" else {SendVerdict.REFUSED}), (name, cell)
        elif case == "too long":
            assert (cell.notice.verdict in GOOD) is (name != "Weibo"), (name, cell)
            assert cell.public.verdict is SendVerdict.REFUSED, (name, cell)
        else:
            wanted = {SendVerdict.UNKNOWN} if case in SCRIPTS else {SendVerdict.REFUSED, SendVerdict.FAILED}
            assert cell.public.verdict in wanted, (name, case, cell)
            # No notice to a person goes to Weibo at all.
            assert cell.notice.verdict in (wanted if name != "Weibo" else {SendVerdict.REFUSED}), (name, case, cell)
    assert len(cells) == (len(SERVICES) + 1) * len(CASES)


def test_the_page_says_what_happens(
    installation: InstallationHarness, cells: dict[tuple[str, str], Cell | None], tmp_path: Path
) -> None:
    made = _tables(installation, cells, tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}", encoding="utf-8")
        return
    assert old.strip() == made.strip(), f"{PAGE.name} is out of date: WRITE_DOCS=1 pytest {Path(__file__).name}"
