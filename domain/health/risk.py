"""Risk ahead: how much of what can be borne the next two hours will take. Pure.

`risk_ahead` is the largest of these, over the slots that begin in the next two hours and the one in progress:

- contacts expected an hour, over the contacts an hour that the agents on shift answer at the objective (Erlang C);
- complaints expected an hour, over the fixed limit of complaints an hour, where there is one;
- complaints expected an hour, over what is usual for that hour and the rise at which tier 3 fires.

Expected is the forecast times the level of the last two hours (`VolumeHistory.level`): without it no surge would ever
be seen coming. 1 is as much as can be borne.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.health.erlang import HOUR, Objective, contacts_borne
from domain.health.forecast import Expected

SPAN = 7200  # seconds
MOST = 10.0  # ten times what can be borne, or nobody on shift


class Cause(StrEnum):
    """What is at its limit."""

    CAPACITY = "capacity"
    COMPLAINTS = "complaints"


@dataclass(frozen=True, slots=True)
class Risk:
    """The worst of the next two hours.

    Attributes:
        ratio: expected over what can be borne, at most `MOST`.
        at: seconds of the epoch at which that slot begins.
        expected, borne: an hour.
    """

    ratio: float
    cause: Cause
    at: int
    expected: float
    borne: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected of one figure in the next two hours: the slots, each `slot` seconds, and the level."""

    slots: Sequence[Expected]
    slot: int
    level: float = 1.0

    def an_hour(self) -> Iterator[tuple[int, float, float]]:
        """Each slot that can be told: its start, what is expected and what is usual, an hour."""
        for one in self.slots:
            if one.value is not None:
                usual = one.value * HOUR / self.slot
                yield one.start, usual * self.level, usual


def of_capacity(ahead: Ahead, agents_at: Callable[[int], int | None], handle_time: float,
                objective: Objective) -> Iterator[Risk]:  # fmt: skip
    """The contacts against the agents; nothing where their number is not known."""
    borne: dict[int, float] = {}
    for start, expected, _ in ahead.an_hour():
        agents = agents_at(start)
        if agents is None:
            continue
        if agents not in borne:
            borne[agents] = contacts_borne(agents, handle_time, objective)
        yield Risk(_ratio(expected, borne[agents]), Cause.CAPACITY, start, expected, borne[agents])


def of_complaints(ahead: Ahead, limit: float | None, rise: float | None) -> Iterator[Risk]:
    """The complaints against their limit an hour, and against a rise over what is usual (0.5: half as many again)."""
    for start, expected, usual in ahead.an_hour():
        if limit is not None:
            yield Risk(_ratio(expected, limit), Cause.COMPLAINTS, start, expected, limit)
        if rise is not None and usual > 0:
            borne = usual * (1 + rise)
            yield Risk(_ratio(expected, borne), Cause.COMPLAINTS, start, expected, borne)


def worst(risks: Iterator[Risk]) -> Risk | None:
    """The largest, of equals the first; None of none: then nothing can be told."""
    return max(risks, key=lambda risk: risk.ratio, default=None)


def _ratio(expected: float, borne: float) -> float:
    if expected <= 0:
        return 0.0
    return min(MOST, expected / borne) if borne > 0 else MOST
