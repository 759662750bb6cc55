"""For the executive: what it costs whom, the paragraph of the hour, decisions at one tap, the budget."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.house import House
from engine.overview import overview
from web.desk import AtDesk
from web.language import language_of, zone_of
from web.live import shown

router = APIRouter(include_in_schema=False)


@router.get("/executive")
async def show_executive(request: Request, desk: AtDesk) -> Response:
    """Every open incident in a paragraph, with what waits for a decision."""
    language, zone = language_of(request), zone_of(request)

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return {"now": now, **overview(house, now, language, zone)}

    return await shown(request, desk, "executive.html", look)
