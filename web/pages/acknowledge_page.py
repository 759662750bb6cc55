"""Acknowledge pages, reached by a link without login or script: GET changes nothing, POST acknowledges."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Acknowledge, Done
from domain.incident import STEP_MOVES, Snapshot
from engine.delivery.links import AcknowledgeLink, BadLink, ForeignLink
from engine.installation import Installation
from engine.process import clock
from engine.response import commands
from storage.database import StorageError
from storage.incidents import board, incidents
from storage.incidents.incident_document import step_document as step_of
from web.app_state import state_of
from web.http.page_rendering import render_page

router = APIRouter(tags=["acknowledge"], include_in_schema=False)
LONGEST_TOKEN = 2_000


@router.get("/a/{token}")
async def show_acknowledge_page(token: str, request: Request) -> HTMLResponse:
    """Show the step of an acknowledge link: its owner, its deadline and one button."""
    try:
        link = _link(request, token)
        view = await asyncio.to_thread(_view, state_of(request).installation, link, clock.now())
    except BadLink as bad:
        return _bad(request, bad)
    return _page(request, view)


@router.post("/a/{token}")
async def acknowledge_step(token: str, request: Request) -> HTMLResponse:
    """Acknowledge the step of a link; for a decision, form field `choice` is `yes` or `no`."""
    installation = state_of(request).installation
    try:
        link = _link(request, token)
    except BadLink as bad:
        return _bad(request, bad)
    choice: Any = parse_qs((await request.body()).decode("ascii", "replace")).get("choice", [""])[0]

    def act() -> dict[str, Any]:
        now = clock.now()
        view = _view(installation, link, now)
        if link.step:
            step = f"{view['playbook']}:{link.step}"
            given: Any = {"id": str(uuid.uuid4()), "incident": view["ref"], "by": link.person, "step": step}
            decided = choice in ("yes", "no")
            commands.carry_out_command(
                installation, Done(**given, choice=choice) if decided else Acknowledge(**given), now
            )
        return {**_view(installation, link, now), "just_now": True}

    try:
        loop = asyncio.get_running_loop()
        view = await loop.run_in_executor(state_of(request).writers, act)
    except BadLink as bad:
        return _bad(request, bad)
    except (CommandRefused, StorageError) as refused:
        status = 409 if isinstance(refused, CommandRefused) else 503
        return render_page(request, "error.html", status, error=str(refused), code=status)
    return _page(request, view)


def _link(request: Request, token: str) -> AcknowledgeLink:
    if len(token) > LONGEST_TOKEN:
        raise BadLink("this link is not whole: open it from the message itself, all of it")
    return state_of(request).links.read_token(token)


def _view(installation: Installation, link: AcknowledgeLink, now: DateTime) -> dict[str, Any]:
    with installation.database.read() as connection:
        try:
            snapshot = incidents.load_snapshot(connection, link.response, installation.roster())
        except incidents.UnknownResponse:
            raise ForeignLink("this link belongs to another installation: ask whoever sent it") from None
    incident, roster = snapshot.incident, snapshot.roster
    known = roster.people.get(link.person)
    view: dict[str, Any] = {
        "now": now,
        "ref": incident.ref,
        "title": incident.title,
        "drill": incident.drill,
        "condition": str(incident.status),
        "declared_at": board.iso_time(incident.declared_at),
        "last_public_at": board.iso_time(incident.last_public_at),
        "playbook": snapshot.response.playbook.id,
        "person": link.person,
        "name": roster.name(link.person),
        "language": known.language if known else "en",
        "zone": known.timezone if known else "UTC",
        "step": None,
        "just_now": False,
    }
    view |= _step(snapshot, link, now)
    if view.get("decides"):
        view["decides"] = board.both_languages(installation.library.get(view["decides"]).title)
    return view


def _step(snapshot: Snapshot, link: AcknowledgeLink, now: DateTime) -> dict[str, Any]:
    state = snapshot.steps.get(link.step)
    if state is None:
        return {}
    roster = snapshot.roster
    step = step_of(snapshot, state, now)
    others = [name for name in dict.fromkeys((*state.called, state.backup)) if name and name != link.person]
    return {
        "step": step,
        "mine": step["state"] == "acknowledged" and state.holder == link.person,
        "holder": roster.name(state.holder) if step["state"] == "acknowledged" else "",
        "done_by": roster.name(state.done_by),
        "decides": snapshot.plan(state).attaches if "done" in STEP_MOVES[state.status] else None,
        "can_take": "acknowledge" in STEP_MOVES[state.status] and snapshot.incident.status != "cancelled",
        "others": [roster.name(name) for name in others],
    }


def _page(request: Request, view: dict[str, Any]) -> HTMLResponse:
    chosen = request.query_params.get("lang")
    language = chosen or view.pop("language")
    view.pop("language", None)
    return render_page(request, "acknowledge.html", language=language, zone=view.pop("zone"), **view)


def _bad(request: Request, bad: BadLink) -> HTMLResponse:
    status = 404 if isinstance(bad, ForeignLink) else 410 if "expired" in str(bad) else 400
    return render_page(request, "error.html", status, error=str(bad), code=status)
