"""Without the web process: straight into the database, by the same entrance. Imported only when needed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum

from cli.frame import Trouble
from domain.commands import Declare
from domain.handle import Refused
from domain.incident import Impact
from engine import commands
from engine.house import House
from playbooks.errors import BadFile
from storage import people
from storage.database import StorageError
from storage.settings import SettingsError, load_settings


def open_house() -> House:
    """The house of this installation, its database checked.

    Raises:
        Trouble: it cannot be used, in one line.
    """
    try:
        return House(load_settings()).open()
    except (SettingsError, StorageError, OSError) as error:
        raise Trouble(str(error)) from None


def declare(form: dict[str, Any], token: str) -> dict[str, Any]:
    """What the API would have done."""
    house = open_house()
    try:
        fields = {**form, "impact": Impact(**form["impact"]), "since": moment(form.get("since"))}
        command = Declare(**fields, by=speaker(house, token))
        answer = commands.declare(house, command, pendulum.now("UTC"))
    except (Refused, StorageError, BadFile) as error:
        raise Trouble(str(error)) from None
    finally:
        house.close()
    return {"id": answer.incident_id, "ref": answer.ref, "status": answer.status}


def speaker(house: House, token: str) -> str:
    """Whose token this is; empty without one.

    Raises:
        Trouble: it is nobody's.
    """
    if not token:
        return ""
    with house.database.read() as connection:
        found = people.person_of(connection, token)
    if found is None:
        raise Trouble("this token is nobody's: get a new one with `tocsin roster token YOU`")
    return found


def moment(text: str | None, field: str = "since") -> pendulum.DateTime | None:
    """A time as it was typed, with its offset; None where none was.

    Raises:
        Trouble: it is none, or has no offset.
    """
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise Trouble(f"{field}: {text!r} has no time zone: write for example {text}+08:00")
        return pendulum.instance(when).in_timezone("UTC")
    except (ValueError, OverflowError):
        raise Trouble(
            f"{field}: {text[:40]!r} is no time in ISO 8601: write for example 2026-11-22T03:05:00+08:00"
        ) from None
