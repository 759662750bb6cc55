"""Query of a customer's own SQL database, a source of samples. Nothing of it is ever changed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

_STEP = 2_000  # instructions of SQLite between two looks at the clock
_TAKE_TIMEOUTS = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # drivers with a `connect_timeout`


class ForeignQueryError(RuntimeError):
    """The other database gave no rows; the text says why, without its address."""


def query_foreign_rows(url: str, name: str, query: str, seconds: float, limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` rows that a query of another database gives within so many seconds.

    `name`: of what holds the URL, for the error's text.

    Raises:
        ForeignQueryError: the URL leads to no database, or the database gave an error.
    """
    engine = _engine(url, name, seconds)
    try:
        with engine.connect() as connection:
            _read_only(connection, seconds)
            answer = connection.execute(text(query.replace(":", r"\:")))
            return [dict(row) for row in answer.mappings().fetchmany(limit)]
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise ForeignQueryError(f"the database said: {said}") from None
    finally:
        engine.dispose()


def _engine(url: str, name: str, seconds: float) -> Engine:
    try:
        address = make_url(url)
        patience = {"connect_timeout": max(2, int(seconds))}
        has_it = address.get_driver_name() in _TAKE_TIMEOUTS
        engine = create_engine(address, poolclass=NullPool, connect_args=patience if has_it else {})
    except Exception as error:  # noqa: BLE001 - a wrong URL or a driver that is not there
        raise ForeignQueryError(f"{name} is no database's URL: {type(error).__name__}") from None
    if engine.dialect.name == "sqlite" and not Path(address.database or "").is_file():
        raise ForeignQueryError(f"the file that {name} names is not there")  # SQLite would make an empty one
    return engine


def _read_only(connection: Connection, seconds: float) -> None:
    """Nothing of the source is ever changed, and no query outlives its time-out."""
    kind = connection.dialect.name
    if kind == "sqlite":
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA query_only=ON")
        ends = time.monotonic() + seconds
        raw.set_progress_handler(lambda: time.monotonic() > ends, _STEP)
        return
    if kind == "postgresql":
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
    elif kind in ("mysql", "mariadb"):
        connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
        connection.execute(text(f"SET SESSION max_execution_time = {int(seconds * 1000)}"))
        connection.commit()  # what is set counts from the next transaction on
    # Others have no way in common: the account in the URL decides.
