"""Declaring by a form: four fields, the rest by default; what is open and alike is shown before it is made twice."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime
from pydantic import ValidationError

from domain.commands import Declare
from domain.handle import Refused
from engine.house import House
from engine.learning.desk import learning_of
from engine.learning.similar import open_ones
from storage import board, incidents
from web.acting import fields_of
from web.desk import AtDesk
from web.errors import explain
from web.forms import DeclareForm
from web.language import page
from web.places import AGOS

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
async def show_form(request: Request, desk: AtDesk) -> Response:
    """The form, with an id of its own: sent twice, it declares once."""
    values = await desk.read(_choices, need="declare")
    return page(request, "declare.html", given=_empty(), similar=[], ask=False, error="", **values)


@router.get("/declare/similar")
async def similar(request: Request, desk: AtDesk) -> Response:
    """What is open and like what is being typed."""
    given = dict(request.query_params)

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return {"now": now, "similar": _alike(house, given, now)}

    return page(request, "similar.html", **await desk.read(look, need="declare"))


@router.post("/declare")
async def declare(request: Request, desk: AtDesk) -> Response:
    """Declare, unless it looks like what is open already and nobody said that it is another matter."""
    given = await fields_of(request)

    def look(house: House, now: DateTime) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
        with house.database.read() as connection:
            known = incidents.ref_of(connection, given.get("id", ""))
        alike = [] if known or given.get("anyway") or given.get("drill") else _alike(house, given, now)
        return known, alike, _choices(house, now)

    known, alike, choices = await desk.read(look, need="declare")
    if known:
        return RedirectResponse(f"/incidents/{known}", 303)
    error = ""
    if not alike:
        try:
            answer = await desk.declare(lambda by: _command(given, by, choices["now"]))
            return RedirectResponse(f"/incidents/{answer.ref}", 303)
        except Refused as refused:
            error = str(refused)
    again = {**_empty(), **{name: given.get(name, "") for name in (*_TEXTS, *_COUNTS, "playbook")}}
    again |= {"id": given.get("id") or again["id"], "ago": _minutes(given), "drill": bool(given.get("drill"))}
    again["more"] = any(again[name] for name in (*_COUNTS, "kind", "drill"))
    return page(request, "declare.html", 422, given=again, similar=alike, ask=bool(alike), error=error, **choices)


def _choices(house: House, now: DateTime) -> dict[str, Any]:
    with house.database.read() as connection:
        services = board.services(connection)
    playbooks = [{"id": one.id, "title": board.both(one.title)} for one in house.library.all()]
    return {"now": now, "playbooks": playbooks, "services": services, "currency": house.roster().currency}


def _alike(house: House, given: Mapping[str, str], now: DateTime) -> list[dict[str, Any]]:
    texts = {name: given.get(name, "").strip()[:200] for name in _TEXTS}
    if not texts["title"]:
        return []
    return open_ones(learning_of(house), **texts, playbook=given.get("playbook", ""), now=now)[:_SHOWN]


def _minutes(given: Mapping[str, str]) -> int:
    said = given.get("ago", "")
    return int(said) if said.isdecimal() and int(said) in AGOS else 0


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
        raise Refused(explain(error.errors())) from None
    return Declare(
        id=form.id, title=form.title, playbook=form.playbook, service=form.service, kind=form.kind, by=by,
        since=now.subtract(minutes=minutes) if minutes else None, impact=form.impact.impact(), drill=form.drill,
    )  # fmt: skip
