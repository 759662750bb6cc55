"""Duties of an installation, kept current: calendar copies, overrides, and the roster resolved from both."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pendulum import DateTime

from domain.durations import later
from domain.oncall import LOOKBACK, Duties, DutyOverride, OncallShift, ShiftCalendar, resolve_roster
from domain.roster import Role, Roster
from engine.oncall.calendars import CalendarCopy, calendar_digest, read_copy
from playbooks.calendar_shifts import find_shift_holder
from storage.database import Database, StorageError
from storage.oncall import schedule_changes

log = logging.getLogger("tocsin.rotation")
POLL_SECONDS = 1.0  # of the monotonic clock, between two looks at files and overrides


@dataclass(frozen=True, slots=True)
class _Resolved:
    written: Roster
    duties: Duties
    roster: Roster
    since: DateTime
    until: DateTime


class OnDutyResolver:
    """Resolver of the roster as it is now. Threads may share one."""

    def __init__(self, folder: Path, database: Database, clock: Callable[[], DateTime]) -> None:
        self.clock = clock
        self._folder, self._database = folder, database
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._copies: dict[str, tuple[tuple[int, ...], CalendarCopy | None]] = {}
        self._overrides: tuple[DutyOverride, ...] = ()
        self._duties = Duties()
        self._findings: tuple[str, ...] = ()
        self._state: object = None
        self._of: Roster | None = None
        self._last: _Resolved | None = None

    def resolve(self, written: Roster) -> Roster:
        """Return the roster with each role held by the person on duty now."""
        with self._lock:
            self._look(written)
            if not self._duties.roles():
                return written
            now, last = self.clock(), self._last
            fits = last and last.written is written and last.duties is self._duties and last.since <= now < last.until
            if not last or not fits:
                roster, until = resolve_roster(written, self._duties, now)
                self._last = last = _Resolved(written, self._duties, roster, now, until)
            return last.roster

    def duties(self, written: Roster) -> Duties:
        """Return the duties that move people in and out of the roles of this roster."""
        with self._lock:
            self._look(written)
            return self._duties

    def findings(self, written: Roster) -> list[str]:
        """Return what is wrong with the calendars, each a line that says who is called instead."""
        with self._lock:
            self._look(written)
            return list(self._findings)

    def forget(self) -> None:
        """Forget what was read, so that the next call reads again: something was changed just now."""
        with self._lock:
            self._looked = None

    def _look(self, written: Roster) -> None:
        now = time.monotonic()
        fresh = self._looked is not None and now - self._looked < POLL_SECONDS
        if fresh and written is self._of:
            return
        self._looked = now
        overrides = self._read_overrides()
        copies = {role.id: self._copy(role) for role in written.roles.values() if role.calendar}
        seen = {name: self._copies[name][0] for name in copies}
        state = (overrides, seen)
        if written is self._of and state == self._state:
            return
        self._state, self._of = state, written
        made = {name: _rota(written, written.roles[name], copy, self.clock()) for name, copy in copies.items()}
        self._duties = Duties({name: rota for name, (rota, _) in made.items()}, overrides)
        self._findings = tuple(line for _, lines in made.values() for line in lines)

    def _read_overrides(self) -> tuple[DutyOverride, ...]:
        if self._database.is_sqlite and not Path(str(self._database.engine.url.database)).exists():
            return ()  # asking would make the file
        try:
            with self._database.read() as connection:
                return schedule_changes.list_overrides(connection, later(self.clock(), -LOOKBACK - timedelta(days=1)))
        except StorageError:  # those known hold; that the database is away is said by others
            return self._overrides

    def _copy(self, role: Role) -> CalendarCopy | None:
        path = self._folder / f"{role.id}.json"
        try:
            stat = path.stat()
            mark: tuple[int, ...] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            mark = ()
        if role.id not in self._copies or self._copies[role.id][0] != mark:
            self._copies[role.id] = (mark, read_copy(path) if mark else None)
        copy = self._copies[role.id][1]
        return copy if copy is not None and copy.of == calendar_digest(role.calendar) else None


def _rota(written: Roster, role: Role, copy: CalendarCopy | None, now: DateTime) -> tuple[ShiftCalendar, list[str]]:
    """A role's shifts, and what is wrong with them."""
    instead = role.primary + (f", then {role.backup}" if role.backup else "")
    if copy is None or copy.read_at is None:
        why = copy.trouble if copy else "it has not been read yet"
        start, end = later(now, -LOOKBACK), later(now, LOOKBACK)
        return ShiftCalendar((), start, end), [f"calendar of {role.id}: {why}; {instead} is called instead"]
    shifts, strangers = [], []
    for entry in copy.entries:
        person = find_shift_holder(entry, written.people)
        if person is None:
            strangers.append(entry)
        else:
            shifts.append(OncallShift(entry.start, entry.end, person))
    found = []
    if copy.trouble:
        found.append(
            f"calendar of {role.id}: {copy.trouble}; the copy of {copy.read_at:%Y-%m-%d %H:%M} UTC is in force"
        )
    if not any(one.end > now for one in shifts):
        found.append(
            f"calendar of {role.id}: nobody of the roster is on shift from now on; {instead} is called instead"
        )
    stranger = next((one for one in strangers if one.end > now), None)
    if stranger is not None:
        found.append(
            f"calendar of {role.id}: the shift of {stranger.start:%Y-%m-%d %H:%M} UTC names nobody of the roster: "
            "give the person its `mail`, or write their id into its title"
        )
    return ShiftCalendar(tuple(shifts), copy.start, copy.end), found
