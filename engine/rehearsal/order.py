"""What is ordered of a rehearsal, and what it finds: plain values between its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from domain.playbook import CLOCKS, Playbook
from domain.roster import Roster
from engine.rehearsal.affected import File
from engine.rehearsal.cast import Cast
from engine.rehearsal.expectation import Expectation
from engine.rehearsal.layout import seconds
from engine.rehearsal.letters import Letter
from engine.rehearsal.verdict import Verdict

FOUR_HOURS = 4 * 3600.0
AFTER = 1_200.0  # seconds that a rehearsal goes on after the last deadline, so that a missed one is seen
TOLERANCE = 3.0  # real seconds
LEAST_SECONDS = 60.0  # real ones that the 72 hours after the close take at least
SECONDS_EACH = 0.08  # and for each customer
USUAL_OBJECTIVE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Brought:
    """What the import answered."""

    taken: int
    bad: frozenset[int]  # lines


@dataclass(frozen=True, slots=True)
class Customers:
    """The customers of a rehearsal: their file as it is read here, and the import as anybody would do it."""

    file: File
    name: str
    bring: Callable[[str], Brought]  # the incident's reference -> what the import answered


@dataclass(frozen=True, slots=True)
class Order:
    """A rehearsal as it is asked for."""

    playbook: Playbook
    speed: float = 240.0
    auto: bool = True
    seed: int = 1
    until: timedelta | None = None  # of the rehearsed clock; None: the first four hours of the playbook at most
    tolerance: float = TOLERANCE  # real seconds by which a message may be later than due
    customers: Customers | None = None  # whom the incident affects; followed up after its close
    closed_speed: float | None = None  # times real speed after the close; None: as fast as the customers allow

    @property
    def speed_closed(self) -> float:
        """How many times real speed after the close: 72 hours need not take 72 times an hour."""
        if self.closed_speed is not None or self.customers is None:
            return self.closed_speed or self.speed
        return max(self.speed, round(72 * 3_600 / max(LEAST_SECONDS, len(self.customers.file.good) * SECONDS_EACH)))

    @property
    def after(self) -> float:
        """How many times faster the clock goes after the close."""
        return self.speed_closed / self.speed

    @property
    def pace(self) -> dict[str, float]:
        """The pace of each clock."""
        return {name: self.speed_closed if name == "closed" else self.speed for name in CLOCKS}

    @property
    def mitigates_at(self) -> float | None:
        """When service counts as back; None where nothing of the playbook waits for it."""
        if not any(stage.clock == "mitigated" and not stage.on_demand for stage in self.playbook.stages):
            return None
        return seconds(self.playbook.objective or USUAL_OBJECTIVE)

    @property
    def closes_at(self) -> float:
        """When the rehearsal is over, in seconds of its clock; the closing stage follows."""
        if self.until is not None:
            return seconds(self.until)
        ends = [0.0]
        for stage in self.playbook.stages:
            if stage.on_demand or stage.repeat or stage.clock == "closed":
                continue
            begins = (self.mitigates_at or 0.0) if stage.clock == "mitigated" else 0.0
            ends.append(begins + seconds(stage.ends))
        return min(max(ends), FOUR_HOURS) + AFTER

    @property
    def slack(self) -> float:
        """The tolerance on the rehearsed clock."""
        return self.tolerance * self.speed

    @property
    def prompt(self) -> float:
        """By how much later than due something may be decided, on the rehearsed clock."""
        return self.slack / 2


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of the affected customers: figures, and each that is missing or too much, by its line."""

    figures: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A rehearsal that was held."""

    order: Order
    roster: Roster
    cast: Cast | None
    shown: Mapping[str, Any]  # the incident as its API shows it, at the end
    expectation: Expectation
    verdict: Verdict
    letters: tuple[Letter, ...]
    lasted: float  # real seconds
    followed: Followed | None = None
    report: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rehearsal stands, for whoever watches it."""

    order: Order
    roster: Roster
    cast: Cast | None
    ref: str
    now: float  # seconds of the rehearsed clock
    closes_at: float
    clock: Callable[[str], float]  # a time of the API -> seconds of the rehearsed clock
    shown: Mapping[str, Any] = field(default_factory=dict)
    letters: tuple[Letter, ...] = ()
