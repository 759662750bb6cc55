"""Calendars as people keep them: read in the background, matched with the roster, the last good copy in force."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pendulum
import pytest
from pendulum import DateTime

from domain.roster import Person
from engine.oncall import calendars, poll, read_model
from playbooks.calendar_shifts import BadCalendar, CalendarShift, find_shift_holder, parse_shifts
from tests.installations import InstallationHarness, installation_harness

pytestmark = pytest.mark.calendar

FRAME = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//t\n{}\nEND:VCALENDAR\n"
START, END = pendulum.datetime(2026, 10, 20), pendulum.datetime(2026, 11, 3)
BERLIN = ZoneInfo("Europe/Berlin")
TOKYO = "X-WR-TIMEZONE:Asia/Tokyo\n"
SECONDLY = "RRULE:FREQ=SECONDLY"


def event(summary: str, start: str, end: str, *more: str) -> str:
    lines = ("BEGIN:VEVENT", f"UID:{summary}{start}", f"DTSTART{start}", f"DTEND{end}", f"SUMMARY:{summary}", *more)
    return "\n".join([*lines, "END:VEVENT"])


def berlin(summary: str, start: str, end: str) -> str:
    return event(summary, f";TZID=Europe/Berlin:{start}", f";TZID=Europe/Berlin:{end}")


def daily(summary: str, start: str, end: str, *more: str) -> str:
    """A shift a day from 1 November on, on the clocks of Shanghai."""
    zone = ";TZID=Asia/Shanghai:202611"
    return event(summary, f"{zone}{start}", f"{zone}{end}", "RRULE:FREQ=DAILY", *more)


def shown(text: str, zone: ZoneInfo = BERLIN) -> list[str]:
    found = parse_shifts(FRAME.format(text), START, END, zone)
    return [f"{one.start:%d %H:%M}-{one.end:%d %H:%M} {one.summary}" for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (berlin("a", "20261024T220000", "20261025T060000"), ["24 20:00-25 05:00 a"]),
        (berlin("a", "20261025T023000", "20261025T100000"), ["25 00:30-25 09:00 a"]),
        (berlin("a", "20261024T220000", "20261025T023000"), ["24 20:00-25 01:30 a"]),
        (event("a", ":20261024T220000Z", ":20261025T060000Z"), ["24 22:00-25 06:00 a"]),
        (event("a", ";VALUE=DATE:20261024", ";VALUE=DATE:20261026"), ["23 22:00-25 23:00 a"]),  # days of the zone
        (TOKYO + event("a", ";VALUE=DATE:20261024", ";VALUE=DATE:20261025"), ["23 15:00-24 15:00 a"]),
        (event("a", ":20261024T220000", ":20261025T060000"), ["24 20:00-25 05:00 a"]),  # no zone: the one given
        (event("a", ":20261024T220000Z", ":20261025T060000Z", "STATUS:CANCELLED"), []),
        (event("a", ":20261024T220000Z", ":20261024T220000Z"), []),
        (event("a", ":20261024T220000Z", ":20261024T230000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261025T220000Z"),
         ["24 22:00-24 23:00 a", "26 22:00-26 23:00 a"]),
        ("", []),
    ],
)  # fmt: skip
def test_what_is_written_as_shifts(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no calendar"),
        ("<html>Sign in</html>", "no calendar"),
        (FRAME.format(event("a", ":2026", ":nonsense")), "no calendar"),
        (FRAME.format(event("a", ":20261024T220000Z", ":20261024T230000Z", SECONDLY)), "every minute or second"),
    ],
)  # fmt: skip
def test_what_is_no_calendar_is_said(text: str, says: str) -> None:
    with pytest.raises(BadCalendar, match=says):
        parse_shifts(text, START, END, BERLIN)


PEOPLE = {
    "alice": Person("alice", "Alice Zhang", (), mail="alice@example.org"),
    "bob": Person("bob", "Bob Keller", ()),
    "chenyu": Person("chenyu", "陈宇", ()),
}


@pytest.mark.parametrize(
    ("mails", "names", "summary", "who"),
    [
        (("ALICE@example.org".lower(),), (), "Bob", "alice"),  # who is invited goes before the title
        (("x@example.org", "alice@example.org"), (), "", "alice"),
        ((), ("Bob  keller",), "", "bob"),
        ((), (), "On call: Bob Keller", "bob"),
        ((), (), "bob / alice", "bob"),  # the first one named
        ((), (), "值班：陈宇（夜班）", "chenyu"),
        ((), (), "bobby", None),  # a word of its own
        ((), (), "on-bob-duty", None),
        ((), (), "holiday", None),
    ],
)
def test_whom_a_shift_means(mails: tuple[str, ...], names: tuple[str, ...], summary: str, who: str | None) -> None:
    assert find_shift_holder(CalendarShift(START, END, mails, names, summary), PEOPLE) == who


def test_whoever_declined_has_no_shift() -> None:
    more = ("ATTENDEE;PARTSTAT=DECLINED:mailto:alice@example.org", "ATTENDEE;CN=Bob Keller:MAILTO:b@example.org")
    (one,) = parse_shifts(FRAME.format(event("x", ":20261024T220000Z", ":20261025T060000Z", *more)), START, END, BERLIN)
    assert (one.mails, one.names, find_shift_holder(one, PEOPLE)) == (("b@example.org",), ("Bob Keller",), "bob")


# --- an installation ---------------------------------------------------------------------------------------------

ROSTER = (Path(__file__).parents[2] / "playbooks" / "sample" / "roster.yaml").read_text(encoding="utf-8")
HELD = "title: Technology lead 技术负责人, primary: fenglei, backup: erik"
ROTA = FRAME.format(daily("Hana", "01T080000", "01T200000") + "\n" + daily("erik", "01T200000", "02T080000"))


@contextmanager
def estate_of(home: Path, calendar: str) -> Iterator[InstallationHarness]:
    """An installation whose technology lead has that calendar. It is 3 UTC."""
    with installation_harness(home) as made:
        made.installation.settings.roster_file.write_text(ROSTER.replace(HELD, f'{HELD}, calendar: "{calendar}"'))
        for file in (made.installation._roster, made.installation._written):  # not in a second, now
            file._pace._last = None
        yield made


@pytest.fixture(name="rota")
def rota_fixture(home: Path) -> Iterator[InstallationHarness]:
    """Technology: Hana by day (0 to 12 UTC), Erik by night, from a file beside the roster. It is 3 UTC."""
    (home / "tech.ics").write_text(ROTA)
    with estate_of(home, "tech.ics") as opened:
        fetch(opened)
        yield opened


def fetch(installation: InstallationHarness) -> int:
    done = poll.fetch_calendars(installation.installation, installation.now)
    installation.installation.on_duty.forget()
    return done


def lead(installation: InstallationHarness) -> tuple[str | None, str | None]:
    roster = installation.installation.roster()
    return roster.primary("technology-lead"), roster.backup("technology-lead")


def test_who_is_called_changes_with_the_shift(rota: InstallationHarness) -> None:
    assert rota.installation.findings() == []
    assert lead(rota) == ("hana", "erik")
    ref = rota.declare()
    rota.turn()
    assert rota.snapshot(ref).steps["s/fix"].owner == "hana"
    rota.wait(hours=8, minutes=59)
    assert lead(rota)[0] == "hana"
    rota.wait(minutes=1)
    assert lead(rota) == ("erik", "fenglei"), "nobody stands in for themselves"
    later = rota.declare()
    rota.turn()
    assert rota.snapshot(later).steps["s/fix"].owner == "erik"


def test_a_calendar_that_breaks_leaves_the_last_good_copy(rota: InstallationHarness) -> None:
    (rota.installation.settings.home / "tech.ics").write_text("<html>sign in</html>")
    rota.wait(minutes=1)
    assert fetch(rota) == 1
    assert lead(rota)[0] == "hana"
    (line,) = rota.installation.findings()
    assert "calendar of technology-lead: it is no calendar" in line
    assert "the copy of 2026-11-02 03:00 UTC is in force" in line
    rota.wait(days=30)  # the copy goes on into the weeks to come
    fetch(rota)
    assert lead(rota)[0] == "hana"
    (rota.installation.settings.home / "tech.ics").write_text(ROTA.replace("Hana", "Bob Keller"))
    fetch(rota)
    assert (lead(rota)[0], rota.installation.findings()) == ("bob", [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FRAME.format(""), "nobody of the roster is on shift from now on; fenglei, then erik is called instead"),
        (ROTA.replace("Hana", "Zoe").replace("erik", "Yan"), "nobody of the roster is on shift"),
    ],
)
def test_an_empty_calendar_leaves_it_to_the_named_holder_and_says_so(
    rota: InstallationHarness, text: str, says: str
) -> None:
    (rota.installation.settings.home / "tech.ics").write_text(text)
    fetch(rota)
    assert lead(rota) == ("fenglei", "erik")
    assert says in rota.installation.findings()[0]


def test_a_stranger_on_shift_is_a_gap_and_is_named_by_time(rota: InstallationHarness) -> None:
    (rota.installation.settings.home / "tech.ics").write_text(ROTA.replace("Hana", "Zoe"))
    fetch(rota)
    assert lead(rota) == ("fenglei", "erik")
    assert any("the shift of 2026-11-0" in line and "`mail`" in line for line in rota.installation.findings())
    found = read_model.list_shifts(rota.installation, rota.now, role="technology-lead", count=2)
    assert [(gap["from"][11:16], gap["to"][11:16]) for gap in found["gaps"]] == [
        ("03:00", "12:00"),
        ("00:00", "12:00"),
        ("00:00", "03:00"),
    ]
    assert {gap["person"] for gap in found["gaps"]} == {"fenglei"}


def test_a_missing_file_leaves_it_to_the_named_holder(home: Path) -> None:
    with estate_of(home, "tech.ics") as opened:
        fetch(opened)
        assert lead(opened) == ("fenglei", "erik")
        assert "its file cannot be read (No such file" in opened.installation.findings()[0]


# --- over the network --------------------------------------------------------------------------------------------


class Site:
    """A calendar on the web."""

    def __init__(self) -> None:
        self.answer, self.asked = (200, ROTA.encode()), 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked += 1
                status, body = site.answer
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", body.decode())
                self.end_headers()
                if status != 302:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/private-5ecret/basic.ics"


@pytest.fixture(name="site")
def site_fixture() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_an_address_is_asked_every_five_minutes_and_after_trouble_every_minute(
    home: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with estate_of(home, site.url) as opened:
        assert "it has not been read yet" in opened.installation.findings()[0]
        assert [fetch(opened), fetch(opened), lead(opened)[0]] == [1, 0, "hana"]
        troubles: list[tuple[tuple[int, bytes], str]] = [
            ((500, b"no"), "HTTP 500"),
            ((200, b"<html>"), "no calendar"),
            ((200, b"\xff\xfe\xff"), "UTF-8"),
            ((200, b"x" * 2_000_002), "longer than 2 MB"),
            ((302, b"http://example.org/x"), "not https"),
            ((302, b"file:///etc/passwd"), ""),
        ]
        opened.wait(minutes=4)
        for answer, says in troubles:
            site.answer = answer
            opened.wait(minutes=1)
            assert fetch(opened) == 1, answer
            (line,) = opened.installation.findings()
            assert says in line
            assert "5ecret" not in line, "an address of a calendar is a secret"
            assert lead(opened)[0] == "hana", "the last good copy"
            assert fetch(opened) == 0
        site.answer = (200, ROTA.encode())
        opened.wait(minutes=1)
        assert (fetch(opened), opened.installation.findings()) == (1, [])


def test_an_address_that_never_ends_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "_WHOLE_SECONDS", 0.0)
    with pytest.raises(calendars.CalendarUnreachable, match="takes longer"):
        calendars.fetch_calendar(site.url)
    site.server.server_close()
    with pytest.raises(calendars.CalendarUnreachable) as caught:
        calendars.fetch_calendar("http://127.0.0.1:1/5ecret")
    assert "5ecret" not in str(caught.value)


def test_the_copies_are_for_this_user_only(rota: InstallationHarness) -> None:
    files = sorted(rota.installation.settings.calendars_dir.iterdir())
    assert [file.name for file in files] == ["technology-lead.ics", "technology-lead.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def when(text: str) -> DateTime:
    found = pendulum.parse(text)
    assert isinstance(found, DateTime)
    return found


def test_who_and_days_as_read_models(rota: InstallationHarness) -> None:
    (then,) = read_model.list_on_duty(rota.installation, when("2026-11-05T13:00:00Z"), role="technology-lead")
    assert (then["primary"], then["backup"], then["source"]) == ("erik", "fenglei", "calendar")
    assert then["until"] == "2026-11-06T00:00:00+00:00"
    (pr,) = read_model.list_on_duty(rota.installation, rota.now, role="pr-lead")
    assert (pr["primary"], pr["source"], pr["until"]) == ("chenyu", "roster", None)
    found = read_model.list_shifts(rota.installation, rota.now)
    row = next(one for one in found["roles"] if one["role"] == "technology-lead")
    assert len(row["spans"]) == 29
    assert found["gaps"] == []
