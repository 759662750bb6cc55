"""Sandbox inbox: takes what Apprise's `json://` sends, and shows a page per person."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import JSONResponse, Response

from domain.access import AccessRole
from engine.process import clock
from playbooks.errors import BadFile
from web.app_state import state_of
from web.auth.authentication import (
    AccessDenied,
    NotAuthenticated,
    Principal,
    authenticate,
    is_forwarded,
    is_loopback,
    read_credentials,
    require_permission,
)
from web.http.errors import error_response
from web.http.page_rendering import render_page
from web.pages.inbox_store import InboxStore
from web.schemas import documented_responses

router = APIRouter(tags=["inbox"])
LONGEST_NAME = 100
_SHOWN = 200
_CONTACT = re.compile(r"@|\+?\d{8}")


@router.post("/inbox/{name:path}", responses=documented_responses("received", "Received"))
async def receive(name: str, request: Request, document: Annotated[dict[str, Any], Body()]) -> Response:
    """Receive what Apprise's `json://` sends. Only from this machine."""
    received_at = clock.now()
    if not is_loopback(request) or is_forwarded(request.headers):
        return error_response(request, 403, "the inbox is a sandbox: only this machine may deliver to it")
    box = name.strip("/")
    if not box or len(box) > LONGEST_NAME or not box.isprintable():
        return error_response(request, 422, "name: a box has 1 to 100 characters, for example /inbox/alice")
    if _CONTACT.search(box):  # the inbox keeps what it gets: no contact of a customer may be part of it
        return error_response(
            request, 422, "name: a contact is no box; put a customer's into a header (?+X-Customer=...)"
        )
    letterbox = state_of(request).inbox
    number = letterbox.put(box, received_at.isoformat(timespec="microseconds"), document)
    installation = state_of(request).installation
    return JSONResponse({"id": str(number), "url": f"{installation.settings.local_url}/inbox/{box}#{number}"})


@router.get("/inbox/api/messages", responses=documented_responses("letters", "Letters, the oldest first"))
async def messages(
    request: Request,
    since: Annotated[int, Query(ge=0, le=10**15, description="Only letters after that number.")] = 0,
    name: Annotated[str, Query(max_length=LONGEST_NAME, description="Only of that box.")] = "",
    limit: Annotated[int, Query(ge=1, le=20_000)] = 1_000,
) -> JSONResponse:
    """List the messages that the sandbox received."""
    letterbox = await _for_reader(request, name)
    found = await asyncio.to_thread(letterbox.read, name=name, since=since, limit=limit)
    return JSONResponse({"messages": found})


@router.get("/inbox", include_in_schema=False)
async def show_inboxes(request: Request) -> Response:
    """Show every box."""
    letterbox = await _for_reader(request, None)
    principal: Principal = request.state.principal
    boxes = {box["name"]: box for box in await asyncio.to_thread(letterbox.boxes)}
    installation = state_of(request).installation
    try:
        roster = installation.roster()
        names = {person: known.name for person, known in roster.people.items()}
        names |= {f"public/{channel}": channel for channel in roster.public}
    except BadFile:
        names = {}
    empty: dict[str, Any] = {"letters": 0, "last": None}
    rows = [
        {"name": name, "title": names.get(name, name), **{key: boxes.get(name, empty)[key] for key in empty}}
        for name in dict.fromkeys([*names, *boxes])
        if _may_read(principal, name)
    ]
    return render_page(request, "inbox_index.html", rows=rows)


@router.get("/inbox/{name:path}", include_in_schema=False)
async def show_inbox(request: Request, name: str) -> Response:
    """Show one box, newest message first."""
    letterbox = await _for_reader(request, name.strip("/"))
    found = await asyncio.to_thread(letterbox.read, name=name.strip("/"), limit=_SHOWN, newest=True)
    return render_page(request, "inbox.html", name=name.strip("/"), letters=found)


def _may_read(principal: Principal, box: str) -> bool:
    return principal.may(AccessRole.ADMIN) or box == principal.person or box.startswith("public/")


def _demand_box(principal: Principal, box: str) -> None:
    if not _may_read(principal, box):
        raise AccessDenied("this is the box of somebody else, and its letters act in their name: look into your own")


async def _for_reader(request: Request, box: str | None) -> InboxStore:
    """Inbox store, for a reader of that box: its messages hold acknowledge links. None: the list of boxes.

    Raises:
        NotAuthenticated: nobody whom we know.
        AccessDenied: somebody who may not: it is another's box.
    """
    state, principal = state_of(request), Principal()
    try:
        credentials = read_credentials(request, state.installation)
        principal = await asyncio.to_thread(authenticate, state.installation, credentials, clock.now())
        require_permission(principal, "look")
        if box is not None:
            _demand_box(principal, box)
    except (NotAuthenticated, AccessDenied) as refused:
        state.audit.record_refusal(request, principal, str(refused))
        raise
    state.audit.record_activity(principal)
    request.state.principal = principal
    return state.inbox
