"""Follow-ups as pages: how each stands against its aims, and whom a person has to call. Contacts stay masked."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from engine.customers import answering
from engine.customers.desk import desk_of
from engine.house import House
from storage import customers_follow
from web.acting import fields_of
from web.customers import card, document
from web.desk import AtDesk
from web.live import shown

router = APIRouter(include_in_schema=False)
_LISTED: Final = 30
_CALLS: Final = 100


@router.get("/follow-ups")
async def show_list(request: Request, desk: AtDesk) -> Response:
    """Every incident that is followed up, the newest first."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            found = customers_follow.listing(connection, _LISTED)
        customers = desk_of(house)
        return {"now": now, "rows": [{**row, "card": card(customers, row["ref"])} for row in found]}

    return await shown(request, desk, "follow-ups.html", look)


@router.get("/follow-ups/{ref}")
async def show_one(
    request: Request, ref: str, desk: AtDesk, after: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> Response:
    """One follow-up: its figures, and the customers whom a person calls."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        found = document(desk_of(house), ref, calls=True, limit=_CALLS, after=after)
        return {"now": now, "found": found, "after": after, "more": len(found["customers"]) == _CALLS, "step": _CALLS}

    return await shown(request, desk, "follow-up.html", look)


@router.post("/follow-ups/{ref}/called")
async def called(request: Request, ref: str, desk: AtDesk) -> Response:
    """Record from the page that a customer was called."""
    given = await fields_of(request)

    def act(house: House, by: str, now: DateTime) -> None:
        note = given.get("note", "")[:2_000]
        answering.called(desk_of(house), ref, given.get("customer", "")[:200], now, by=by, note=note)

    await desk.write(act, need="customers")
    return RedirectResponse(f"/follow-ups/{quote(ref, safe='')}", 303)
