"""Background counts of a follow-up: 100,000 customers take longer to count than a page may take."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from domain.customers.survey import SurveyResult
from engine.installation import Installation
from storage.customers import affected_customers

WAIT_SECONDS = 0.1  # seconds that a page waits; after that it shows what was counted last
MIN_FRESH_SECONDS = 1.0  # seconds for which a count is good at least
MAX_TIME_SHARE = 0.05  # of the time is spent on counting at most: what took long is good for longer


@dataclass(slots=True)
class _Count:
    """The last count of one incident, and the one under way."""

    result: SurveyResult | None = None
    good_until: float = 0.0
    running: Future[None] | None = None


class SurveyResultCounter:
    """Counter beside the pages; a slow count is shown for twenty times as long as it took. For many threads."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._counts: dict[str, _Count] = {}
        self._lock = Lock()
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="count")

    def get_result(self, incident_id: str) -> SurveyResult | None:
        """Return the result so far; None: not counted yet, ask again."""
        with self._lock:
            known = self._counts.setdefault(incident_id, _Count())
            if known.running is None and time.monotonic() >= known.good_until:
                known.running = self._hand.submit(self._count, incident_id, known)
            running = known.running
        if running is not None:
            with suppress(NotYet):
                running.result(WAIT_SECONDS)
        return known.result

    def _count(self, incident_id: str, known: _Count) -> None:
        begun = time.monotonic()
        try:
            with self._installation.database.read() as connection:
                found = affected_customers.compute_result(connection, incident_id)
            took = time.monotonic() - begun
            with self._lock:
                known.result, known.good_until = found, begun + took + max(MIN_FRESH_SECONDS, took / MAX_TIME_SHARE)
        finally:
            with self._lock:
                known.running = None
