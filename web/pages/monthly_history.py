"""Monthly history: the figures of the last twelve months, counted at most once a minute."""

from __future__ import annotations

import threading
import time
from typing import Final

from pendulum import DateTime

from engine.installation import Installation
from storage.incidents import past_incidents
from storage.incidents.past_incidents import MonthSummary

MONTHS: Final = 12
FRESH_SECONDS: Final = 60.0


class MonthlyHistory:
    """Monthly statistics, counted at most once a minute and zone; callers meanwhile get the last result."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, MonthSummary]]] = {}
        self._counting: set[str] = set()

    def get(self, zone: str, now: DateTime) -> dict[str, MonthSummary]:
        """Statistics of the last twelve months, earliest first. Waits only for the very first count."""
        with self._lock:
            kept = self._kept.get(zone)
            fresh = kept is not None and time.monotonic() - kept[0] < FRESH_SECONDS
            if kept is not None and (fresh or zone in self._counting):
                return kept[1]
            self._counting.add(zone)
        if kept is None:
            return self._count(zone, now)
        threading.Thread(target=self._count, args=(zone, now), name="months", daemon=True).start()
        return kept[1]

    def _count(self, zone: str, now: DateTime) -> dict[str, MonthSummary]:
        try:
            first = now.in_timezone(zone).start_of("month").subtract(months=MONTHS - 1)
            with self._installation.database.read() as connection:
                found = past_incidents.summarize_months(connection, first.in_timezone("UTC"), zone)
            names = [first.add(months=place).format("YYYY-MM") for place in range(MONTHS)]
            counted = {name: found.get(name, MonthSummary()) for name in names}
            with self._lock:
                if len(self._kept) > MONTHS:
                    self._kept.clear()
                self._kept[zone] = time.monotonic(), counted
            return counted
        finally:
            with self._lock:
                self._counting.discard(zone)
