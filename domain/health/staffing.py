"""Staffing arithmetic: agents to roster, to keep in reserve, and to call in now. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from domain.health.erlang import Objective, agents_needed

_MINUTES_A_DAY = 1440
_TOLERANCE = 1e-9  # 0.7 is no binary fraction: 14 / 0.7 must be 20, not 21


@dataclass(frozen=True, slots=True)
class AgentShift:
    """A shift of so many agents on these weekdays (Monday is 0), from one minute of the day to another.

    `ends` at or before `starts` is on the next day: 22:00-06:00 of Monday ends on Tuesday.
    """

    days: frozenset[int]
    starts: int
    ends: int
    agents: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether the shift covers a moment of the week."""
        if self.ends > self.starts:
            return weekday in self.days and self.starts <= minute < self.ends
        evening = weekday in self.days and minute >= self.starts
        return evening or ((weekday - 1) % 7 in self.days and minute < self.ends)


def count_on_shift(shifts: Sequence[AgentShift], weekday: int, minute: int) -> int:
    """Count the agents of all shifts that cover a moment of the week; 0 where none does."""
    return sum(shift.agents for shift in shifts if shift.covers(weekday, minute))


def agents_to_roster(at_desks: int, shrinkage: float) -> int:
    """Compute the agents to roster for so many at their desks: at_desks / (1 - shrinkage), rounded up.

    Shrinkage is the share of paid time that is not spent at the desk: breaks, training, illness, leave. It
    divides, it is not added: 14 at 30 % are 20 (the worked example of Call Centre Helper, see `erlang`), not
    18.2.

    Raises:
        ValueError: a shrinkage below 0, or of 1 and more.
    """
    if not 0 <= shrinkage < 1:
        raise ValueError(f"a shrinkage of {shrinkage:g} leaves nobody at a desk: from 0 until below 1")
    return math.ceil(at_desks / (1 - shrinkage) - _TOLERANCE)


@dataclass(frozen=True, slots=True)
class StaffReserve:
    """The agents kept for peaks beside those on shift.

    Attributes:
        share: standby agents over agents on shift.
        wanted: standby agents that the wanted share takes.
        missing: how many are missing to that; 0: enough.
    """

    standby: int
    staff: int
    share: float
    wanted: int
    missing: int


def compute_reserve(standby: int, staff: int, wanted_share: float) -> StaffReserve | None:
    """Compute the reserve beside the agents on shift; None where nobody is on shift, for then no share exists."""
    if staff <= 0:
        return None
    wanted = math.ceil(staff * wanted_share - _TOLERANCE)
    return StaffReserve(standby, staff, standby / staff, wanted, max(0, wanted - standby))


@dataclass(frozen=True, slots=True)
class StandbyCall:
    """The number of standby agents to call now.

    Attributes:
        needed: agents at their desks that keep the objective at the present arrivals (Erlang C).
        call: standby agents to call.
        missing: agents that are needed beyond those: there are no more standby agents.
        contacts_an_hour, handle_time: what it was worked out from (seconds).
    """

    needed: int
    on_shift: int
    call: int
    missing: int
    contacts_an_hour: float
    handle_time: float


def compute_standby_call(
    contacts_an_hour: float, handle_time: float, objective: Objective, agents: int, standby: int | None
) -> StandbyCall:
    """Compute how many standby agents to call: needed less on shift. `standby`: how many there are.

    None: not known.

    No shrinkage here: an agent who is called sits down at once, and pauses later.

    Raises:
        ValueError: as `agents_needed`.
    """
    needed = agents_needed(contacts_an_hour, handle_time, objective)
    lacking = max(0, needed - agents)
    call = lacking if standby is None else min(lacking, standby)
    return StandbyCall(needed, agents, call, lacking - call, contacts_an_hour, handle_time)
