"""Schema upgrades of the databases, each applied once, however many processes start together."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from storage.database import MOVED_MESSAGE, Database, StorageError, to_storage_error

HEAD_REVISION = "0010"  # the newest revision in migrations/versions; a test keeps it true
SEAL = "tocsin_moved_"  # how the triggers of a file begin whose content has moved to PostgreSQL
_LOCK = 0x70C51  # PostgreSQL's advisory lock of this program


@dataclass(frozen=True, slots=True)
class DatabaseSchema:
    """A set of tables with its own history: its migrations, their newest, and the table with the present one."""

    scripts: str  # folder beside this file
    head: str
    version_table: str


MAIN_SCHEMA = DatabaseSchema("migrations", HEAD_REVISION, "alembic_version")


def upgrade_schema(database: Database, schema: DatabaseSchema = MAIN_SCHEMA) -> None:
    """Apply the missing migrations, under a lock.

    Raises:
        StorageError: the database is newer than the program, or cannot be written.
    """
    from alembic import command  # noqa: PLC0415 - a fifth of a second that only the first start pays
    from alembic.config import Config  # noqa: PLC0415

    require_not_moved(database)
    with _alone(database):
        found = read_revision(database, schema)
        if found == schema.head:
            return
        _known(found, schema)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / schema.scripts))
        try:
            with database.engine.connect() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except DBAPIError as error:
            raise to_storage_error(error) from error


def require_not_moved(database: Database) -> None:
    """Raise StorageError if the database has moved from this file."""
    name = database.engine.url.database
    if not database.is_sqlite or not name or not Path(name).exists():
        return
    try:
        with database.engine.connect() as connection:
            query = text("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name LIKE :seal LIMIT 1")
            sealed = connection.execute(query, {"seal": f"{SEAL}%"}).first()
    except DBAPIError as error:
        raise to_storage_error(error) from error
    if sealed:
        raise StorageError(MOVED_MESSAGE)


def require_current_schema(database: Database, schema: DatabaseSchema = MAIN_SCHEMA) -> None:
    """Raise StorageError unless the database has exactly this program's schema."""
    require_not_moved(database)
    found = read_revision(database, schema)
    if found == schema.head:
        return
    if found is None:
        raise StorageError("the database is empty: start Tocsin once with `tocsin up`")
    _known(found, schema)
    raise StorageError(f"the database is at revision {found}, this program needs {schema.head}: start `tocsin up` once")


def read_revision(database: Database, schema: DatabaseSchema = MAIN_SCHEMA) -> str | None:
    """Return the revision of the database; None for an empty one."""
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table(schema.version_table):
                return None
            query = text(f"SELECT version_num FROM {schema.version_table}")  # noqa: S608 - a name of our own
            found: str | None = connection.execute(query).scalar()
            return found
    except DBAPIError as error:
        raise to_storage_error(error) from error


def _known(found: str | None, schema: DatabaseSchema) -> None:
    if found is not None and found > schema.head:
        raise StorageError(
            f"the database is at revision {found}, newer than this program knows ({schema.head}): "
            "start the newer Tocsin that made it, or restore a backup"
        )


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Let only one process in at a time. SQLite: a lock file beside the database; PostgreSQL: an advisory lock."""
    if database.is_sqlite:
        name = database.engine.url.database
        if not name or name == ":memory:":
            yield
            return
        try:
            with Path(f"{name}.migrate.lock").open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StorageError(f"the folder of the database cannot be written: {error.strerror}") from error
        return
    try:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
    except DBAPIError as error:
        raise to_storage_error(error) from error
