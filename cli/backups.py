"""`tocsin move | backup | restore`: move an installation to PostgreSQL, back it up, restore it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.common import AsJson, CommandError, _, say, show_json, warn

if TYPE_CHECKING:
    from storage.backups import BackupManifest
    from storage.settings import Settings


def move(
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="postgresql://USER@HOST/NAME, an empty database.")
    ] = "",
    unseal: Annotated[bool, typer.Option("--unseal", help="Revert a move: the old files accept writes again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move from SQLite to PostgreSQL, with open incidents; afterwards the old files refuse every write."""
    from storage import postgres_migration
    from storage.database import StorageError

    settings = _settings()
    if bool(to) == unseal:
        raise CommandError("say where to: --to postgresql://USER@HOST/NAME (or --unseal, to take a move back)")
    try:
        if unseal:
            changed = postgres_migration.unseal_files(settings)
            if as_json:
                show_json({"unsealed": changed})
            else:
                say(_("the old files are in use again") if changed else _("nothing to change: it was so already"))
            return
        url = _settings(to).database
        moved = postgres_migration.migrate_to_postgres(settings, url)
    except (postgres_migration.MigrationError, StorageError) as error:
        raise CommandError(str(error)) from None
    for line in moved.broken:
        warn(_("altered already before the move: {line}").format(line=line))
    if as_json:
        show_json({"rows": moved.rows, "timelines": moved.timelines, "broken": moved.broken, "open": moved.open})
        return
    line = _("{rows} rows of {tables} tables moved, {timelines} timelines verified, {open} matters open")
    tables = sum(1 for count in moved.rows.values() if count)
    say(line.format(rows=sum(moved.rows.values()), tables=tables, timelines=moved.timelines, open=moved.open))
    say(_("next: set TOCSIN_DATABASE_URL to that address, then stop and start `tocsin up`"))


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="The file to create.")], as_json: AsJson = False
) -> None:
    """Back up databases, configuration and signing key into one file, while Tocsin runs. Keep it secret."""
    from engine.process.clock import now
    from storage import backups

    try:
        made = backups.create_backup(_settings(), file, now())
    except backups.BackupError as error:
        raise CommandError(str(error)) from None
    _show(made, file, as_json, _("{count} files are in {file}; `tocsin restore {file}` lays them out"))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="A file made by `tocsin backup`.")],
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty home folder (TOCSIN_HOME). Deadlines missed since are reported at once."""
    from storage import backups

    settings = _settings()
    try:
        made = backups.restore_backup(settings, file)
        backups.upgrade_restored(settings)
    except (backups.BackupError, backups.StorageError) as error:
        raise CommandError(str(error)) from None
    _show(made, file, as_json, _("{count} files of {file} are laid out; next: `tocsin up`"))


def _show(made: BackupManifest, file: Path, as_json: bool, line: str) -> None:
    if as_json:
        show_json({"file": str(file), "made_at": made.made_at, "revision": made.revision, "files": list(made.files)})
    else:
        say(line.format(count=len(made.files), file=file))


def _settings(database_url: str | None = None) -> Settings:
    from storage.settings import SettingsError, load_settings

    try:
        return load_settings(database_url=database_url)
    except SettingsError as error:
        raise CommandError(str(error)) from None
