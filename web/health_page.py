"""The health board as a page: the six core figures with their course and target, people, what is coming."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.house import House
from web.charts import forecast, sparkline
from web.desk import AtDesk
from web.health import AtBoard
from web.live import shown

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def show_health(
    request: Request, desk: AtDesk, board: AtBoard, service: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The health board of one service, or of all together."""

    def look(_house: House, now: DateTime) -> dict[str, Any]:
        return {"now": now, "found": board.wait("", service)}

    return await shown(request, desk, "health.html", look, sparkline=sparkline, forecast=forecast)
