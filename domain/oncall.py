"""On-call schedule: calendar shifts, overrides by hand, and the roster where neither applies.

The rules are written down in `docs/oncall.md`. Everything here is half-open, [start, end), in absolute
time (UTC); `domain.wall_clock` alone knows of wall clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

from pendulum import DateTime

from domain.durations import later
from domain.roster import Role, Roster

_SECOND = timedelta(seconds=1)
LOOKBACK = timedelta(days=3)  # how far a resolved roster looks for the next change


class DutySource(StrEnum):
    """Why a person is on duty."""

    OVERRIDE = "override"  # by hand
    CALENDAR = "calendar"  # a shift
    ROSTER = "roster"  # the role's primary: it has no calendar, or the calendar says nothing (`Span.gap`)


@dataclass(frozen=True, slots=True)
class OncallShift:
    """A shift of one person from `start` until, not including, `end`."""

    start: DateTime
    end: DateTime
    person: str


@dataclass(frozen=True, slots=True)
class DutyOverride:
    """A person put on duty by hand. `ended_at`: it was ended before its time."""

    id: str
    role: str
    person: str
    start: DateTime
    end: DateTime
    reason: str
    by: str
    made_at: DateTime
    ended_at: DateTime | None = None
    ended_by: str = ""

    @property
    def until(self) -> DateTime:
        """When the override is over; never before its start."""
        return self.end if self.ended_at is None else max(self.start, min(self.end, self.ended_at))


@dataclass(frozen=True, slots=True)
class ShiftCalendar:
    """The known part of a role's calendar: its shifts between `start` and `end`."""

    shifts: tuple[OncallShift, ...]
    start: DateTime
    end: DateTime


@dataclass(frozen=True, slots=True)
class DutyPeriod:
    """One person on duty for one role without a break.

    Periods of a role follow each other without hole or overlap.
    """

    role: str
    start: DateTime
    end: DateTime
    person: str
    backup: str | None
    source: DutySource
    gap: bool = False  # the role has a calendar, and it says nothing here


@dataclass(frozen=True, slots=True)
class Duties:
    """Calendars and overrides that decide who has a role."""

    rotas: Mapping[str, ShiftCalendar] = field(
        default_factory=dict
    )  # of each role with a calendar; without shifts if unread
    overrides: tuple[DutyOverride, ...] = ()

    def roles(self) -> set[str]:
        """Return the roles that have a calendar or an override."""
        return {*self.rotas, *(override.role for override in self.overrides)}


def list_duty_periods(
    role: Role, rota: ShiftCalendar | None, overrides: Iterable[DutyOverride], start: DateTime, end: DateTime
) -> tuple[DutyPeriod, ...]:
    """List who has the role from `start` to `end`: every moment exactly one person.

    Overrides win over shifts; of several the one made last. Of shifts that overlap the one that starts last
    wins, of those that start together the one that ends first. Where the calendar says nothing, the role's
    primary.
    """
    own = [one for one in overrides if one.role == role.id and one.start < one.until]
    shifts = [one for one in (rota.shifts if rota else ()) if one.start < one.end]
    edges = {start, end}
    for low, high in [*((one.start, one.until) for one in own), *((one.start, one.end) for one in shifts)]:
        edges |= {edge for edge in (low, high) if start < edge < end}
    found: list[DutyPeriod] = []
    cuts = sorted(edges)
    for low, high in pairwise(cuts):
        span = _held(role, rota, [one for one in own if one.start <= low < one.until], shifts, low, high)
        same = found and replace(found[-1], start=low, end=high) == span
        if same:
            found[-1] = replace(found[-1], end=high)
        else:
            found.append(span)
    return tuple(found)


def _held(
    role: Role,
    rota: ShiftCalendar | None,
    own: Sequence[DutyOverride],
    shifts: Sequence[OncallShift],
    low: DateTime,
    high: DateTime,
) -> DutyPeriod:
    running = [one for one in shifts if one.start <= low < one.end]
    if own:
        person, source = max(own, key=lambda one: (one.made_at, one.id)).person, DutySource.OVERRIDE
    elif running:
        latest = max(one.start for one in running)
        person = min((one.end, one.person) for one in running if one.start == latest)[1]
        source = DutySource.CALENDAR
    else:
        person, source = role.primary, DutySource.ROSTER
    gap = rota is not None and source is DutySource.ROSTER
    return DutyPeriod(role.id, low, high, person, find_backup(role, person), source, gap)


def find_backup(role: Role, person: str) -> str | None:
    """Return who is called after `person`: the role's backup; where that is the person, its primary."""
    if person == role.primary:
        return role.backup
    return next((one for one in (role.backup, role.primary) if one and one != person), None)


def list_role_periods(
    roster: Roster, duties: Duties, role: str, start: DateTime, end: DateTime
) -> tuple[DutyPeriod, ...]:
    """List the duty periods of a role of the roster. A person unknown to the roster has no shift.

    Raises:
        KeyError: the roster has no such role.
    """
    rota = duties.rotas.get(role)
    if rota is not None:
        rota = replace(rota, shifts=tuple(one for one in rota.shifts if one.person in roster.people))
    known = [one for one in duties.overrides if one.person in roster.people]
    return list_duty_periods(roster.roles[role], rota, known, start, end)


def resolve_roster(roster: Roster, duties: Duties, now: DateTime) -> tuple[Roster, DateTime]:
    """Return the roster as it is at `now`: each role with the person on duty.

    And until when that holds at least.
    """
    until = later(now, LOOKBACK)
    roles = dict(roster.roles)
    for name in duties.roles() & set(roles):
        span = list_role_periods(roster, duties, name, now, until)[0]
        roles[name] = replace(roles[name], primary=span.person, backup=span.backup)
        until = min(until, span.end)
    return replace(roster, roles=roles), until


def find_uncovered_periods(roster: Roster, duties: Duties, start: DateTime, end: DateTime) -> list[DutyPeriod]:
    """List when a role with a calendar has nobody on shift; the primary is called then, and should know."""
    return [
        span
        for role in roster.roles
        if role in duties.rotas
        for span in list_role_periods(roster, duties, role, start, end)
        if span.gap
    ]


@dataclass(frozen=True, slots=True)
class DutyChange:
    """A change of the person who has a role."""

    role: str
    before: str
    after: str
    at: DateTime

    @property
    def shift(self) -> str:
        """The key that tells this change from every other of its role."""
        return str(self.at.format("YYYYMMDDTHHmmss"))


def find_last_change(
    roster: Roster, duties: Duties, role: str, now: DateTime, back: timedelta = LOOKBACK
) -> DutyChange | None:
    """Find the last change of a role's person within `back`, by calendar or by hand; None: there was none.

    A shift that follows one of the same person is no change.
    """
    found = list_role_periods(roster, duties, role, later(now, -back), later(now, _SECOND))
    for before, after in reversed(list(pairwise(found))):
        if before.person != after.person and after.start <= now:
            return DutyChange(role, before.person, after.person, after.start)
    return None
