"""Noticing that there is something to look for: somebody wrote, or a time has come.

SQLite says for the price of a page read whether another connection has written; elsewhere every look is some queries,
and several machines that looked as often as that would leave their database no time for anything else.
"""

from __future__ import annotations

import time

from pendulum import DateTime
from sqlalchemy import text

from engine.house import House

LOOK_SECONDS = 0.02  # between two looks at the version: what a change waits at most
QUERY_SECONDS = 0.1  # the same where every look is some queries


class Version:
    """Something that differs after every commit of anyone, for the price of a glance. For one thread."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._connection = house.database.engine.raw_connection() if house.database.is_sqlite else None

    def read(self) -> object:
        """Compare it with the one before. SQLite: `PRAGMA data_version`, no lock. Else a query of one row."""
        if self._connection is None:
            with self._house.database.read() as connection:
                return connection.execute(text("SELECT pg_current_snapshot()::text")).scalar_one()
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()


class Changes:
    """Whether a look at the database could find anything new. For one thread."""

    def __init__(self, house: House) -> None:
        self._last = -QUERY_SECONDS  # look of this thread, by the monotonic clock
        self._version = Version(house) if house.database.is_sqlite else None
        self._seen: object = -1
        self._found: object = -1
        self._next: DateTime | None = None
        self._looked: DateTime | None = None

    def worth_a_look(self, now: DateTime) -> bool:
        """True after a write of anyone else, when the time given to `rest` has come; on PostgreSQL ten times a second.

        True again until `rest` is called: a look that failed is repeated. A clock that stepped back is worth one too.
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

    def rest(self, until: DateTime | None) -> None:
        """The look is done, and nothing more will become due before `until` by itself (None: ever)."""
        self._seen, self._next = self._found, until
