"""Executive page: impact, hourly paragraph, decisions at one tap, and the budget."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.installation import Installation
from engine.response.executive_overview import build_overview
from web.http.page_rendering import negotiate_language, negotiate_time_zone
from web.http.request_context import RequestContextDep
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)


@router.get("/executive")
async def show_executive(request: Request, context: RequestContextDep) -> Response:
    """Show every open incident in a paragraph, with the decisions that wait."""
    language, zone = negotiate_language(request), negotiate_time_zone(request)

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return {"now": now, **build_overview(installation, now, language, zone)}

    return await render_live_page(request, context, "executive.html", look)
