"""What a fault proxy does to what passes: read from the plan of a drill, put in force until a moment, then over."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Toxics:
    """What is wrong. Seconds, shares of connections or requests, bytes a second; 0 is nothing.

    Attributes:
        latency, jitter: seconds added before an answer passes, and up to so many more, drawn.
        reset: share of connections that are cut as soon as something is asked.
        black_hole: share of connections on which nothing ever comes back.
        errors: share of HTTP requests that are answered 503 by the proxy itself.
        bandwidth: bytes a second of each answer; 0 is unlimited.
        stall: nothing passes at all, on any connection.
        until: seconds since 1970, from when on nothing is wrong, whatever anybody says.
    """

    latency: float = 0.0
    jitter: float = 0.0
    reset: float = 0.0
    black_hole: float = 0.0
    errors: float = 0.0
    bandwidth: float = 0.0
    stall: float = 0.0
    until: float = 0.0

    @classmethod
    def of(cls, told: Mapping[str, float], until: float) -> Toxics:
        """From a plan's names. KeyError-free: what a plan may hold was checked when it was read."""
        return cls(**{name: float(value) for name, value in told.items()}, until=until)

    @property
    def over(self) -> bool:
        """Whether the dead-man limit has passed."""
        return time.time() >= self.until


@dataclass
class Ward:
    """What is in force now. Each connection asks it anew for every piece that passes."""

    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - which request is harmed
    _toxics: Toxics = field(default_factory=Toxics)

    @property
    def now(self) -> Toxics:
        """The toxics in force; none once their time is over."""
        if self._toxics.over:
            self._toxics = Toxics()
        return self._toxics

    def put(self, toxics: Toxics) -> None:
        """Put in force."""
        self._toxics = toxics

    def drawn(self, share: float) -> bool:
        """Whether it is this one's turn."""
        return share > 0 and self.dice.random() < share
