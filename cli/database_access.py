"""Database access without the web process, by the engine's own commands. Imported only when needed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum

from cli.common import CommandError
from domain.command_handlers import CommandRefused
from domain.commands import Declare
from domain.incident import Impact
from engine.installation import Installation
from engine.response import commands
from playbooks.errors import BadFile
from storage.database import StorageError
from storage.incidents import person_tokens
from storage.settings import SettingsError, load_settings


def open_installation() -> Installation:
    """Open the installation of this home and check its database.

    Raises:
        CommandError: it cannot be used, in one line.
    """
    try:
        return Installation(load_settings()).open()
    except (SettingsError, StorageError, OSError) as error:
        raise CommandError(str(error)) from None


def declare_in_database(form: dict[str, Any], token: str) -> dict[str, Any]:
    """Declare in the database, as the API would have done."""
    installation = open_installation()
    try:
        fields = {**form, "impact": Impact(**form["impact"]), "since": parse_moment(form.get("since"))}
        command = Declare(**fields, by=speaker_of_token(installation, token))
        answer = commands.declare(installation, command, pendulum.now("UTC"))
    except (CommandRefused, StorageError, BadFile) as error:
        raise CommandError(str(error)) from None
    finally:
        installation.close()
    return {"id": answer.incident_id, "ref": answer.ref, "status": answer.status}


def speaker_of_token(installation: Installation, token: str) -> str:
    """Person of a token; empty without one.

    Raises:
        CommandError: it is nobody's.
    """
    if not token:
        return ""
    with installation.database.read() as connection:
        found = person_tokens.find_person(connection, token)
    if found is None:
        raise CommandError("this token is nobody's: get a new one with `tocsin roster token YOU`")
    return found


def parse_moment(text: str | None, field: str = "since") -> pendulum.DateTime | None:
    """Parse a time with its offset; None where none was given.

    Raises:
        CommandError: it is none, or has no offset.
    """
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise CommandError(f"{field}: {text!r} has no time zone: write for example {text}+08:00")
        return pendulum.instance(when).in_timezone("UTC")
    except (ValueError, OverflowError):
        raise CommandError(
            f"{field}: {text[:40]!r} is no time in ISO 8601: write for example 2026-11-22T03:05:00+08:00"
        ) from None
