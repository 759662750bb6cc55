"""From SQLite to PostgreSQL in one step: copied in one look, verified, and the old files sealed.

Everything is one transaction on each side. While it runs, whoever writes waits in line; from its end on the old
files refuse every write and say where the truth is now. Killed at any moment, either nothing happened or all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import SQLModel

from storage import incidents, schema, timeline
from storage.database import Database, StorageError, plain
from storage.figures import SCHEMA as FIGURES
from storage.figures_tables import METADATA
from storage.schema import MAIN, SEAL
from storage.settings import Settings
from storage.tables import IncidentRow

CHUNK = 1_000  # rows
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]


class NotMoved(RuntimeError):
    """Nothing was moved; the message is one line that says why and what would help."""


@dataclass(slots=True)
class Moved:
    """What was moved.

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


def move(settings: Settings, url: str) -> Moved:
    """Move everything to the database of that URL.

    Raises:
        NotMoved: the source is no SQLite, the target is not PostgreSQL, not reachable, not empty, or the copy differs.
        StorageError: the source cannot be read or locked.
    """
    if not settings.is_sqlite:
        raise NotMoved("this installation is on PostgreSQL already: move it with pg_dump and pg_restore")
    if not url.startswith("postgresql"):
        raise NotMoved("the target must be PostgreSQL: --to postgresql://USER@HOST/NAME")
    source, target = Database(settings.database), Database(url)
    figures = Database(f"sqlite+pysqlite:///{settings.home / 'figures.db'}")
    try:
        schema.require_current(source)
        schema.upgrade(figures, FIGURES)  # it may never have been opened
        _require_empty(target)
        schema.upgrade(target)
        schema.upgrade(target, FIGURES)
        return _move(source, figures, target)
    except SQLAlchemyError as error:
        reason = str(plain(error)) if isinstance(error, DBAPIError) else type(error).__name__
        raise NotMoved(f"nothing was moved: {reason}") from None
    finally:
        for database in (source, figures, target):
            database.close()


def _move(source: Database, figures: Database, target: Database) -> Moved:
    moved = Moved()
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
    """Refuse what holds anything: rows of ours, or tables that are not ours."""
    try:
        with target.engine.connect() as connection:
            there = set(inspect(connection).get_table_names())
            ours = {**SQLModel.metadata.tables, **METADATA.tables}
            others = there - set(ours) - {MAIN.version_table, FIGURES.version_table}
            if others:
                raise NotMoved(f"the target holds other tables ({min(others)}): make a database for Tocsin alone")
            for name in sorted(there & set(ours)):
                if connection.execute(select(ours[name]).limit(1)).first() is not None:
                    raise NotMoved(f"the target is not empty (table {name}): make a new database, and move there")
    except DBAPIError as error:
        raise NotMoved(f"nothing was moved: {plain(error)}") from None


def _copy(old: Connection, new: Connection, table: Table) -> int:
    count = 0
    for rows in _chunks(old, table):
        new.execute(table.insert(), rows)
        count += len(rows)
    there = new.execute(select(func.count()).select_from(table)).scalar_one()
    if there != count:
        raise NotMoved(f"table {table.name}: {count} rows were read and {there} arrived; nothing was moved")
    return count


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    for part in connection.execute(query).mappings().partitions(CHUNK):
        yield [dict(row) for row in part]


def _set_sequence(old: Connection, new: Connection, table: Table) -> None:
    """The next number is one that was never given, also where the last rows were forgotten."""
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


def _verify(old: Connection, new: Connection, moved: Moved) -> None:
    """Every timeline fact by fact, as it stands in the new database."""
    for row in old.execute(select(INCIDENT.c.id, INCIDENT.c.ref, INCIDENT.c.status).order_by(INCIDENT.c.number)).all():
        wrong = timeline.verify(new, row.id)
        if wrong and timeline.verify(old, row.id) != wrong:
            raise NotMoved(f"the timeline of {row.ref} did not arrive as it was: {wrong}; nothing was moved")
        if wrong:
            moved.broken.append(f"{row.ref}: {wrong}")
        moved.timelines += 1
        moved.open += row.status in ("open", "mitigated")
        if incidents.count_facts(new, row.id) != incidents.count_facts(old, row.id):
            raise NotMoved(f"the timeline of {row.ref} did not arrive whole; nothing was moved")


def _seal(connection: Connection, metadata: MetaData) -> None:
    """Whoever writes to the old file from now on is refused, a process that runs and holds it open among them."""
    for table in metadata.sorted_tables:
        for deed in ("INSERT", "UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f'CREATE TRIGGER "{SEAL}{table.name}_{deed.lower()}" BEFORE {deed} ON "{table.name}" '
                "BEGIN SELECT RAISE(ABORT, 'the database has moved'); END"
            )


def unseal(settings: Settings) -> bool:
    """Let the old files be written again; False: they are not sealed. What was done since stands on PostgreSQL only.

    Raises:
        NotMoved: this installation is on PostgreSQL.
        StorageError: the files cannot be written.
    """
    if not settings.is_sqlite:
        raise NotMoved("this installation is on PostgreSQL: take TOCSIN_DATABASE_URL away first")
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


__all__ = ["Moved", "NotMoved", "StorageError", "move", "unseal"]
