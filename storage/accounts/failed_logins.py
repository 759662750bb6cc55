"""Failed logins, counted in the database and so shared by every process of an installation."""

from __future__ import annotations

from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection, delete, select, update

from storage.accounts.account_tables import LoginTryRow
from storage.conflict_insert import insert_into

TRY = LoginTryRow.__table__  # type: ignore[attr-defined]


def count_failures(connection: Connection, key: str, now: DateTime, kept: timedelta) -> tuple[int, DateTime | None]:
    """Return the number of recent failures and the last one's time.

    A failure is forgotten `kept` after the last one.
    """
    query = select(TRY.c.failures, TRY.c.last_at).where(TRY.c.key == key, TRY.c.last_at > now - kept)
    row = connection.execute(query).first()
    return (row.failures, row.last_at) if row else (0, None)


def set_failures(connection: Connection, key: str, number: int, now: DateTime) -> None:
    """Set the number of failures."""
    values = {"failures": number, "last_at": now}
    statement = insert_into(connection, TRY).values(key=key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def clear_failures(connection: Connection, key: str) -> None:
    """Clear the failures after a success."""
    connection.execute(delete(TRY).where(TRY.c.key == key))


def undo_failure(connection: Connection, key: str) -> None:
    """Take back one failure that was counted before the result was known."""
    connection.execute(update(TRY).where(TRY.c.key == key, TRY.c.failures > 0).values(failures=TRY.c.failures - 1))


def delete_old_failures(connection: Connection, before: DateTime) -> int:
    """Delete counts whose last failure is older than that."""
    return connection.execute(delete(TRY).where(TRY.c.last_at < before)).rowcount
