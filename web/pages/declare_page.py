"""Declare form: four fields, the rest by default; similar open incidents are shown before a duplicate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime
from pydantic import ValidationError

from domain.command_handlers import CommandRefused
from domain.commands import Declare
from engine.installation import Installation
from engine.learning.similar_incidents import find_open_similar
from storage.incidents import board, incidents
from web.api.request_models import DeclareForm
from web.http.errors import first_validation_error
from web.http.navigation import AGO_MINUTES
from web.http.page_rendering import render_page
from web.http.request_context import RequestContextDep
from web.pages.form_actions import read_form_fields

router = APIRouter(include_in_schema=False)
_TEXTS: Final = ("title", "service", "kind")
_COUNTS: Final = ("customers", "orders", "money", "brand")
_SHOWN: Final = 3


def _empty() -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "playbook": "four-hour-response", "ago": 0, "drill": False, "more": False,
        **dict.fromkeys((*_TEXTS, *_COUNTS), ""),
    }  # fmt: skip


@router.get("/declare")
async def show_declare_form(request: Request, context: RequestContextDep) -> Response:
    """Show the declare form with a command id of its own: sent twice, it declares once."""
    values = await context.read(_choices, need="declare")
    return render_page(request, "declare.html", given=_empty(), similar=[], ask=False, error="", **values)


@router.get("/declare/similar")
async def show_similar(request: Request, context: RequestContextDep) -> Response:
    """Show open incidents similar to what is being typed."""
    given = dict(request.query_params)

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return {"now": now, "similar": _alike(installation, given, now)}

    return render_page(request, "similar.html", **await context.read(look, need="declare"))


@router.post("/declare")
async def declare_by_form(request: Request, context: RequestContextDep) -> Response:
    """Declare an incident, unless it resembles an open one and the form does not say that it is another."""
    given = await read_form_fields(request)

    def look(installation: Installation, now: DateTime) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
        with installation.database.read() as connection:
            known = incidents.find_reference(connection, given.get("id", ""))
        alike = [] if known or given.get("anyway") or given.get("drill") else _alike(installation, given, now)
        return known, alike, _choices(installation, now)

    known, alike, choices = await context.read(look, need="declare")
    if known:
        return RedirectResponse(f"/incidents/{known}", 303)
    error = ""
    if not alike:
        try:
            answer = await context.declare(lambda by: _command(given, by, choices["now"]))
            return RedirectResponse(f"/incidents/{answer.ref}", 303)
        except CommandRefused as refused:
            error = str(refused)
    again = {**_empty(), **{name: given.get(name, "") for name in (*_TEXTS, *_COUNTS, "playbook")}}
    again |= {"id": given.get("id") or again["id"], "ago": _minutes(given), "drill": bool(given.get("drill"))}
    again["more"] = any(again[name] for name in (*_COUNTS, "kind", "drill"))
    return render_page(
        request, "declare.html", 422, given=again, similar=alike, ask=bool(alike), error=error, **choices
    )


def _choices(installation: Installation, now: DateTime) -> dict[str, Any]:
    with installation.database.read() as connection:
        services = board.list_services(connection)
    playbooks = [{"id": one.id, "title": board.both_languages(one.title)} for one in installation.library.all()]
    return {"now": now, "playbooks": playbooks, "services": services, "currency": installation.roster().currency}


def _alike(installation: Installation, given: Mapping[str, str], now: DateTime) -> list[dict[str, Any]]:
    texts = {name: given.get(name, "").strip()[:200] for name in _TEXTS}
    if not texts["title"]:
        return []
    return find_open_similar(installation.learning, **texts, playbook=given.get("playbook", ""), now=now)[:_SHOWN]


def _minutes(given: Mapping[str, str]) -> int:
    said = given.get("ago", "")
    return int(said) if said.isdecimal() and int(said) in AGO_MINUTES else 0


def _command(given: Mapping[str, str], by: str, now: DateTime) -> Declare:
    """The declaration that a form describes.

    Raises:
        Refused: a field is not as it should be.
    """
    minutes = _minutes(given)
    fields: dict[str, Any] = {name: given.get(name, "") for name in (*_TEXTS, "playbook")}
    fields["impact"] = {name: given.get(name, "").strip() or "0" for name in _COUNTS}
    if given.get("id"):
        fields["id"] = given["id"]
    try:
        form = DeclareForm.model_validate({**fields, "drill": bool(given.get("drill"))})
    except ValidationError as error:
        raise CommandRefused(first_validation_error(error.errors())) from None
    return Declare(
        id=form.id, title=form.title, playbook=form.playbook, service=form.service, kind=form.kind, by=by,
        since=now.subtract(minutes=minutes) if minutes else None, impact=form.impact.impact(), drill=form.drill,
    )  # fmt: skip
