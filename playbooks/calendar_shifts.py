"""Calendar shifts (iCalendar, RFC 5545), and the persons of the roster that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from pendulum import DateTime

from domain.roster import Person
from domain.wall_clock import resolve_wall_time

MOST = 5_000  # shifts of one calendar in the weeks that are looked at
_TOO_OFTEN = re.compile(r"FREQ=(SECONDLY|MINUTELY)", re.IGNORECASE)


class BadCalendar(ValueError):
    """A text is no calendar; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class CalendarShift:
    """One shift as written in a calendar."""

    start: DateTime
    end: DateTime
    mails: tuple[str, ...]  # of those invited who have not declined, in their order
    names: tuple[str, ...]  # the same by name
    summary: str

    def to_document(self) -> dict[str, Any]:
        """Return the shift as JSON."""
        return {**asdict(self), "start": self.start.isoformat(), "end": self.end.isoformat()}


def shift_from_document(document: Mapping[str, Any]) -> CalendarShift:
    """Read a shift from its JSON.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    start, end = (pendulum.instance(datetime.fromisoformat(document[name])) for name in ("start", "end"))
    return CalendarShift(start, end, tuple(document["mails"]), tuple(document["names"]), str(document["summary"]))


def parse_shifts(text: str, start: DateTime, end: DateTime, zone: tzinfo) -> list[CalendarShift]:
    """Parse the shifts of a calendar that touch [start, end), with its repetitions and exceptions.

    `zone`: of days and of times without one, where the calendar names none (X-WR-TIMEZONE).

    Raises:
        BadCalendar: it cannot be read, or has too many.
    """
    import icalendar  # noqa: PLC0415 - only who fetches calendars needs them
    import recurring_ical_events  # noqa: PLC0415

    if _TOO_OFTEN.search(text):
        raise BadCalendar("it has an event that repeats every minute or second: shifts last longer")
    try:
        calendar = icalendar.Calendar.from_ical(text)
        zone = _zone(calendar) or zone
        events = recurring_ical_events.of(calendar, skip_bad_series=False).between(start, end)
        found = list(islice(_entries(events, zone), MOST + 1))
    except BadCalendar:
        raise
    except Exception as error:  # noqa: BLE001 - the libraries raise what they like for what is broken
        raise BadCalendar(f"it is no calendar ({type(error).__name__}): export it as iCalendar (.ics)") from None
    if len(found) > MOST:
        raise BadCalendar(f"it has more than {MOST} shifts in six weeks")
    return sorted(found, key=lambda one: (one.start, one.end, one.summary))


def _zone(calendar: Any) -> tzinfo | None:
    try:
        return ZoneInfo(str(calendar.get("X-WR-TIMEZONE") or ""))
    except (KeyError, ValueError, OSError):
        return None


def _entries(events: Any, zone: tzinfo) -> Iterator[CalendarShift]:
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        invited = event.get("ATTENDEE") or []
        invited = invited if isinstance(invited, list) else [invited]
        there = [one for one in invited if str(one.params.get("PARTSTAT", "")).upper() != "DECLINED"]
        start, end = _moment(event.start, zone), _moment(event.end, zone, ends=True)
        if start < end:
            yield CalendarShift(
                start,
                end,
                tuple(str(one).lower().removeprefix("mailto:") for one in there),
                tuple(str(one.params["CN"]) for one in there if one.params.get("CN")),
                str(event.get("SUMMARY", ""))[:200],
            )


def _moment(when: date, zone: tzinfo, *, ends: bool = False) -> DateTime:
    """Convert a calendar time; a day begins at its midnight on the clocks of `zone`, also where it is an end."""
    if not isinstance(when, datetime):
        return resolve_wall_time(datetime.combine(when, datetime.min.time()), zone)
    return resolve_wall_time(when.replace(tzinfo=None), when.tzinfo or zone, ends=ends)


def find_shift_holder(entry: CalendarShift, people: Mapping[str, Person]) -> str | None:
    """Find a shift's person: by invited address, then invited name, then the first name or id in its title."""
    by_mail = {person.mail.lower(): person.id for person in people.values() if person.mail}
    by_name = {_plain(name): person.id for person in people.values() for name in (person.id, person.name)}
    for mail in entry.mails:
        if mail in by_mail:
            return by_mail[mail]
    for name in entry.names:
        if _plain(name) in by_name:
            return by_name[_plain(name)]
    places = [(place, -len(name), by_name[name]) for name in by_name if (place := _place(name, entry.summary)) >= 0]
    return min(places)[2] if places else None


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _place(name: str, summary: str) -> int:
    """Find where a title names a person, as a word of its own; -1: nowhere. Chinese is written without spaces."""
    border = r"(?![0-9a-z_-])"
    match = re.search(rf"(?<![0-9a-z_-]){re.escape(name)}{border}", _plain(summary))
    return match.start() if match else -1
