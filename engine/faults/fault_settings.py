"""Fault settings of the proxy: read from the plan of a drill, in force until a moment, then over."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """Settings of a fault: seconds, shares of connections or requests, bytes a second; 0 is nothing.

    Attributes:
        latency, jitter: seconds added before an answer passes, and up to so many more, drawn.
        reset: share of connections that are cut as soon as something is asked.
        black_hole: share of connections on which nothing ever comes back.
        errors: share of HTTP requests that are answered 503 by the proxy itself.
        bandwidth: bytes a second of each answer; 0 is unlimited.
        stall: nothing passes at all, on any connection.
        until: seconds since 1970, from when on no fault is in force, whatever was asked for.
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
    def from_plan(cls, told: Mapping[str, float], until: float) -> FaultSettings:
        """Make settings from a plan's names; unknown names cannot occur, the plan was checked when it was read."""
        return cls(**{name: float(value) for name, value in told.items()}, until=until)

    @property
    def expired(self) -> bool:
        """Whether the dead-man limit has passed."""
        return time.time() >= self.until


@dataclass
class ActiveFaults:
    """Faults in force now. Each connection asks it anew for every piece that passes."""

    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - which request is harmed
    _toxics: FaultSettings = field(default_factory=FaultSettings)

    @property
    def current(self) -> FaultSettings:
        """The settings in force; none once their time is over."""
        if self._toxics.expired:
            self._toxics = FaultSettings()
        return self._toxics

    def apply(self, toxics: FaultSettings) -> None:
        """Put these settings in force."""
        self._toxics = toxics

    def draw(self, share: float) -> bool:
        """Draw whether a share applies to this connection or request."""
        return share > 0 and self.dice.random() < share
