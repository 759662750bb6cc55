"""Acknowledge links: no login, no script. Looking changes nothing; the button acknowledges."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pendulum import DateTime
from sqlalchemy.exc import NoResultFound

from domain.commands import Acknowledge, Done
from domain.handle import Refused
from domain.incident import STEP_MOVES, Snapshot
from engine import clock, commands
from engine.house import House
from engine.links import BadLink, ForeignLink, Link
from storage import board, incidents
from storage.database import StorageError
from storage.whole import step as step_of
from web.language import page

router = APIRouter(tags=["acknowledge"], include_in_schema=False)
LONGEST_TOKEN = 2_000


@router.get("/a/{token}")
async def look(token: str, request: Request) -> HTMLResponse:
    """Whose step it is, by when, and one button."""
    try:
        link = _link(request, token)
        view = await asyncio.to_thread(_view, request.app.state.house, link, clock.now())
    except BadLink as bad:
        return _bad(request, bad)
    return _page(request, view)


@router.post("/a/{token}")
async def acknowledge(token: str, request: Request) -> HTMLResponse:
    """The button; of a decision one of two: `choice` is yes or no."""
    house: House = request.app.state.house
    try:
        link = _link(request, token)
    except BadLink as bad:
        return _bad(request, bad)
    choice: Any = parse_qs((await request.body()).decode("ascii", "replace")).get("choice", [""])[0]

    def act() -> dict[str, Any]:
        now = clock.now()
        view = _view(house, link, now)
        if link.step:
            step = f"{view['playbook']}:{link.step}"
            given: Any = {"id": str(uuid.uuid4()), "incident": view["ref"], "by": link.person, "step": step}
            decided = choice in ("yes", "no")
            commands.carry_out(house, Done(**given, choice=choice) if decided else Acknowledge(**given), now)
        return {**_view(house, link, now), "just_now": True}

    try:
        loop = asyncio.get_running_loop()
        view = await loop.run_in_executor(request.app.state.writers, act)
    except BadLink as bad:
        return _bad(request, bad)
    except (Refused, StorageError) as refused:
        status = 409 if isinstance(refused, Refused) else 503
        return page(request, "error.html", status, error=str(refused), code=status)
    return _page(request, view)


def _link(request: Request, token: str) -> Link:
    if len(token) > LONGEST_TOKEN:
        raise BadLink("this link is not whole: open it from the message itself, all of it")
    link: Link = request.app.state.links.read(token)
    return link


def _view(house: House, link: Link, now: DateTime) -> dict[str, Any]:
    with house.database.read() as connection:
        try:
            snapshot = incidents.load(connection, link.response, house.roster())
        except NoResultFound:
            raise ForeignLink("this link belongs to another installation: ask whoever sent it") from None
    incident, roster = snapshot.incident, snapshot.roster
    known = roster.people.get(link.person)
    view: dict[str, Any] = {
        "now": now,
        "ref": incident.ref,
        "title": incident.title,
        "drill": incident.drill,
        "condition": str(incident.status),
        "declared_at": board.iso(incident.declared_at),
        "last_public_at": board.iso(incident.last_public_at),
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
        view["decides"] = board.both(house.library.get(view["decides"]).title)
    return view


def _step(snapshot: Snapshot, link: Link, now: DateTime) -> dict[str, Any]:
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
    return page(request, "acknowledge.html", language=language, zone=view.pop("zone"), **view)


def _bad(request: Request, bad: BadLink) -> HTMLResponse:
    status = 404 if isinstance(bad, ForeignLink) else 410 if "expired" in str(bad) else 400
    return page(request, "error.html", status, error=str(bad), code=status)
