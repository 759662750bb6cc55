"""Migration from SQLite to PostgreSQL in one step: one snapshot copied, verified, the old files sealed.

Everything is one transaction on each side. While it runs, writers wait in line; from its end on the old
files refuse every write and say where the truth is now. Killed at any moment, either nothing happened or
all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import SQLModel

from storage import schema
from storage.database import Database, StorageError, to_storage_error
from storage.incidents import incidents, timeline
from storage.incidents.tables import IncidentRow
from storage.samples.sample_store import SAMPLES_SCHEMA as FIGURES
from storage.samples.sample_tables import METADATA
from storage.schema import MAIN_SCHEMA, SEAL
from storage.settings import Settings

CHUNK = 1_000  # rows
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]


class MigrationError(RuntimeError):
    """The migration did not happen; the message is one line: why and what would help."""


@dataclass(slots=True)
class MigrationReport:
    """Report of a migration.

    Attributes:
        rows: of each table.
        timelines: how many were verified, fact by fact.
        broken: those that were altered already before the move, each a line; they were moved as they are.
        open: incidents and warnings that are being fought.
    """

    rows: dict[str, int] = field(default_factory=dict)
    timelines: int = 0
    broken: list[str] = field(default_factory=list)
    open: int = 0


def migrate_to_postgres(settings: Settings, url: str) -> MigrationReport:
    """Migrate everything to the database of that URL.

    Raises:
        NotMoved: the source is no SQLite, the target is not PostgreSQL, not reachable, not empty, or the copy
            differs.
        StorageError: the source cannot be read or locked.
    """
    if not settings.is_sqlite:
        raise MigrationError("this installation is on PostgreSQL already: move it with pg_dump and pg_restore")
    if not url.startswith("postgresql"):
        raise MigrationError("the target must be PostgreSQL: --to postgresql://USER@HOST/NAME")
    source, target = Database(settings.database), Database(url)
    figures = Database(f"sqlite+pysqlite:///{settings.home / 'figures.db'}")
    try:
        schema.require_current_schema(source)
        schema.upgrade_schema(figures, FIGURES)  # it may never have been opened
        _require_empty(target)
        schema.upgrade_schema(target)
        schema.upgrade_schema(target, FIGURES)
        return _move(source, figures, target)
    except SQLAlchemyError as error:
        reason = str(to_storage_error(error)) if isinstance(error, DBAPIError) else type(error).__name__
        raise MigrationError(f"nothing was moved: {reason}") from None
    finally:
        for database in (source, figures, target):
            database.close()


def _move(source: Database, figures: Database, target: Database) -> MigrationReport:
    moved = MigrationReport()
    with ExitStack() as stack:
        old, samples = (stack.enter_context(database.write()) for database in (source, figures))
        with target.write() as new:
            for connection, metadata in ((old, SQLModel.metadata), (samples, METADATA)):
                for table in metadata.sorted_tables:
                    moved.rows[table.name] = _copy(connection, new, table)
                    _set_sequence(connection, new, table)
            _verify(old, new, moved)
            for connection, metadata in ((old, SQLModel.metadata), (samples, METADATA)):
                _seal(connection, metadata)
        # PostgreSQL has it. Killed here, the old files are not sealed and the target is not empty: nothing is lost.
    return moved


def _require_empty(target: Database) -> None:
    """Refuse a database that holds anything: rows of ours, or tables that are not ours."""
    try:
        with target.engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
            ours = {**SQLModel.metadata.tables, **METADATA.tables}
            others = there - set(ours) - {MAIN_SCHEMA.version_table, FIGURES.version_table}
            if others:
                raise MigrationError(f"the target holds other tables ({min(others)}): make a database for Tocsin alone")
            for name in sorted(there & set(ours)):
                if connection.execute(select(ours[name]).limit(1)).first() is not None:
                    raise MigrationError(f"the target is not empty (table {name}): make a new database, and move there")
    except DBAPIError as error:
        raise MigrationError(f"nothing was moved: {to_storage_error(error)}") from None


def _copy(old: Connection, new: Connection, table: Table) -> int:
    count = 0
    for rows in _chunks(old, table):
        new.execute(table.insert(), rows)
        count += len(rows)
    there = new.execute(select(func.count()).select_from(table)).scalar_one()
    if there != count:
        raise MigrationError(f"table {table.name}: {count} rows were read and {there} arrived; nothing was moved")
    return count


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    for part in connection.execute(query).mappings().partitions(CHUNK):
        yield [dict(row) for row in part]


def _set_sequence(old: Connection, new: Connection, table: Table) -> None:
    """Set the next number to one that was never given, also where the last rows were deleted."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = new.execute(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column.name}).scalar()
    last = old.execute(select(func.max(column))).scalar() or 0
    if old.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")).first():
        given = old.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :t"), {"t": table.name}).scalar()
        last = max(last, given or 0)
    if sequence and last:
        new.execute(text("SELECT setval(CAST(:s AS regclass), :n)"), {"s": sequence, "n": last})


def _verify(old: Connection, new: Connection, moved: MigrationReport) -> None:
    """Verify every timeline fact by fact in the new database."""
    for row in old.execute(select(INCIDENT.c.id, INCIDENT.c.ref, INCIDENT.c.status).order_by(INCIDENT.c.number)).all():
        wrong = timeline.verify_chain(new, row.id)
        if wrong and timeline.verify_chain(old, row.id) != wrong:
            raise MigrationError(f"the timeline of {row.ref} did not arrive as it was: {wrong}; nothing was moved")
        if wrong:
            moved.broken.append(f"{row.ref}: {wrong}")
        moved.timelines += 1
        moved.open += row.status in ("open", "mitigated")
        if incidents.count_facts(new, row.id) != incidents.count_facts(old, row.id):
            raise MigrationError(f"the timeline of {row.ref} did not arrive whole; nothing was moved")


def _seal(connection: Connection, metadata: MetaData) -> None:
    """Seal the old file: every later writer is refused, also a running process that holds it open."""
    for table in metadata.sorted_tables:
        for deed in ("INSERT", "UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f'CREATE TRIGGER "{SEAL}{table.name}_{deed.lower()}" BEFORE {deed} ON "{table.name}" '
                "BEGIN SELECT RAISE(ABORT, 'the database has moved'); END"
            )


def unseal_files(settings: Settings) -> bool:
    """Unseal the old files; False: they are not sealed. What was done since stands on PostgreSQL only.

    Raises:
        NotMoved: this installation is on PostgreSQL.
        StorageError: the files cannot be written.
    """
    if not settings.is_sqlite:
        raise MigrationError("this installation is on PostgreSQL: take TOCSIN_DATABASE_URL away first")
    found = False
    for url in (settings.database, f"sqlite+pysqlite:///{settings.home / 'figures.db'}"):
        database = Database(url)
        try:
            with database.write() as connection:
                for name in _seals(connection):
                    connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
                    found = True
        finally:
            database.close()
    return found


def _seals(connection: Connection) -> Sequence[str]:
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE :seal")
    return connection.execute(query, {"seal": f"{SEAL}%"}).scalars().all()


__all__ = ["MigrationError", "MigrationReport", "StorageError", "migrate_to_postgres", "unseal_files"]
