"""The figures of a follow-up for a page: a hundred thousand customers take longer to count than a page may take."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from domain.customers.survey import Result
from engine.house import House
from storage import customers

PATIENCE = 0.1  # seconds that a page waits; after that it shows what was counted last
FRESH = 1.0  # seconds for which a count is good at least
SHARE = 0.05  # of the time is spent on counting at most: what took long is good for longer


@dataclass(slots=True)
class _Count:
    """The last count of one incident, and the one under way."""

    result: Result | None = None
    good_until: float = 0.0
    running: Future[None] | None = None


class Counter:
    """Counts beside the pages. Threads may share one; what took long to count is shown for twenty times as long."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._counts: dict[str, _Count] = {}
        self._lock = Lock()
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="count")

    def result(self, incident_id: str) -> Result | None:
        """What it came to so far; None: not counted yet, look again."""
        with self._lock:
            known = self._counts.setdefault(incident_id, _Count())
            if known.running is None and time.monotonic() >= known.good_until:
                known.running = self._hand.submit(self._count, incident_id, known)
            running = known.running
        if running is not None:
            with suppress(NotYet):
                running.result(PATIENCE)
        return known.result

    def _count(self, incident_id: str, known: _Count) -> None:
        begun = time.monotonic()
        try:
            with self._house.database.read() as connection:
                found = customers.result(connection, incident_id)
            took = time.monotonic() - begun
            with self._lock:
                known.result, known.good_until = found, begun + took + max(FRESH, took / SHARE)
        finally:
            with self._lock:
                known.running = None
