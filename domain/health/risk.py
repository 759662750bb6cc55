"""Risk ahead: the share of capacity that the next two hours will take. Pure.

`risk_ahead` is the largest of these, over the slots that begin in the next two hours and the one in
progress:

- contacts expected an hour, over the contacts an hour that the agents on shift answer at the objective
  (Erlang C);
- complaints expected an hour, over the fixed limit of complaints an hour, where there is one;
- complaints expected an hour, over what is usual for that hour and the rise at which tier 3 fires.

Expected is the forecast times the level of the last two hours (`VolumeHistory.level`): without it no surge
would ever be seen coming. 1 is as much as can be borne.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.health.erlang import HOUR, Objective, contacts_borne
from domain.health.forecast import ForecastSlot

SPAN_SECONDS = 7200  # seconds
MAX_RATIO = 10.0  # ten times what can be borne, or nobody on shift


class RiskCause(StrEnum):
    """The capacity that is at its limit."""

    CAPACITY = "capacity"
    COMPLAINTS = "complaints"


@dataclass(frozen=True, slots=True)
class RiskAhead:
    """The worst risk of the next two hours.

    Attributes:
        ratio: expected over what can be borne, at most `MOST`.
        at: seconds of the epoch at which that slot begins.
        expected, borne: an hour.
    """

    ratio: float
    cause: RiskCause
    at: int
    expected: float
    borne: float


@dataclass(frozen=True, slots=True)
class ExpectedLoad:
    """The load expected of one figure in two hours: its slots, each `slot` seconds, and the recent level."""

    slots: Sequence[ForecastSlot]
    slot: int
    level: float = 1.0

    def hourly_rates(self) -> Iterator[tuple[int, float, float]]:
        """Yield each known slot: its start, the expected and the usual volume, an hour."""
        for one in self.slots:
            if one.value is not None:
                usual = one.value * HOUR / self.slot
                yield one.start, usual * self.level, usual


def capacity_risks(ahead: ExpectedLoad, agents_at: Callable[[int], int | None], handle_time: float,
                objective: Objective) -> Iterator[RiskAhead]:  # fmt: skip
    """Compare the contacts with the agents; yields nothing where the number of agents is unknown."""
    borne: dict[int, float] = {}
    for start, expected, _ in ahead.hourly_rates():
        agents = agents_at(start)
        if agents is None:
            continue
        if agents not in borne:
            borne[agents] = contacts_borne(agents, handle_time, objective)
        yield RiskAhead(_ratio(expected, borne[agents]), RiskCause.CAPACITY, start, expected, borne[agents])


def complaint_risks(ahead: ExpectedLoad, limit: float | None, rise: float | None) -> Iterator[RiskAhead]:
    """Compare complaints with their hourly limit and the allowed rise over the usual (0.5: half as many again)."""
    for start, expected, usual in ahead.hourly_rates():
        if limit is not None:
            yield RiskAhead(_ratio(expected, limit), RiskCause.COMPLAINTS, start, expected, limit)
        if rise is not None and usual > 0:
            borne = usual * (1 + rise)
            yield RiskAhead(_ratio(expected, borne), RiskCause.COMPLAINTS, start, expected, borne)


def worst_risk(risks: Iterator[RiskAhead]) -> RiskAhead | None:
    """Return the largest risk, the first of equals; None where there is none."""
    return max(risks, key=lambda risk: risk.ratio, default=None)


def _ratio(expected: float, borne: float) -> float:
    if expected <= 0:
        return 0.0
    return min(MAX_RATIO, expected / borne) if borne > 0 else MAX_RATIO
