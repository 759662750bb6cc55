"""A warning rule as data: its metric, window, baseline and thresholds, and the playbook that it starts.

Terms are those of Prometheus and Alertmanager where they have one: `for`, `keep_firing`, labels,
inhibition, silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from domain.text import Text

TICK = timedelta(seconds=10)
EVERY_PROFILE = "every"


class Aggregate(StrEnum):
    """How the samples of a window become one value.

    A sample has a `value`, and a `count` of events it stands for.
    """

    MEAN = "mean"  # sum(value * count) / sum(count)
    SUM = "sum"  # sum(value): volumes
    COUNT = "count"  # sum(count): how many events
    MIN = "min"
    MAX = "max"
    LAST = "last"  # the newest sample
    RATE = "rate"  # sum(value) per minute of the window
    SHARE = "share"  # of the events (by count) those whose value is `at_least`; with `per`: sum(value) / sum(per)
    P50 = "p50"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"


# Their value is a number of events: few of them are the finding itself, not a want of evidence.
VOLUMES = frozenset({Aggregate.SUM, Aggregate.COUNT, Aggregate.RATE})
PERCENTILES: Mapping[Aggregate, float] = {
    Aggregate.P50: 0.50, Aggregate.P75: 0.75, Aggregate.P90: 0.90, Aggregate.P95: 0.95, Aggregate.P99: 0.99,
}  # fmt: skip


class Condition(StrEnum):
    """Which side is bad. The changes compare with the baseline: (value - baseline) / |baseline|, or in points.

    `above` and `below` are strict ("over 30 s"), changes inclusive ("up 50 %" is 50 % or more).
    """

    ABOVE = "above"
    BELOW = "below"
    CHANGE_ABOVE = "change_above"
    CHANGE_BELOW = "change_below"
    CHANGE_EITHER = "change_either"

    @property
    def compares(self) -> bool:
        """Whether the condition needs a baseline."""
        return self in (Condition.CHANGE_ABOVE, Condition.CHANGE_BELOW, Condition.CHANGE_EITHER)


class Tier(StrEnum):
    """The level of a warning, and its rank on the board."""

    YELLOW = "yellow"
    RED = "red"


_RANKS = {Tier.YELLOW: 1, Tier.RED: 2}


def tier_rank(tier: Tier | None) -> int:
    """Return the rank of a tier: 0 for none; the higher the worse."""
    return _RANKS[tier] if tier is not None else 0


@dataclass(frozen=True, slots=True)
class ThresholdLevel:
    """A level: past `threshold` it is breached; it then holds until `recover` is no longer passed.

    Both are compared the same way (`Condition`). For changes they are magnitudes of the change (0.5 = 50 %; in
    points the metric's own unit, so 0.1 = ten points of a share), also for `change_below`.
    """

    tier: Tier
    threshold: float
    recover: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline that a change is measured against.

    `previous`: the window just before, `offset` earlier (default: one window). `same-hours`: the median over
    the last `weeks` weeks of the same window of the week, local time of `zone`; `min_weeks` of them must have
    data, else there is no baseline. Holidays named in the calendar are left out, and a holiday itself has none.
    """

    kind: Literal["previous", "same-hours"] = "previous"
    offset: timedelta | None = None
    weeks: int = 4
    min_weeks: int = 2
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class RuleStart:
    """What a firing rule starts: a playbook, on a warning of its own or on an incident that it declares."""

    playbook: str
    as_: Literal["warning", "incident"] = "warning"
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A warning rule. Its series are the label sets of `metric` that match `labels`, grouped by `by`."""

    id: str
    title: Text
    metric: str
    aggregate: Aggregate
    window: timedelta
    condition: Condition
    levels: tuple[ThresholdLevel, ...]  # mildest first
    labels: Mapping[str, str] = field(default_factory=dict)  # only series with these
    by: tuple[str, ...] = ()  # labels that tell its series apart; none: all matching samples are one series
    at_least: float | None = None  # share: which values count (CSAT: 4)
    per: str | None = None  # share: the denominator's metric (complaints per contacts)
    baseline: Baseline | None = None
    points: bool = False  # change in points (value - baseline) instead of relative
    min_samples: float = 0  # events (also of the baseline) below which nothing is concluded; see judging.py
    significance: float | None = None  # binomial test at this level, for counts and shares
    for_: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)  # how long the value must be recovered before the warning ends
    no_data: Literal["keep", "warn", "resolve"] = "keep"
    no_data_after: timedelta = timedelta(minutes=5)
    consecutive_days: int = 0  # n: the daily value (calendar day of `zone`) must be bad on n days in a row
    zone: str = "UTC"
    quiet: timedelta = timedelta(0)  # after its end a new firing within this joins the old warning, without a new call
    starts: RuleStart | None = None  # None: shown on the board, nobody is called
    inhibits: tuple[str, ...] = ()  # rules that call nobody for the same service while this one fires
    profile: str = EVERY_PROFILE  # else evaluated only where that profile is selected: `standard`, `strict`
    owner: str = ""  # the role it belongs to, shown beside it; who is called is its playbook's business
    tier: int = 0  # 1, 2, 3 of the tiered warning; 0: none of them
    summary: Text = field(default_factory=lambda: Text(""))
    version: int = 1

    def in_profile(self, selected: str) -> bool:
        """Whether the rule is evaluated where `selected` is the profile."""
        return self.profile in (EVERY_PROFILE, selected)

    @property
    def daily(self) -> bool:
        """Whether the rule looks at whole calendar days."""
        return self.consecutive_days > 0


SeriesKey = tuple[tuple[str, str], ...]  # sorted (label, value) pairs of the labels in `by`
