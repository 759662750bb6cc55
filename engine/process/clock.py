"""Clock of a process: wall time that never goes back.

A wall clock that is stepped back would put off every wake-up by as much. Until it has caught up, time
goes on by the monotonic clock from where it was; a jump forward (a machine that slept) is believed at
once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pendulum
from pendulum import DateTime

log = logging.getLogger("tocsin.clock")
SLEW_SECONDS = 1.0  # smaller steps back are a clock being disciplined; they are followed


class SteadyClock:
    """Wall time in UTC; backward steps of more than a second are bridged and said once."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._anchor_wall, self._anchor = wall(), monotonic()
        self.stepped_back = 0.0  # seconds by which the wall clock is behind; 0 where it is not

    def __call__(self) -> DateTime:
        """Now."""
        with self._lock:
            wall, tick = self._wall(), self._monotonic()
            steady = self._anchor_wall + (tick - self._anchor)
            behind = steady - wall
            if behind <= SLEW_SECONDS:
                self._anchor_wall, self._anchor = wall, tick
                self.stepped_back, steady = 0.0, wall
            elif not self.stepped_back:
                log.error("the clock was stepped back by %.0f s: time goes on as before; check its source", behind)
                self.stepped_back = behind
        when = datetime.fromtimestamp(steady, UTC)
        return DateTime(
            when.year, when.month, when.day, when.hour, when.minute, when.second, when.microsecond,
            tzinfo=pendulum.UTC,
        )  # fmt: skip


now = SteadyClock()
