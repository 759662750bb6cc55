"""Change detection: tells cheaply whether the database was written to, or a known due time has come.

SQLite says for the price of a page read whether another connection has written; elsewhere every check is
some queries, and several machines that checked as often would leave their database no time for anything
else.
"""

from __future__ import annotations

import time

from pendulum import DateTime

from engine.installation import Installation
from storage.database_version import DatabaseVersion

POLL_SECONDS = 0.02  # between two looks at the version: what a change waits at most
QUERY_SECONDS = 0.1  # the same where every look is some queries


class ChangeDetector:
    """Detector of changes: whether querying the database could find anything new. For one thread."""

    def __init__(self, installation: Installation) -> None:
        self._last = -QUERY_SECONDS  # look of this thread, by the monotonic clock
        self._version = DatabaseVersion(installation.database) if installation.database.is_sqlite else None
        self._seen: object = -1
        self._found: object = -1
        self._next: DateTime | None = None
        self._looked: DateTime | None = None

    def should_query(self, now: DateTime) -> bool:
        """Return True after a write of another connection, or when the time given to `set_next_due` has come.

        On PostgreSQL True ten times a second. True again until `set_next_due` is called: a query that failed is
        repeated. Also True when the clock stepped back.
        """
        if self._version is None:
            tick = time.monotonic()
            if tick - self._last < QUERY_SECONDS:
                return False
            self._last = tick
        version, looked = self._version.read() if self._version else None, self._looked
        self._looked = now
        if version is None or version != self._seen or (looked is not None and now < looked):
            self._found, self._seen = -1 if version is None else version, -1
            return True
        return self._next is not None and now >= self._next

    def set_next_due(self, until: DateTime | None) -> None:
        """Note that the query is done and nothing more becomes due before `until` by itself (None: ever)."""
        self._seen, self._next = self._found, until
