"""What was erased goes from the files too: a row that is gone leaves its bytes until somebody overwrites them."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from engine.customers.desk import CustomerDesk

log = logging.getLogger("tocsin.customers")
PATIENCE = 2_000  # milliseconds to wait for readers; the same on either database


def scrub(desk: CustomerDesk) -> None:
    """SQLite's log is written back and emptied; PostgreSQL writes the table of contacts anew, without dead rows."""
    engine = desk.house.database.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if desk.house.database.is_sqlite:
            _empty_the_log(connection)
        else:
            _write_anew(connection)


def _empty_the_log(connection: Connection) -> None:
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE}")
    try:
        busy, *_pages = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")
    if busy:
        log.warning("contacts are erased; the database's log could not be emptied, because somebody reads for long")


def _write_anew(connection: Connection) -> None:
    """Written anew it holds no byte of what is gone; not at the price of senders that queue behind a long read."""
    connection.exec_driver_sql(f"SET lock_timeout = {PATIENCE}")
    try:
        connection.exec_driver_sql("VACUUM FULL customer_contact")
    except DBAPIError:
        log.warning("contacts are erased; their table could not be written anew, because somebody reads for long")
        connection.exec_driver_sql("VACUUM customer_contact")
    finally:
        connection.exec_driver_sql("RESET lock_timeout")
    connection.exec_driver_sql("VACUUM customer")
