"""Noticing that somebody wrote: SQLite says so for the price of a look; elsewhere the poll has to do."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import text

from engine.house import House

LOOK_SECONDS = 0.02


class Changes:
    """Waits for a change of the database by another process."""

    def __init__(self, house: House) -> None:
        self._connection = house.database.engine.raw_connection() if house.database.is_sqlite else None
        self._seen = self._version()

    async def wait(self, seconds: float) -> None:
        """Return when another process has written, or after `seconds`."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await asyncio.sleep(min(LOOK_SECONDS, seconds))
            version = self._version()
            if version != self._seen:
                self._seen = version
                return

    def wait_here(self, seconds: float) -> None:
        """The same for a thread."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(min(LOOK_SECONDS, seconds))
            version = self._version()
            if version != self._seen:
                self._seen = version
                return

    def _version(self) -> int:
        """`PRAGMA data_version` changes when another connection commits; it reads one page and takes no lock."""
        if self._connection is None:
            return 0
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute(str(text("PRAGMA data_version"))).fetchone()[0])
        finally:
            cursor.close()
