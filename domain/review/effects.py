"""Effect of an incident on a figure: better, worse or the same after it, by a bootstrap interval.

Or unknown.

The rule: day values before are held against day values after. The difference of their medians gets a 95 %
percentile bootstrap interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). An
interval wholly on one side of zero is a verdict, better or worse. One that holds zero says `same` only if
it lies within a tenth of the median before (an equivalence margin of ours); otherwise the figures cannot
tell. Fewer than five days on a side never tell. Before are four whole weeks, so that each weekday weighs
alike; resampling is seeded, so the same figures always give the same verdict.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from domain.trend import Trend

LEAST_DAYS: Final = 5
RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95
MARGIN: Final = 0.10
_SEED: Final = 20_260_101


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """A figure before and after. Medians are of day values.

    `low` and `high` bound the difference after less before.
    """

    verdict: Trend
    days_before: int
    days_after: int
    before: float | None = None
    after: float | None = None
    low: float | None = None
    high: float | None = None


def measure_effect(before: Sequence[float], after: Sequence[float], better: Literal["up", "down"]) -> MeasuredEffect:
    """Judge one figure by its values day by day."""
    known = (median(before) if before else None, median(after) if after else None)
    if len(before) < LEAST_DAYS or len(after) < LEAST_DAYS:
        return MeasuredEffect(Trend.UNKNOWN, len(before), len(after), *known)
    low, high = bootstrap_interval(before, after)
    return MeasuredEffect(_verdict(low, high, abs(known[0] or 0.0), better), len(before), len(after), *known, low, high)


def bootstrap_interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of the difference of medians, after less before."""
    chance = random.Random(_SEED)  # noqa: S311 - resampling, not secrets
    found = sorted(
        median(chance.choices(after, k=len(after))) - median(chance.choices(before, k=len(before)))
        for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    return found[int(tail * RESAMPLES)], found[int((1 - tail) * RESAMPLES) - 1]


def _verdict(low: float, high: float, level: float, better: Literal["up", "down"]) -> Trend:
    if low > 0:
        return Trend.BETTER if better == "up" else Trend.WORSE
    if high < 0:
        return Trend.WORSE if better == "up" else Trend.BETTER
    within = max(abs(low), abs(high)) <= MARGIN * level
    return Trend.SAME if within else Trend.UNKNOWN
