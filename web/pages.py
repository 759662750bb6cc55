"""The board and the incident's page: what the API answers, drawn."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime
from starlette.requests import Request

from engine.customers.desk import desk_of
from engine.house import House
from storage import board, warnings
from web.customers import card
from web.desk import AtDesk
from web.house_api import findings
from web.incidents import facts, whole
from web.language import page
from web.learning import on_page
from web.warnings import document
from web.wording import purpose

router = APIRouter(include_in_schema=False)
_SHOWN = 50
_FACTS = 200
_SILENT = frozenset({"held", "shown"})  # warnings that nobody was called for
_LIVE_STATES = frozenset({"open", "acknowledged", "waiting"})


@router.get("/")
async def show_board(request: Request, desk: AtDesk, all: Annotated[bool, Query()] = False) -> HTMLResponse:  # noqa: A002
    """Open incidents, the most urgent first."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            status = "all" if all else "open"
            found = board.rows(connection, house.roster(), now, status=status, limit=_SHOWN, urgent_first=not all)
            figures = board.figures_of_board(connection, now)
            held = [document(row) for row in warnings.listed(connection) if row.course in _SILENT]
        wrong = findings(request, house)
        return {"now": now, "rows": found, "held": held, "figures": figures, "findings": wrong, "all": all}

    return page(request, "board.html", **await desk.read(look))


@router.get("/incidents/{ref}")
async def show_incident(
    request: Request, ref: str, desk: AtDesk, facts_after: Annotated[int, Query()] = -1
) -> Response:
    """One incident whole."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        document = whole(house, ref, now)
        last = 0 if facts_after >= 0 else _FACTS
        told = facts(house, ref, after=max(0, facts_after), limit=1_000, last=last)
        return {
            "now": now,
            "incident": document,
            "entries": told["entries"],
            "port": house.settings.prefect_port,
            **on_page(house, document["ref"], now),
            "follow": card(desk_of(house), ref),
        }

    found = await desk.read(look)
    incident = found["incident"]
    if incident["ref"] != ref:
        return RedirectResponse(f"/incidents/{quote(incident['ref'])}", 307)
    stages = [_drawn(stage) for stage in incident["stages"]]
    values = {"stages": stages, "people": incident["people"], "purpose": purpose}
    return page(request, "incident.html", **found, **values)


@router.get("/incidents")
async def all_incidents() -> Response:
    """The list is the board with all of them."""
    return RedirectResponse("/?all=true", 307)


def _drawn(stage: dict[str, Any]) -> dict[str, Any]:
    """A stage as the page shows it: the round that is on, and the earlier ones folded away."""
    current = [step for step in stage["steps"] if step["round"] == stage["round"] or step["state"] in _LIVE_STATES]
    earlier = [step for step in stage["steps"] if step not in current]
    return {**stage, "current": current, "earlier": earlier}
