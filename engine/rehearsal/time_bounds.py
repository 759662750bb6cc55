"""Bounds of moments, in seconds of the rehearsed clock since the declaration."""

from __future__ import annotations

import math
from dataclasses import dataclass

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """Moment not before `lo` and not after `hi`; `NEVER` where it does not come."""

    lo: float
    hi: float

    def plus(self, seconds: float, slack: float = 0.0) -> TimeBounds:
        """Move the moment by `seconds`, and widen it by `slack`."""
        return TimeBounds(self.lo + seconds, self.hi + seconds + slack)

    def until(self, hi: float) -> TimeBounds:
        """Narrow the moment to one that has come by `hi`."""
        return TimeBounds(min(self.lo, hi), hi)


NOT_EVER = TimeBounds(NEVER, NEVER)


def exact_moment(seconds: float) -> TimeBounds:
    """Bounds of a moment that is known exactly."""
    return TimeBounds(seconds, seconds)


def latest_of(*spans: TimeBounds) -> TimeBounds:
    """The moment when the last of these has come."""
    return TimeBounds(max(span.lo for span in spans), max(span.hi for span in spans))
