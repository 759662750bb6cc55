"""Who is on duty when: shifts of a calendar, overrides by hand, and the roster where neither says anything.

The rules are written down in `docs/rotations.md`. Everything here is half-open, [start, end), in absolute time (UTC);
`domain.moments` alone knows of wall clocks.
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
AROUND = timedelta(days=3)  # how far a resolved roster looks for the next change


class Source(StrEnum):
    """Why somebody is on duty."""

    OVERRIDE = "override"  # by hand
    CALENDAR = "calendar"  # a shift
    ROSTER = "roster"  # the role's primary: it has no calendar, or the calendar says nothing (`Span.gap`)


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody has the duty from `start` until, not including, `end`."""

    start: DateTime
    end: DateTime
    person: str


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody was put on duty by hand. `ended_at`: it was ended before its time."""

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
        """When it is over; never before its start."""
        return self.end if self.ended_at is None else max(self.start, min(self.end, self.ended_at))


@dataclass(frozen=True, slots=True)
class Rota:
    """What is known of a role's calendar: its shifts between `start` and `end`."""

    shifts: tuple[Shift, ...]
    start: DateTime
    end: DateTime


@dataclass(frozen=True, slots=True)
class Span:
    """One person on duty for one role without a break. Spans of a role follow each other without hole or overlap."""

    role: str
    start: DateTime
    end: DateTime
    person: str
    backup: str | None
    source: Source
    gap: bool = False  # the role has a calendar, and it says nothing here


@dataclass(frozen=True, slots=True)
class Duties:
    """What moves people in and out of roles."""

    rotas: Mapping[str, Rota] = field(default_factory=dict)  # of each role with a calendar; without shifts if unread
    overrides: tuple[Override, ...] = ()

    def roles(self) -> set[str]:
        """The roles of which they say anything."""
        return {*self.rotas, *(override.role for override in self.overrides)}


def spans(
    role: Role, rota: Rota | None, overrides: Iterable[Override], start: DateTime, end: DateTime
) -> tuple[Span, ...]:
    """Who has the role from `start` to `end`: every moment exactly one person.

    Overrides win over shifts; of several the one made last. Of shifts that overlap the one that starts last wins, of
    those that start together the one that ends first. Where the calendar says nothing, the role's primary.
    """
    own = [one for one in overrides if one.role == role.id and one.start < one.until]
    shifts = [one for one in (rota.shifts if rota else ()) if one.start < one.end]
    edges = {start, end}
    for low, high in [*((one.start, one.until) for one in own), *((one.start, one.end) for one in shifts)]:
        edges |= {edge for edge in (low, high) if start < edge < end}
    found: list[Span] = []
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
    role: Role, rota: Rota | None, own: Sequence[Override], shifts: Sequence[Shift], low: DateTime, high: DateTime
) -> Span:
    running = [one for one in shifts if one.start <= low < one.end]
    if own:
        person, source = max(own, key=lambda one: (one.made_at, one.id)).person, Source.OVERRIDE
    elif running:
        latest = max(one.start for one in running)
        person = min((one.end, one.person) for one in running if one.start == latest)[1]
        source = Source.CALENDAR
    else:
        person, source = role.primary, Source.ROSTER
    gap = rota is not None and source is Source.ROSTER
    return Span(role.id, low, high, person, stands_in(role, person), source, gap)


def stands_in(role: Role, person: str) -> str | None:
    """Who is called after `person`: the role's backup; where that is the person, its primary."""
    if person == role.primary:
        return role.backup
    return next((one for one in (role.backup, role.primary) if one and one != person), None)


def spans_of(roster: Roster, duties: Duties, role: str, start: DateTime, end: DateTime) -> tuple[Span, ...]:
    """The same for a role of the roster as it is written. Whoever the roster does not know has no shift.

    Raises:
        KeyError: the roster has no such role.
    """
    rota = duties.rotas.get(role)
    if rota is not None:
        rota = replace(rota, shifts=tuple(one for one in rota.shifts if one.person in roster.people))
    known = [one for one in duties.overrides if one.person in roster.people]
    return spans(roster.roles[role], rota, known, start, end)


def resolved(roster: Roster, duties: Duties, now: DateTime) -> tuple[Roster, DateTime]:
    """The roster as it is at `now`: each role with who is on duty, and until when that is so at least."""
    until = later(now, AROUND)
    roles = dict(roster.roles)
    for name in duties.roles() & set(roles):
        span = spans_of(roster, duties, name, now, until)[0]
        roles[name] = replace(roles[name], primary=span.person, backup=span.backup)
        until = min(until, span.end)
    return replace(roster, roles=roles), until


def gaps(roster: Roster, duties: Duties, start: DateTime, end: DateTime) -> list[Span]:
    """Where a role with a calendar has nobody on shift; the primary is called, and ought to know it."""
    return [
        span
        for role in roster.roles
        if role in duties.rotas
        for span in spans_of(roster, duties, role, start, end)
        if span.gap
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """A role passes from one person to another."""

    role: str
    before: str
    after: str
    at: DateTime

    @property
    def shift(self) -> str:
        """What tells this change from every other of its role."""
        return str(self.at.format("YYYYMMDDTHHmmss"))


def last_change(roster: Roster, duties: Duties, role: str, now: DateTime, back: timedelta = AROUND) -> Change | None:
    """The last change of person of a role within `back`, by calendar or by hand; None: there was none.

    A shift that follows one of the same person is no change.
    """
    found = spans_of(roster, duties, role, later(now, -back), later(now, _SECOND))
    for before, after in reversed(list(pairwise(found))):
        if before.person != after.person and after.start <= now:
            return Change(role, before.person, after.person, after.start)
    return None
