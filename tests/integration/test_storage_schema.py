"""The schema: what ships is what the tables say, applied once however many start together, never downwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from storage import schema
from storage.database import Database, StorageError
from storage.incidents import tables

ROOT = Path(__file__).parents[2]
UPGRADE = """
import sys
from storage.database import Database
from storage.schema import require_current_schema, upgrade_schema
database = Database(sys.argv[1])
upgrade_schema(database)
require_current_schema(database)
"""


@pytest.fixture(name="database")
def database_fixture(empty_database_url: str) -> Iterator[Database]:
    """An empty database."""
    opened = Database(_with_driver(empty_database_url))
    yield opened
    opened.close()


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_current_head() == schema.HEAD_REVISION
    assert all(len(script.revision) == len(schema.HEAD_REVISION) for script in scripts.walk_revisions()), (
        "compared as text"
    )


def test_the_migrations_make_exactly_the_tables_of_the_program(database: Database) -> None:
    schema.upgrade_schema(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []
        assert set(inspect(connection).get_table_names()) == {"alembic_version", *SQLModel.metadata.tables}
    assert tables.IncidentRow.__tablename__ in SQLModel.metadata.tables


def test_an_empty_database_says_how_to_begin(database: Database) -> None:
    with pytest.raises(StorageError, match="the database is empty: start Tocsin once with `tocsin up`"):
        schema.require_current_schema(database)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    schema.upgrade_schema(database)
    schema.upgrade_schema(database)
    schema.require_current_schema(database)
    assert schema.read_revision(database) == schema.HEAD_REVISION


@pytest.mark.parametrize("call", [schema.upgrade_schema, schema.require_current_schema])
def test_a_newer_database_is_refused_and_left_as_it_is(database: Database, call: object) -> None:
    schema.upgrade_schema(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError) as refused:
        call(database)  # type: ignore[operator]
    said = str(refused.value)
    assert "revision 9999, newer than this program knows" in said
    assert "start the newer Tocsin" in said
    assert "\n" not in said
    assert schema.read_revision(database) == "9999"


def test_an_older_database_asks_for_one_start(database: Database) -> None:
    schema.upgrade_schema(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(StorageError, match="start `tocsin up` once"):
        schema.require_current_schema(database)


def test_four_processes_that_start_together_upgrade_once(database: Database, empty_database_url: str) -> None:
    command = [sys.executable, "-c", UPGRADE, _with_driver(empty_database_url)]
    children = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    said = [child.communicate(timeout=60)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0] * 4, said
    schema.require_current_schema(database)


def test_a_database_that_is_not_there_is_one_line() -> None:
    database = Database("postgresql+psycopg://postgres:secret-word@127.0.0.1:1/none")
    for use in (schema.upgrade_schema, schema.read_revision):
        with pytest.raises(StorageError) as refused:
            use(database)
        assert "the database cannot be reached: check TOCSIN_DATABASE_URL" in str(refused.value)
        assert "secret-word" not in str(refused.value)
        assert "\n" not in str(refused.value)
