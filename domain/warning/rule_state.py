"""The state of a rule on one of its series; it survives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pendulum import DateTime

from domain.warning.reading import RuleReading
from domain.warning.rule import SeriesKey, Tier


class RulePhase(StrEnum):
    """The phases of a rule. `no_data` is a phase of its own only where nothing fires."""

    OK = "ok"
    PENDING = "pending"  # bad, but not yet for `for`
    FIRING = "firing"
    RECOVERING = "recovering"  # good again, but not yet for `keep_firing`: still a warning
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class RuleState:
    """A phase with the times that it needs to go on. Equal states mean that nothing happened.

    Attributes:
        tier: the level that holds while firing or recovering, or that is pending; None when ok.
        since: when this phase began.
        firing_since: when the present firing began; it stays through recovering and through a worsening.
        worse: a higher level than `tier` is breached and waits out its own `for`; since `worse_since`.
        bad_days: consecutive_days: bad calendar days in a row up to `last_day` (ISO date).
        value, baseline: the figures of the last change, for people.
        silent: firing (or recovering) on a series without data.
    """

    phase: RulePhase = RulePhase.OK
    since: DateTime | None = None
    tier: Tier | None = None
    firing_since: DateTime | None = None
    worse: Tier | None = None
    worse_since: DateTime | None = None
    bad_days: int = 0
    last_day: str = ""
    value: float | None = None
    baseline: float | None = None
    silent: bool = False

    @property
    def warns(self) -> bool:
        """Whether there is a warning now."""
        return self.phase in (RulePhase.FIRING, RulePhase.RECOVERING)


@dataclass(frozen=True, slots=True)
class RuleStateChange:
    """A change of a rule's state, with the reading that caused it."""

    rule: str
    series: SeriesKey
    before: RuleState
    after: RuleState
    reading: RuleReading
