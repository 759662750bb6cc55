"""Moments that are known only within bounds, in seconds of the rehearsed clock since the declaration."""

from __future__ import annotations

import math
from dataclasses import dataclass

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Span:
    """A moment not before `lo` and not after `hi`; `NEVER` where it does not come."""

    lo: float
    hi: float

    def plus(self, seconds: float, slack: float = 0.0) -> Span:
        """Later by `seconds`, and known less well by `slack`."""
        return Span(self.lo + seconds, self.hi + seconds + slack)

    def until(self, hi: float) -> Span:
        """Known to have come by `hi`."""
        return Span(min(self.lo, hi), hi)


NOT_EVER = Span(NEVER, NEVER)


def at(seconds: float) -> Span:
    """A moment that is known exactly."""
    return Span(seconds, seconds)


def latest(*spans: Span) -> Span:
    """When the last of these has come."""
    return Span(max(span.lo for span in spans), max(span.hi for span in spans))
