"""Backup of one home in one file: its databases as of one moment each, its configuration, its signing key."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pendulum import DateTime

from storage import schema
from storage.database import Database, StorageError
from storage.settings import Settings

DATABASES = ("tocsin.db", "figures.db")
# Of the processes, or made again by themselves. Everything else of the home is kept, whatever it is.
EXCLUDED = frozenset({"run", "logs", "prefect", "inbox.db"})
_MANIFEST = "tocsin-backup.json"


class BackupError(RuntimeError):
    """No backup was made, or nothing was restored; the message is one line: why and what would help."""


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """The content of a backup."""

    files: tuple[str, ...]
    made_at: str
    revision: str


def create_backup(settings: Settings, file: Path, now: DateTime) -> BackupManifest:
    """Write the backup, readable by this user only; processes may go on meanwhile.

    Raises:
        NotDone: the database is PostgreSQL, the file is there already, or cannot be written.
    """
    if not settings.is_sqlite:
        raise BackupError(
            "the database is PostgreSQL: use `pg_dump --format=custom --file=FILE`, and copy the home folder beside it"
        )
    main = settings.home / "tocsin.db"
    if not main.exists():
        raise BackupError(f"there is no {main}: start Tocsin once with `tocsin up`, or set TOCSIN_HOME")
    try:
        with tempfile.TemporaryDirectory(dir=settings.home, prefix=".backup-") as folder:
            copies = {name: _copied(settings.home / name, Path(folder) / name) for name in DATABASES}
            found = _revision(copies["tocsin.db"] or main)
            names = [name for name, copy in copies.items() if copy]
            plain = [path for path in _plain(settings.home) if path.resolve() != file.resolve()]
            manifest = {"made_at": now.isoformat(), "revision": found}
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as tar:
                _add(tar, _MANIFEST, json.dumps(manifest).encode(), now)
                for name in names:
                    tar.add(Path(folder) / name, arcname=name)
                for path in plain:
                    tar.add(path, arcname=str(path.relative_to(settings.home)))
    except FileExistsError:
        raise BackupError(f"{file} is there already: give a new name") from None
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"the backup cannot be written: {getattr(error, 'strerror', None) or error}") from None
    return BackupManifest((*names, *(str(path.relative_to(settings.home)) for path in plain)), now.isoformat(), found)


def _copied(source: Path, target: Path) -> Path | None:
    """Copy a database that is being written, by SQLite's own backup."""
    if not source.exists():
        return None
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new, pages=2_000, sleep=0.01)
    return target


def _revision(file: Path) -> str:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        row = connection.execute(f"SELECT version_num FROM {schema.MAIN_SCHEMA.version_table}").fetchone()  # noqa: S608
        return str(row[0])


def _plain(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        top = path.relative_to(home).parts[0]
        ours = top not in EXCLUDED and not top.startswith((".", *DATABASES))
        if ours and path.is_file() and not path.is_symlink():
            yield path


def _add(tar: tarfile.TarFile, name: str, body: bytes, now: DateTime) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(body), 0o600, int(now.timestamp())
    tar.addfile(info, io.BytesIO(body))


def restore_backup(settings: Settings, file: Path) -> BackupManifest:
    """Restore a backup into a home that has no database.

    Raises:
        NotDone: the home is in use, the file is no backup of ours, is damaged, or of a newer program.
    """
    if not settings.is_sqlite:
        raise BackupError(
            "TOCSIN_DATABASE_URL is set: restore PostgreSQL with pg_restore; a backup of SQLite needs none"
        )
    there = [name for name in DATABASES if (settings.home / name).exists()]
    if there:
        raise BackupError(
            f"{settings.home} has a {there[0]}: restore into an empty home (TOCSIN_HOME), or move it away"
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restore-") as folder:
            with tarfile.open(file, "r:gz") as tar:
                tar.extractall(folder, filter="data")
            manifest = json.loads((Path(folder) / _MANIFEST).read_text(encoding="utf-8"))
            (Path(folder) / _MANIFEST).unlink()
            _check(Path(folder) / "tocsin.db", str(manifest["revision"]))
            names = _lay_out(Path(folder), settings.home)
    except (tarfile.TarError, EOFError, KeyError, ValueError, FileNotFoundError) as error:
        raise BackupError(f"{file.name} is no whole backup of Tocsin ({type(error).__name__})") from None
    except OSError as error:
        raise BackupError(f"{file.name} cannot be restored: {error.strerror or error}") from None
    return BackupManifest(tuple(names), str(manifest["made_at"]), str(manifest["revision"]))


def _check(database: Path, revision: str) -> None:
    if revision > schema.HEAD_REVISION:
        raise BackupError(
            f"the backup is of revision {revision}, newer than this program knows: start the newer Tocsin"
        )
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"the database in the backup is damaged: {error}") from None
    if said != "ok":
        raise BackupError(f"the database in the backup is damaged: {said}")


def _lay_out(folder: Path, home: Path) -> list[str]:
    """Write the backup's files; other files of the home stay as they are; the databases come last."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    paths.sort(key=lambda path: path.name in DATABASES)
    names = []
    for path in paths:
        name = path.relative_to(folder)
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        path.replace(home / name)
        names.append(str(name))
    return names


def upgrade_restored(settings: Settings) -> None:
    """Upgrade a restored database to this program's schema.

    Raises:
        StorageError: it cannot be.
    """
    database = Database(settings.database)
    try:
        schema.upgrade_schema(database)
    finally:
        database.close()


__all__ = ["BackupError", "BackupManifest", "StorageError", "create_backup", "restore_backup", "upgrade_restored"]
