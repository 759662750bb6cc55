"""Calendars of roles: fetched in the background, the last good copy kept in the home.

`ROLE.ics` is the copy, `ROLE.json` its shifts of the coming weeks: what every process reads, cheaply.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pendulum
from pendulum import DateTime

from domain.durations import elapsed, later
from domain.roster import Role, Roster
from playbooks.calendar_shifts import BadCalendar, CalendarShift, parse_shifts, shift_from_document
from storage.files import write_atomically

log = logging.getLogger("tocsin.rotation")
MAX_BYTES = 2_000_000
FETCH_EVERY = timedelta(minutes=5)  # between two fetches of an address
RETRY_AFTER = timedelta(minutes=1)  # after one that failed
RELAY_AFTER = timedelta(hours=6)  # the shifts of the coming weeks are laid out anew, though the calendar is the same
PAST_WINDOW, FUTURE_WINDOW = timedelta(days=7), timedelta(days=35)
_CONNECT_SECONDS = 10.0
_WHOLE_SECONDS = 20.0
_SAFE_HOSTS = ("127.0.0.1", "::1", "localhost")


class CalendarUnreachable(OSError):
    """A calendar could not be fetched; the message never has its address, which may be a secret."""


@dataclass(frozen=True, slots=True)
class CalendarCopy:
    """Kept copy of a role's calendar.

    Attributes:
        of: digest of where it comes from; a copy of another calendar is worth nothing.
        read_at: when it was fetched well the last time; None: never.
        tried_at: when it was tried.
        trouble: why the last try failed; empty: it did not.
        entries: its shifts between `start` and `end`.
    """

    of: str
    read_at: DateTime | None
    tried_at: DateTime
    trouble: str
    start: DateTime
    end: DateTime
    entries: tuple[CalendarShift, ...]
    mark: str = ""  # of a file: by which its change is seen


def calendar_digest(calendar: str) -> str:
    """Return the digest under which a copy is kept: the address itself may be a secret."""
    return hashlib.sha256(calendar.encode()).hexdigest()[:16]


def read_copy(path: Path) -> CalendarCopy | None:
    """Return the copy in a file; None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return CalendarCopy(
            found["of"],
            _time(found["read_at"]) if found["read_at"] else None,
            _time(found["tried_at"]),
            str(found["trouble"]),
            _time(found["start"]),
            _time(found["end"]),
            tuple(shift_from_document(one) for one in found["entries"]),
            str(found["mark"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _time(text: str) -> DateTime:
    return pendulum.instance(datetime.fromisoformat(text))


def _write(path: Path, copy: CalendarCopy) -> None:
    document = {
        "of": copy.of, "read_at": copy.read_at.isoformat() if copy.read_at else None,
        "tried_at": copy.tried_at.isoformat(), "trouble": copy.trouble, "start": copy.start.isoformat(),
        "end": copy.end.isoformat(), "mark": copy.mark, "entries": [one.to_document() for one in copy.entries],
    }  # fmt: skip
    _replace(path, json.dumps(document, ensure_ascii=False))


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)  # for this user only: a calendar has people's addresses


class RoleCalendars:
    """Calendars of one home. `folder` holds the copies; a calendar's file is looked for beside the roster."""

    def __init__(self, folder: Path, beside: Path) -> None:
        self._folder, self._beside = folder, beside

    def refresh(self, roster: Roster, now: DateTime) -> int:
        """Fetch the calendars that are due, of every role with one; return how many."""
        return sum(self._look(roster, role, now) for role in roster.roles.values() if role.calendar)

    def _look(self, roster: Roster, role: Role, now: DateTime) -> bool:
        known = read_copy(self._folder / f"{role.id}.json")
        if known is not None and known.of != calendar_digest(role.calendar):
            known = None
        mark = self._mark(role)
        if known is not None and not _due(known, mark, now):
            return False
        try:
            text = self._fetch(role)
            entries = parse_shifts(text, later(now, -PAST_WINDOW), later(now, FUTURE_WINDOW), _zone(roster, role))
        except (OSError, BadCalendar) as error:
            self._failed(role, known, _reason(error), mark, now)
            return True
        _replace(self._folder / f"{role.id}.ics", text)
        copy = CalendarCopy(
            calendar_digest(role.calendar),
            now,
            now,
            "",
            later(now, -PAST_WINDOW),
            later(now, FUTURE_WINDOW),
            tuple(entries),
            mark,
        )
        _write(self._folder / f"{role.id}.json", copy)
        return True

    def _failed(self, role: Role, known: CalendarCopy | None, why: str, mark: str, now: DateTime) -> None:
        if known is None or not known.trouble:
            log.warning("the calendar of %s cannot be used: %s", role.id, why)
        of = calendar_digest(role.calendar)
        good = known or CalendarCopy(of, None, now, "", later(now, -PAST_WINDOW), later(now, FUTURE_WINDOW), ())
        entries, start, end = good.entries, good.start, good.end
        if good.read_at is not None:  # the last good copy, on into the coming weeks
            try:
                text = (self._folder / f"{role.id}.ics").read_text(encoding="utf-8")
                start, end = later(now, -PAST_WINDOW), later(now, FUTURE_WINDOW)
                entries = tuple(parse_shifts(text, start, end, ZoneInfo("UTC")))
            except (OSError, BadCalendar):
                entries, start, end = good.entries, good.start, good.end
        _write(self._folder / f"{role.id}.json", CalendarCopy(of, good.read_at, now, why, start, end, entries, mark))

    def _mark(self, role: Role) -> str:
        if "://" in role.calendar:
            return ""
        try:
            stat = (self._beside / role.calendar).stat()
        except OSError as error:
            return f"errno {error.errno}"
        return f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}"

    def _fetch(self, role: Role) -> str:
        if "://" in role.calendar:
            return fetch_calendar(role.calendar)
        with (self._beside / role.calendar).open("rb") as file:
            return _text(file.read(MAX_BYTES + 1))


def _due(known: CalendarCopy, mark: str, now: DateTime) -> bool:
    waited = elapsed(known.tried_at, now)
    if waited < timedelta(0) or waited >= RELAY_AFTER or mark != known.mark:
        return True
    if mark:  # a file is read when it changes
        return False
    return waited >= (RETRY_AFTER if known.trouble else FETCH_EVERY)


def _zone(roster: Roster, role: Role) -> ZoneInfo:
    person = roster.people.get(role.primary)
    return ZoneInfo(person.timezone if person else "UTC")


def _reason(error: Exception) -> str:
    if isinstance(error, (CalendarUnreachable, BadCalendar)):
        return str(error)
    return f"its file cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"


class _Careful(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not _may_be_asked(newurl):
            raise CalendarUnreachable("it leads to an address that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _may_be_asked(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _SAFE_HOSTS)


def fetch_calendar(url: str) -> str:
    """Return the text behind an address, within 20 s and 2 MB.

    Raises:
        CalendarUnreachable: it is not there, too slow or too long.
        BadCalendar: it is no text.
    """
    try:
        with urllib.request.build_opener(_Careful).open(url, timeout=_CONNECT_SECONDS) as answer:
            body = _body(answer)
    except CalendarUnreachable:
        raise
    except (OSError, ValueError) as error:  # urllib's errors are OSErrors
        code = getattr(error, "code", None)
        said = f"HTTP {code}" if code else type(getattr(error, "reason", error)).__name__
        raise CalendarUnreachable(f"its address does not give it ({said})") from None
    return _text(body)


def _body(answer: Any) -> bytes:
    ends = time.monotonic() + _WHOLE_SECONDS
    body = b""
    while len(body) <= MAX_BYTES and (part := answer.read1(65_536)):
        body += part
        if time.monotonic() > ends:
            raise CalendarUnreachable(f"it takes longer than {_WHOLE_SECONDS:g} s")
    return body


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise BadCalendar(f"it is longer than {MAX_BYTES // 1_000_000} MB")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadCalendar("it is not in UTF-8") from None
