"""Version of the database: tells cheaply whether it was written to."""

from __future__ import annotations

from sqlalchemy import text

from storage.database import Database


class DatabaseVersion:
    """Version of the database: a value that differs after every commit. For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = database.engine.raw_connection() if database.is_sqlite else None

    def read(self) -> object:
        """Return the version, to be compared with the one before.

        SQLite: `PRAGMA data_version`, no lock. Else a query of one row.
        """
        if self._connection is None:
            with self._database.read() as connection:
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
