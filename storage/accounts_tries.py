"""Failed tries to log in, counted in the database, so that every process of an installation knows of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.account_tables import LoginTryRow

TRY = LoginTryRow.__table__  # type: ignore[attr-defined]


def failures(connection: Connection, key: str, now: DateTime, kept: timedelta) -> tuple[int, DateTime | None]:
    """How often it failed of late, and when last. A failure is forgotten `kept` after the last one."""
    query = select(TRY.c.failures, TRY.c.last_at).where(TRY.c.key == key, TRY.c.last_at > now - kept)
    row = connection.execute(query).first()
    return (row.failures, row.last_at) if row else (0, None)


def count(connection: Connection, key: str, number: int, now: DateTime) -> None:
    """Now it has failed so often."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"failures": number, "last_at": now}
    statement = dialect.insert(TRY).values(key=key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def forgive(connection: Connection, key: str) -> None:
    """It succeeded: what failed before no longer counts."""
    connection.execute(delete(TRY).where(TRY.c.key == key))


def take_back(connection: Connection, key: str) -> None:
    """One that was counted before it was known was none."""
    connection.execute(update(TRY).where(TRY.c.key == key, TRY.c.failures > 0).values(failures=TRY.c.failures - 1))


def tidy(connection: Connection, before: DateTime) -> int:
    """Forget those whose last failure is older than that."""
    return connection.execute(delete(TRY).where(TRY.c.last_at < before)).rowcount
