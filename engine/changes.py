"""Noticing that there is something to look for: somebody wrote, or a time has come.

SQLite says for the price of a page read whether another connection has written; elsewhere every look is a query.
"""

from __future__ import annotations

from pendulum import DateTime

from engine.house import House

LOOK_SECONDS = 0.02  # between two looks at the version: what a change waits at most


class Changes:
    """Whether a look at the database could find anything new. For one thread."""

    def __init__(self, house: House) -> None:
        self._connection = house.database.engine.raw_connection() if house.database.is_sqlite else None
        self._seen = self._found = -1
        self._next: DateTime | None = None
        self._looked: DateTime | None = None

    def worth_a_look(self, now: DateTime) -> bool:
        """True after a write of anyone else, when the time given to `rest` has come, and always on PostgreSQL.

        True again until `rest` is called: a look that failed is repeated. A clock that stepped back is worth one too.
        """
        version, looked = self._version(), self._looked
        self._looked = now
        if version is None or version != self._seen or (looked is not None and now < looked):
            self._found, self._seen = -1 if version is None else version, -1
            return True
        return self._next is not None and now >= self._next

    def rest(self, until: DateTime | None) -> None:
        """The look is done, and nothing more will become due before `until` by itself (None: ever)."""
        self._seen, self._next = self._found, until

    def _version(self) -> int | None:
        """`PRAGMA data_version` changes when another connection commits; it takes no lock."""
        if self._connection is None:
            return None
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()
