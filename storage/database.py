"""Database access: short transactions, writers in line, one clear line when it cannot be written."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

__all__ = [
    "BUSY_MILLISECONDS",
    "MOVED_MESSAGE",
    "Connection",
    "Database",
    "StorageError",
    "check_database",
    "check_writable",
    "read_server_time",
    "to_storage_error",
]

BUSY_MILLISECONDS = 20_000  # how long a writer waits in line; a frozen holder is ended by the supervisor long before
_WRITE = "tocsin_write"
MOVED_MESSAGE = (
    "the database has moved to PostgreSQL: set TOCSIN_DATABASE_URL to where it is now, and start `tocsin up` again"
)


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_REFUSALS = (DBAPIError, PoolTimeout, sqlite3.Error)  # the last from our own BEGIN
_JSON: dict[str, Any] = {"json_serializer": _as_json, "json_deserializer": msgspec.json.decode}


class StorageError(RuntimeError):
    """The database cannot be used; the message is one line that says what would help. Nothing was changed."""


class Database:
    """A database, SQLite or PostgreSQL. Synchronous: asyncio code calls it from threads."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite(url, pool_size) if self.is_sqlite else _postgres(url, pool_size)
        # Threads of one process wait in line here, not at SQLite's lock, where nobody is served in turn.
        self._line: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: all of it or nothing. Keep it short, no IO but the database inside.

        Raises:
            StorageError: read-only, disk full, unreachable.
        """
        try:
            with self._line, self._writer() as connection, connection.begin():
                yield connection
        except _REFUSALS as error:
            raise to_storage_error(error) from error

    def _writer(self) -> Connection:
        return self.engine.connect().execution_options(**{_WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open one consistent read transaction, which blocks no writer."""
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except _REFUSALS as error:
            raise to_storage_error(error) from error

    @contextmanager
    def read_long(self) -> Iterator[Connection]:
        """Open the database for long reading: a report takes seconds and blocks nothing.

        PostgreSQL would end a session that is idle in a transaction for so long: each statement is its own there.
        """
        if self.is_sqlite:
            with self.read() as connection:
                yield connection
            return
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield connection
        except _REFUSALS as error:
            raise to_storage_error(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=pool_size, max_overflow=16,
        connect_args={"check_same_thread": False, "timeout": BUSY_MILLISECONDS / 1000}, **_JSON,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON",
            "cache_size=-32000",
        ):  # fmt: skip
            try:
                _in_line(cursor, f"PRAGMA {pragma}")
            except Exception as error:  # a read-only file refuses WAL; reading it still works
                if "readonly" not in str(error) and "read-only" not in str(error):
                    raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A write transaction takes the lock at once: upgrading a reader later fails with "database is locked".
        if connection.get_execution_options().get(_WRITE):
            _begin_immediate(connection.connection.cursor())
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_immediate(cursor: Any) -> None:
    """Take SQLite's write lock, waiting in line for it.

    SQLite's own wait sleeps up to a tenth of a second between two tries; a turn of ours holds the lock for a
    few milliseconds, so we try again after one or two, in no step with the other writers.
    """
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        _in_line(cursor, "BEGIN IMMEDIATE")
    finally:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        cursor.close()


def _in_line(cursor: Any, statement: str) -> None:
    """Execute it as soon as nobody holds the lock that it wants.

    SQLite does not wait by itself where two who read want to become the one who writes. So it is when a new file is
    opened for the first time by several: each of them turns it to WAL.
    """
    ends = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - to be out of step, not to be secret
        else:
            return


def _postgres(url: str, pool_size: int) -> Engine:
    # A process that is frozen in a transaction must not hold its locks for ever: the server ends the session.
    options = "-c idle_in_transaction_session_timeout=3000 -c lock_timeout=15000 -c timezone=UTC"
    return create_engine(
        url, pool_size=pool_size, max_overflow=16, pool_pre_ping=True,
        connect_args={"options": options, "connect_timeout": 5}, **_JSON,
    )  # fmt: skip


def to_storage_error(error: DBAPIError | PoolTimeout | sqlite3.Error) -> StorageError:
    """Turn the database's error into one line with what would help."""
    if isinstance(error, PoolTimeout):
        return StorageError(f"the database does not take more just now ({type(error).__name__}): try again")
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    low = said.lower()
    if "the database has moved" in low:
        return StorageError(MOVED_MESSAGE)
    if "readonly" in low or "read-only" in low:
        help_ = "the database is read-only: make its file and folder writable for this user"
    elif "full" in low or "no space" in low:
        help_ = "the disk is full: free some space; nothing that was recorded is lost"
    elif "locked" in low:
        help_ = "another process holds the database: see `tocsin doctor`"
    elif "unable to open" in low:
        help_ = "the database file cannot be opened: its folder must exist and be writable for this user"
    elif isinstance(error, OperationalError) and "connect" in low:
        help_ = "the database cannot be reached: check TOCSIN_DATABASE_URL and that it runs"
    else:
        help_ = "the database refused"
    return StorageError(f"{help_} ({said[:160]})")


def check_database(database: Database) -> None:
    """Raise StorageError unless the database answers."""
    with database.read() as connection:
        connection.execute(text("SELECT 1"))


def check_writable(database: Database) -> None:
    """Raise StorageError unless a write transaction can be had."""
    with database.write() as connection:
        connection.execute(text("SELECT 1"))


def read_server_time(database: Database) -> datetime:
    """Return what PostgreSQL's own clock says."""
    with database.read() as connection:
        found: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return found
