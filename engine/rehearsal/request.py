"""Request and result of a rehearsal: plain values between its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from domain.playbook import CLOCKS, Playbook
from domain.roster import Roster
from engine.rehearsal.affected_customers import CustomerFile
from engine.rehearsal.expectation import RehearsalExpectation
from engine.rehearsal.personas import PersonaSet
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.step_schedule import to_seconds
from engine.rehearsal.verdict import RehearsalVerdict

FOUR_HOURS = 4 * 3600.0
CLOSING_SECONDS = 1_200.0  # seconds that a rehearsal goes on after the last deadline, so that a missed one is seen
TOLERANCE_SECONDS = 3.0  # real seconds
LEAST_SECONDS = 60.0  # real ones that the 72 hours after the close take at least
SECONDS_EACH = 0.08  # and for each customer
USUAL_OBJECTIVE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ImportedCustomers:
    """Answer of the import: how many customers were taken, and the lines that were bad."""

    taken: int
    bad: frozenset[int]  # lines


@dataclass(frozen=True, slots=True)
class RehearsalCustomers:
    """Customers of a rehearsal: their file as it is read here, and the import as a user would run it."""

    file: CustomerFile
    name: str
    bring: Callable[[str], ImportedCustomers]  # the incident's reference -> what the import answered


@dataclass(frozen=True, slots=True)
class RehearsalRequest:
    """Rehearsal as it is asked for."""

    playbook: Playbook
    speed: float = 240.0
    auto: bool = True
    seed: int = 1
    until: timedelta | None = None  # of the rehearsed clock; None: the first four hours of the playbook at most
    tolerance: float = TOLERANCE_SECONDS  # real seconds by which a message may be later than due
    customers: RehearsalCustomers | None = None  # whom the incident affects; followed up after its close
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
        """When service counts as restored; None where nothing of the playbook waits for it."""
        if not any(stage.clock == "mitigated" and not stage.on_demand for stage in self.playbook.stages):
            return None
        return to_seconds(self.playbook.objective or USUAL_OBJECTIVE)

    @property
    def closes_at(self) -> float:
        """When the rehearsal is over, in seconds of its clock; the closing stage follows."""
        if self.until is not None:
            return to_seconds(self.until)
        ends = [0.0]
        for stage in self.playbook.stages:
            if stage.on_demand or stage.repeat or stage.clock == "closed":
                continue
            begins = (self.mitigates_at or 0.0) if stage.clock == "mitigated" else 0.0
            ends.append(begins + to_seconds(stage.ends))
        return min(max(ends), FOUR_HOURS) + CLOSING_SECONDS

    @property
    def slack(self) -> float:
        """The tolerance on the rehearsed clock, in seconds."""
        return self.tolerance * self.speed

    @property
    def prompt(self) -> float:
        """Seconds of the rehearsed clock by which a decision may be later than due."""
        return self.slack / 2


@dataclass(frozen=True, slots=True)
class FollowUpResult:
    """Result of the follow-up: figures, and each customer missing or too much, by line."""

    figures: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """Result of a rehearsal."""

    order: RehearsalRequest
    roster: Roster
    cast: PersonaSet | None
    shown: Mapping[str, Any]  # the incident as its API shows it, at the end
    expectation: RehearsalExpectation
    verdict: RehearsalVerdict
    letters: tuple[ReceivedMessage, ...]
    lasted: float  # real seconds
    followed: FollowUpResult | None = None
    report: str = ""


@dataclass(frozen=True, slots=True)
class RehearsalProgress:
    """Progress of a rehearsal, for its observer."""

    order: RehearsalRequest
    roster: Roster
    cast: PersonaSet | None
    ref: str
    now: float  # seconds of the rehearsed clock
    closes_at: float
    clock: Callable[[str], float]  # a time of the API -> seconds of the rehearsed clock
    shown: Mapping[str, Any] = field(default_factory=dict)
    letters: tuple[ReceivedMessage, ...] = ()
