"""From SQLite to PostgreSQL with incidents open, and into a backup and out of it: every deadline goes on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from domain.commands import Acknowledge, Declare, Done
from domain.durations import later
from engine.installation import Installation
from engine.response import commands
from storage import backups, postgres_migration, schema
from storage.backups import BackupError
from storage.database import Database, StorageError
from storage.incidents import timeline, turns
from storage.incidents.incidents import INCIDENT
from storage.postgres_migration import MigrationError
from storage.samples.sample_store import open_sample_store
from storage.settings import load_settings
from tests.installations import InstallationHarness, sqlite_installation_fixture  # noqa: F401 - a fixture


@contextmanager
def on(installation: InstallationHarness, url: str) -> Iterator[InstallationHarness]:
    """The same home on another database."""
    settings = load_settings(
        home=installation.installation.settings.home, database_url=url, port=installation.receiver.port
    )
    again = InstallationHarness(Installation(settings).open(), installation.receiver)
    again.now = installation.now
    try:
        yield again
    finally:
        again.close()
        again.installation.close()


def lived(installation: InstallationHarness) -> tuple[str, str]:
    """An incident acknowledged, and one that nobody answers; a third whose statement is ordered."""
    acknowledged, silent = installation.declare(), installation.declare(title="Search is slow")
    installation.turn()
    installation.deliver()
    installation.do(acknowledged, Acknowledge, "fenglei", step="s/fix")
    installation.post(title="Leak")
    installation.wait(minutes=1)
    return acknowledged, silent


def test_open_incidents_go_on_with_every_deadline(sqlite_installation: InstallationHarness, postgres_url: str) -> None:
    installation = sqlite_installation
    acknowledged, silent = lived(installation)
    moved = postgres_migration.migrate_to_postgres(
        installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    assert (moved.timelines, moved.open, moved.broken) == (3, 3, [])
    before = {ref: installation.snapshot(ref) for ref in (acknowledged, silent)}
    with on(installation, postgres_url) as there:
        for ref, snapshot in before.items():
            assert there.snapshot(ref).steps == snapshot.steps
            assert there.verified(ref) is None
            assert [row.key for row in there.rows(ref)] == [row.key for row in installation.rows(ref)]
        there.wait(minutes=4)  # five since the call: the ladder is climbed there
        there.turn()
        there.deliver()
        assert there.facts(silent, "step-escalated")
        assert there.facts(acknowledged, "step-escalated") == []
        there.do(acknowledged, Done, "fenglei", step="s/fix")
        there.wait(minutes=40)
        there.turn()
        assert there.facts(silent, "deadline-missed")
        assert there.verified(silent) is None
        # Numbers go on where they were.
        assert there.declare() == "INC-4"


def test_the_old_file_refuses_every_write_and_says_where_the_truth_is(
    sqlite_installation: InstallationHarness, postgres_url: str
) -> None:
    installation = sqlite_installation
    installation.declare()
    postgres_migration.migrate_to_postgres(
        installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    with pytest.raises(StorageError, match="has moved to PostgreSQL: set TOCSIN_DATABASE_URL"):
        installation.declare(title="Too late")
    with pytest.raises(StorageError, match="has moved"):
        Installation(load_settings(home=installation.installation.settings.home)).open()
    with pytest.raises(StorageError, match="has moved"):
        postgres_migration.migrate_to_postgres(
            installation.installation.settings, load_settings(database_url=postgres_url).database
        )
    assert postgres_migration.unseal_files(installation.installation.settings)
    assert not postgres_migration.unseal_files(installation.installation.settings)
    assert installation.declare(title="Back again") == "INC-2"


def test_numbers_of_forgotten_rows_are_not_given_again(
    sqlite_installation: InstallationHarness, postgres_url: str
) -> None:
    open_sample_store(sqlite_installation.installation.settings).close()
    insert = "INSERT INTO series (lane, metric, labels) VALUES ('', '{}', '')"
    with sqlite3.connect(sqlite_installation.installation.settings.home / "figures.db") as file:
        for name in ("one", "two", "three"):
            file.execute(insert.format(name))
        file.execute("DELETE FROM series WHERE metric <> 'one'")
    postgres_migration.migrate_to_postgres(
        sqlite_installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(insert.format("four") + " RETURNING id").fetchone() == (4,)


def test_whoever_writes_meanwhile_is_in_it_or_is_refused(
    sqlite_installation: InstallationHarness, postgres_url: str
) -> None:
    """Nothing is in neither: what was said to be declared stands in the new database."""
    installation = sqlite_installation
    for n in range(30):
        installation.declare(title=f"Early {n}")
    kept: list[str] = []
    refused: list[str] = []
    begun = threading.Event()

    def declare() -> None:
        for n in range(400):
            command = Declare(id=f"meanwhile-{n}", title=f"Meanwhile {n}", playbook="call")
            try:
                kept.append(commands.declare(installation.installation, command, installation.now).incident_id)
            except StorageError as error:
                refused.append(str(error))
                return
            finally:
                begun.set()

    writer = threading.Thread(target=declare)
    writer.start()
    begun.wait(10)
    postgres_migration.migrate_to_postgres(
        installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    writer.join()
    assert refused, "it was refused in the end"
    assert "has moved" in refused[0]
    with on(installation, postgres_url) as there, there.installation.database.read() as connection:
        there_too = set(connection.execute(select(INCIDENT.c.id)).scalars())
    assert set(kept) <= there_too
    assert len(there_too) == 30 + len(kept)


def test_figures_go_too(sqlite_installation: InstallationHarness, postgres_url: str) -> None:
    installation = sqlite_installation
    open_sample_store(installation.installation.settings).close()
    with sqlite3.connect(installation.installation.settings.home / "figures.db") as file:
        file.execute("INSERT INTO series (lane, metric, labels) VALUES ('', 'latency', '{}')")
        file.execute("INSERT INTO sample (series_id, at, value, events, stale) VALUES (1, 5, 2.5, 1, 0)")
    moved = postgres_migration.migrate_to_postgres(
        installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    assert (moved.rows["series"], moved.rows["sample"]) == (1, 1)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT value FROM sample").fetchone() == (2.5,)


def test_where_it_does_not_move_and_nothing_happens(
    sqlite_installation: InstallationHarness, postgres_url: str
) -> None:
    installation = sqlite_installation
    installation.declare()
    target = load_settings(database_url=postgres_url).database
    for url, says in (
        (f"sqlite+pysqlite:///{installation.installation.settings.home}/x.db", "must be PostgreSQL"),
        ("postgresql+psycopg://postgres@127.0.0.1:1/none", "cannot be reached"),
    ):
        with pytest.raises(MigrationError, match=says):
            postgres_migration.migrate_to_postgres(installation.installation.settings, url)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE TABLE strangers (id int)")
        with pytest.raises(MigrationError, match=r"other tables \(strangers\)"):
            postgres_migration.migrate_to_postgres(installation.installation.settings, target)
        admin.execute("DROP TABLE strangers")
    database = Database(target)
    schema.upgrade_schema(database)
    with database.write() as connection:
        turns.save_installation_fact(connection, "something", {}, installation.now)
    with pytest.raises(MigrationError, match="not empty"):
        postgres_migration.migrate_to_postgres(installation.installation.settings, target)
    database.close()
    assert installation.declare(title="As before") == "INC-2"


def test_an_altered_timeline_is_moved_as_it_is_and_said(
    sqlite_installation: InstallationHarness, postgres_url: str
) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    installation.turn()
    with sqlite3.connect(installation.installation.settings.home / "tocsin.db") as file:
        file.execute("UPDATE fact SET \"by\" = 'mallory' WHERE seq = 1")
    moved = postgres_migration.migrate_to_postgres(
        installation.installation.settings, load_settings(database_url=postgres_url).database
    )
    assert moved.broken[0].startswith(f"{ref}: fact 1")


# --- backup ------------------------------------------------------------------------------------------------------


def test_a_backup_laid_out_elsewhere_goes_on(sqlite_installation: InstallationHarness, tmp_path: Path) -> None:
    installation = sqlite_installation
    acknowledged, silent = lived(installation)
    file = tmp_path / "backup.tar.gz"
    made = backups.create_backup(installation.installation.settings, file, installation.now)
    assert {"tocsin.db", "roster.yaml", "channels.yaml", "secret.key", "playbooks/call.yaml"} <= set(made.files)
    assert not any(name.startswith(("run/", "logs/", "prefect/", "inbox")) for name in made.files)
    assert file.stat().st_mode & 0o777 == 0o600
    installation.declare(title="After the backup")
    settings = load_settings(home=tmp_path / "elsewhere", port=installation.receiver.port)
    assert backups.restore_backup(settings, file).revision == schema.HEAD_REVISION
    backups.upgrade_restored(settings)
    there = InstallationHarness(Installation(settings).open(), installation.receiver)
    there.now = later(installation.now, timedelta(minutes=4))
    there.turn()
    assert there.facts(silent, "step-escalated")
    assert there.verified(acknowledged) is None
    assert there.declare() == "INC-4"
    there.close()
    there.installation.close()


def test_what_is_no_backup_or_no_empty_home_is_refused(
    sqlite_installation: InstallationHarness, tmp_path: Path
) -> None:
    installation = sqlite_installation
    file = tmp_path / "backup.tar.gz"
    backups.create_backup(installation.installation.settings, file, installation.now)
    with pytest.raises(BackupError, match="is there already"):
        backups.create_backup(installation.installation.settings, file, installation.now)
    with pytest.raises(BackupError, match=r"has a tocsin\.db"):
        backups.restore_backup(installation.installation.settings, file)
    empty = load_settings(home=tmp_path / "empty")
    for body in (b"", b"nonsense", file.read_bytes()[:2_000]):
        broken = tmp_path / "broken.tar.gz"
        broken.write_bytes(body)
        with pytest.raises(BackupError, match="no whole backup"):
            backups.restore_backup(empty, broken)
        assert not (empty.home / "tocsin.db").exists()
    with pytest.raises(BackupError, match="pg_dump"):
        backups.create_backup(load_settings(home=tmp_path, database_url="postgresql://x@y/z"), file, installation.now)
    with pytest.raises(BackupError, match="start Tocsin once"):
        backups.create_backup(empty, tmp_path / "b.tar.gz", installation.now)


def test_a_backup_while_others_write_is_of_one_moment(sqlite_installation: InstallationHarness, tmp_path: Path) -> None:
    installation = sqlite_installation
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            installation.declare(title=f"Number {number}")
            installation.turn()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        file = tmp_path / "backup.tar.gz"
        backups.create_backup(installation.installation.settings, file, installation.now)
    finally:
        over.set()
        writer.join()
    settings = load_settings(home=tmp_path / "elsewhere")
    backups.restore_backup(settings, file)
    database = Database(settings.database)
    with database.read() as connection:
        ids = connection.execute(select(INCIDENT.c.id)).scalars().all()
        assert [timeline.verify_chain(connection, one) for one in ids] == [None] * len(ids)
    database.close()
