"""Form actions of the pages: the API's commands sent as forms, followed by a redirect back to the page."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime
from pydantic import ValidationError

from domain.access import permission_for
from domain.command_handlers import CommandRefused
from domain.commands import Attach, Merge
from engine.installation import Installation
from engine.response import commands
from web.api.command_forms import COMMANDS
from web.http.errors import first_validation_error
from web.http.request_context import RequestContextDep

router = APIRouter(include_in_schema=False)
_SPACE: Final = uuid.UUID("6f0d7b3e-5d3c-4a0e-9a57-0c51b0f7a3d1")
_IMPACT: Final = ("customers", "orders", "money", "brand")
MOST_FIELDS: Final = 64
RETURN_PAGES: Final = frozenset(
    {"/executive"}
)  # pages that one comes back to; never an address that a form brings along


@router.post("/incidents/{ref}/do/{name}")
async def submit_command(request: Request, ref: str, name: str, context: RequestContextDep) -> Response:
    """Carry out the command that a page's form asks for.

    The same button pressed twice is one command: its id is made of who asks, what they ask and what they saw.
    """
    given = await read_form_fields(request)

    def act(installation: Installation, by: str, now: DateTime) -> None:
        command_id = str(
            uuid.uuid5(
                _SPACE,
                json.dumps([by, ref, name, sorted((key, value) for key, value in given.items() if key != "back")]),
            )
        )
        if name == "attach":
            playbook = given.get("playbook", "")
            commands.attach_playbook(installation, Attach(id=command_id, incident=ref, by=by, playbook=playbook), now)
        elif name == "merge":
            commands.merge_incidents(
                installation, Merge(id=command_id, incident=ref, by=by, into=given.get("into", "")), now
            )
        else:
            commands.carry_out_command(installation, build_command(ref, name, {**given, "id": command_id}, by), now)

    await context.write(act, need=required_permission(name, given))
    return RedirectResponse(_place(ref, name, given), 303)


async def read_form_fields(request: Request) -> dict[str, str]:
    """Read the fields of a form: text fields only, each at most once."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def required_permission(name: str, given: Mapping[str, str]) -> str:
    """Permission that a form's command needs; a note that corrects an entry counts as a correction."""
    if name == "note" and given.get("corrects", "").strip() not in ("", "0"):
        return "correct"
    if name in ("attach", "merge"):
        return name
    if name not in COMMANDS:
        raise CommandRefused(f"there is no command {name[:40]!r}: one of {', '.join([*COMMANDS, 'attach', 'merge'])}")
    return name


def build_command(ref: str, name: str, given: Mapping[str, str], by: str) -> Any:
    """Build the domain command that a form describes.

    Raises:
        Refused: a field is not as it should be; the line says which and what would be right.
    """
    making = COMMANDS[name]
    known = {field.alias or key for key, field in making.form.model_fields.items()}
    fields: dict[str, Any] = {key: value for key, value in given.items() if key in known and value.strip()}
    if name == "impact":
        fields["impact"] = {key: given.get(key, "").strip() or "0" for key in _IMPACT}
    if name == "draft":
        fields["texts"] = {
            key.removeprefix("text."): value
            for key, value in given.items()
            if key.startswith("text.") and value.strip()
        }
    try:
        command = making.make(ref, making.form.model_validate(fields), by)
    except ValidationError as error:
        raise CommandRefused(first_validation_error(error.errors())) from None
    assert permission_for(command)  # noqa: S101 - every command has a deed, and so a role that may do it
    return command


def _place(ref: str, name: str, given: Mapping[str, str]) -> str:
    """Address of the result: the page that the form was sent from, where that is one of ours."""
    if given.get("back") in RETURN_PAGES:
        return given["back"]
    page, step = f"/incidents/{quote(ref, safe='')}", given.get("step", "").partition(":")[2]
    if name in ("note", "impact"):
        return f"{page}#timeline" if given.get("corrects") else f"{page}#moves"
    return f"{page}#{quote(step)}" if step else page
