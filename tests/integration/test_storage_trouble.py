"""Many writers, a full disk, a file that cannot be written: one clear line, and nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from domain.commands import Note
from engine.installation import Installation
from engine.response.turn import lease_turns, take_turn
from storage.database import Database, StorageError, check_database
from storage.incidents.timeline import FACT
from storage.settings import load_settings
from tests.installations import InstallationHarness, installation_fixture, sqlite_installation_fixture  # noqa: F401

ROOT = Path(__file__).parents[2]
SECONDS = 4.0
HAMMER = """
import sys, time, uuid
import pendulum
from domain.commands import Note
from engine.response import commands
from engine.installation import Installation
from storage.database import StorageError
from storage.settings import load_settings
installation = Installation(load_settings(home=sys.argv[1], database_url=sys.argv[2])).open()
ends, count = time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < ends:
    command = Note(id=str(uuid.uuid4()), incident="INC-1", by="alice", text=f"note {count}")
    while True:
        try:
            assert commands.carry_out_command(installation, command, pendulum.now("UTC")).changed
        except StorageError as error:
            # PostgreSQL ends who stood still for three seconds in a transaction: a machine that busy is no lock.
            assert "idle-in-transaction" in str(error), error
        else:
            break
    count += 1
print(count)
"""


def test_four_processes_that_write_at_once_lose_nothing_and_hear_of_no_lock(
    installation: InstallationHarness, database_url: str
) -> None:
    """Each write reads the timeline's end, appends to it, and counts: a lost update breaks the chain."""
    ref = installation.declare()
    before = len(installation.facts(ref))
    args = [
        sys.executable,
        "-c",
        HAMMER,
        str(installation.installation.settings.home),
        installation.installation.settings.database,
        str(SECONDS),
    ]
    children = [subprocess.Popen(args, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    counts = []
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err.decode()
        counts.append(int(out))
    assert min(counts) > 0, "nobody is kept out"
    assert installation.verified(ref) is None
    assert len(installation.facts(ref)) == before + sum(counts)
    with installation.installation.database.read() as connection:
        assert connection.execute(select(func.max(FACT.c.seq))).scalar_one() == before + sum(counts)


def test_a_reader_is_not_held_up_by_a_writer(installation: InstallationHarness) -> None:
    ref = installation.declare()
    with installation.installation.database.write() as connection:
        connection.execute(select(FACT.c.seq)).all()
        begun = time.monotonic()
        assert installation.verified(ref) is None
        assert time.monotonic() - begun < 2


def _tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"no {name} on this machine")


@pytest.fixture(name="small_disk")
def small_disk_fixture(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    where = tmp_path / "disk"
    where.mkdir()
    made = subprocess.run(
        [_tool("mount"), "-t", "tmpfs", "-o", "size=3m", "none", where], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    yield where
    subprocess.run([_tool("umount"), "-l", where], check=True)


@pytest.fixture(name="on_disk")
def on_disk_fixture(small_disk: Path, sqlite_installation: InstallationHarness) -> Iterator[InstallationHarness]:
    """The installation with its database on the small disk."""
    old = sqlite_installation.installation
    old.database.close()
    shutil.copy(old.settings.home / "tocsin.db", small_disk / "tocsin.db")
    settings = load_settings(home=old.settings.home, database_url=f"sqlite:///{small_disk / 'tocsin.db'}")
    sqlite_installation.installation = Installation(settings).open()
    yield sqlite_installation
    sqlite_installation.installation.close()


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_a_full_disk_is_one_line_and_nothing_is_lost(on_disk: InstallationHarness, small_disk: Path) -> None:
    ref = on_disk.declare()
    filler = fill(small_disk)
    written, said = 0, ""
    for _ in range(200):  # what is left of the last pages may take a few more
        try:
            on_disk.do(ref, Note, "alice", text="x" * 4_000)
        except StorageError as error:
            said = str(error)
            break
        written += 1
    assert said.startswith("the disk is full: free some space; nothing that was recorded is lost (")
    assert "\n" not in said
    with pytest.raises(StorageError, match="the disk is full"):
        on_disk.declare()
    assert len(on_disk.facts(ref, "noted")) == written
    assert on_disk.verified(ref) is None
    filler.unlink()
    on_disk.do(ref, Note, "alice", text="works again")
    assert on_disk.declare() == "INC-2"
    assert on_disk.verified(ref) is None
    assert len(on_disk.facts(ref, "noted")) == written + 1


def test_with_a_full_disk_a_turn_changes_nothing_and_is_taken_when_there_is_room(
    on_disk: InstallationHarness, small_disk: Path
) -> None:
    ref = on_disk.declare()
    on_disk.wait(minutes=5)
    name = on_disk.snapshot(ref).response.id
    (lease,) = lease_turns(on_disk.installation, [name], on_disk.now)
    before = on_disk.facts(ref)
    filler = fill(small_disk)
    for _ in range(200):
        try:
            on_disk.do(ref, Note, text="x" * 4_000)
        except StorageError:
            break
    noted = on_disk.facts(ref, "noted")
    with pytest.raises(StorageError, match="the disk is full"):
        take_turn(on_disk.installation, lease, on_disk.now, driver="prefect")
    assert on_disk.facts(ref) == [*before, *noted]
    filler.unlink()
    assert take_turn(on_disk.installation, lease, on_disk.now, driver="prefect") is not None
    assert len(on_disk.facts(ref, "step-escalated")) == 1


def test_a_read_only_disk_is_one_line_and_works_again_when_it_is_writable(
    on_disk: InstallationHarness, small_disk: Path
) -> None:
    ref = on_disk.declare()
    on_disk.installation.database.close()
    subprocess.run([_tool("mount"), "-o", "remount,ro", small_disk], check=True)
    try:
        with pytest.raises(StorageError) as refused:
            on_disk.do(ref, Note, text="x")
        assert "its folder must exist and be writable for this user" in str(refused.value)
        assert "\n" not in str(refused.value)
    finally:
        subprocess.run([_tool("mount"), "-o", "remount,rw", small_disk], check=True)
    on_disk.do(ref, Note, text="works again")
    assert on_disk.verified(ref) is None


def test_a_read_only_file_is_one_line_and_can_still_be_read(sqlite_installation: InstallationHarness) -> None:
    ref = sqlite_installation.declare()
    path = sqlite_installation.installation.settings.home / "tocsin.db"
    reading = Database(f"sqlite+pysqlite:///file:{path}?mode=ro&uri=true")
    sqlite_installation.installation.database, writing = reading, sqlite_installation.installation.database
    with pytest.raises(StorageError) as refused:
        sqlite_installation.do(ref, Note, text="x")
    assert str(refused.value).startswith("the database is read-only: make its file and folder writable")
    assert "\n" not in str(refused.value)
    assert sqlite_installation.verified(ref) is None
    reading.close()
    sqlite_installation.installation.database = writing
    assert sqlite_installation.facts(ref, "noted") == []


def test_who_opens_a_new_file_while_another_turns_it_to_wal_waits_in_line(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE taken (x)")
    other.execute("BEGIN IMMEDIATE")  # as who turns it holds it
    done = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    done.start()
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    try:
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    finally:
        done.join()
        database.close()
        other.close()


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as refused:
        check_database(Database(f"sqlite+pysqlite:///{tmp_path / 'gone' / 'tocsin.db'}"))
    assert "the database file cannot be opened: its folder must exist" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.write_text("this is a letter and no database\n" * 100)
    with pytest.raises(StorageError) as refused:
        check_database(Database(f"sqlite+pysqlite:///{path}"))
    assert "not a database" in str(refused.value)
    assert "\n" not in str(refused.value)
