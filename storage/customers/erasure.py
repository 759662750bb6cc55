"""Erasure from the database files: a deleted row leaves its bytes until they are overwritten."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.database import Database

log = logging.getLogger("tocsin.customers")
LOCK_WAIT_MS = 2_000  # milliseconds to wait for readers; the same on either database


def purge_erased(database: Database) -> None:
    """Purge deleted contacts from the files: SQLite empties its log, PostgreSQL rewrites the contact table."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.is_sqlite:
            _empty_the_log(connection)
        else:
            _write_anew(connection)


def _empty_the_log(connection: Connection) -> None:
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
    try:
        busy, *_pages = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")
    if busy:
        log.warning("contacts are erased; the database's log could not be emptied, because somebody reads for long")


def _write_anew(connection: Connection) -> None:
    """Written anew it holds no byte of what is gone; not at the price of senders that queue behind a long read."""
    connection.exec_driver_sql(f"SET lock_timeout = {LOCK_WAIT_MS}")
    try:
        connection.exec_driver_sql("VACUUM FULL customer_contact")
    except DBAPIError:
        log.warning("contacts are erased; their table could not be written anew, because somebody reads for long")
        connection.exec_driver_sql("VACUUM customer_contact")
    finally:
        connection.exec_driver_sql("RESET lock_timeout")
    connection.exec_driver_sql("VACUUM customer")
