"""Home folder: laid out at the first start, so that a newcomer sees every notice without any account."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.process.startup_checks import StartError
from storage import schema
from storage.database import Database, StorageError
from storage.files import write_atomically
from storage.samples.sample_store import open_sample_store
from storage.settings import Settings, SettingsError, load_settings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
LOGIN_LINK_PREFIX = "login link: "  # how the line with it begins
SAMPLE_HOME = Path(__file__).resolve().parent.parent / "playbooks" / "sample"


def prepare_home(settings: Settings) -> list[str]:
    """Lay out what is missing and bring the database to this program's schema; return a line for each.

    Files that are there are never touched.

    Raises:
        StartError: the home cannot be written, or the database is not usable. One line.
    """
    done = []
    try:
        for folder in (settings.home, settings.playbooks_dir, settings.logs_dir, settings.run_dir):
            folder.mkdir(parents=True, exist_ok=True)
        for path in (settings.roster_file, settings.channels_file):
            if not path.exists():
                text = (SAMPLE_HOME / path.name).read_text(encoding="utf-8")
                write_atomically(path, text.replace("{port}", str(settings.port)))  # the channel file gets passwords
                done.append(f"laid out {path}")
            path.read_bytes()  # an unreadable file is said now, not at three in the morning
    except OSError as error:
        raise StartError(f"cannot use {error.filename or settings.home}: {error.strerror}") from None
    settings.secret_key()
    database = Database(settings.database)
    try:
        before = schema.read_revision(database)
        schema.upgrade_schema(database)
        if before != schema.HEAD_REVISION:
            done.append(f"database brought from {before or 'nothing'} to revision {schema.HEAD_REVISION}")
        open_sample_store(settings).close()  # their schema too, before the processes come
    except StorageError as error:
        raise StartError(str(error)) from None
    finally:
        database.close()
    return done


def make_first_login_link(settings: Settings) -> str:
    """Return a login link while nobody has an account to log in with; else an empty text.

    Raises:
        StartError: the pages are to be open to the network, and nobody is their administrator yet.
    """
    from engine.accounts import accounts  # noqa: PLC0415 - the process that lays out a home does little else
    from engine.installation import Installation  # noqa: PLC0415
    from engine.process.clock import now  # noqa: PLC0415
    from storage.accounts.user_accounts import has_admin, list_accounts  # noqa: PLC0415

    installation = Installation(settings, sends=False, checks=False)
    try:
        with installation.database.read() as connection:
            nobody = not has_admin(connection)
            known = list_accounts(connection)
        if settings.host not in LOOPBACK_HOSTS and nobody:
            raise StartError(
                f"nobody is administrator of what {settings.host} would open to the network: "
                "type `tocsin user add YOU --role admin` first"
            )
        if settings.oidc_issuer or any(one.password for one in known):
            return ""
        return accounts.make_login_link(installation, "", now(), accounts.AuditActor())
    except StorageError as error:
        raise StartError(str(error)) from None
    finally:
        installation.close()


if __name__ == "__main__":
    try:
        given = load_settings()
        for line in prepare_home(given):
            sys.stdout.write(f"{line}\n")
        if sys.argv[1:] == ["starts"] and (link := make_first_login_link(given)):
            sys.stdout.write(f"{LOGIN_LINK_PREFIX}{link}\n")
    except (StartError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
