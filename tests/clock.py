"""The time of the tests: a clock of their own, which runs on from a day that is the same on every day.

A test takes its time from here, by `engine.process.clock.now`, and never from the machine. What reads the
machine's clock all the same, or whose subject is the calendar, is marked `calendar`: `make test-days` runs it on
twelve dates, and there this is the clock of that date.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pendulum
from pendulum import DateTime

from engine.process.clock import now

# A Wednesday like any other, ten in the morning in Shanghai.
BEGINS = None if "FAKETIME" in os.environ else pendulum.datetime(2026, 11, 4, 2, 0)


@contextmanager
def clock_of_its_own(begins: DateTime | None = BEGINS) -> Iterator[None]:
    """This process' clock begins at that moment and runs on, until the block ends; None leaves the machine's.

    Within another such block time goes on as it is there.
    """
    before = now._wall
    if begins is None or before is not time.time:
        yield
        return
    ahead = begins.timestamp() - time.monotonic()
    _set(lambda: ahead + time.monotonic())
    try:
        yield
    finally:
        _set(before)


def _set(wall: Callable[[], float]) -> None:
    with now._lock:  # neither back nor forward: another day
        now._wall = wall
        now._anchor_wall, now._anchor, now.stepped_back = wall(), now._monotonic(), 0.0
