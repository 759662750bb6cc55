"""Health board page: the six core metrics with trend and target, staffing, and the forecast."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.installation import Installation
from web.api.health import HealthBoardServiceDep
from web.http.request_context import RequestContextDep
from web.pages.charts import forecast_chart, sparkline
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def show_health(
    request: Request,
    context: RequestContextDep,
    board: HealthBoardServiceDep,
    service: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the health board of one service, or of all together."""

    def look(_installation: Installation, now: DateTime) -> dict[str, Any]:
        return {"now": now, "found": board.board_document_blocking("", service)}

    return await render_live_page(request, context, "health.html", look, sparkline=sparkline, forecast=forecast_chart)
