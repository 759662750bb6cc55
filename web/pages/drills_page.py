"""Drills page: the running drill live, and past drills with capacity and recovery time."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.drill import read_model
from engine.installation import Installation
from web.http.request_context import RequestContextDep
from web.pages.charts import bar_chart, sparkline
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
_LISTED = 24


@router.get("/drills")
async def show_drills(request: Request, context: RequestContextDep) -> Response:
    """Show the running drill second by second, and the history below."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        held = read_model.list_history(installation, _LISTED)
        turned = [(str(one["at"])[5:10], one) for one in reversed(held)]
        return {
            "now": now, "running": read_model.read_running(installation), "held": held,
            "capacity": [(day, one["knee"]["rate"] if one.get("knee") else None) for day, one in turned],
            "rto": [(day, one.get("rto_seconds")) for day, one in turned],
        }  # fmt: skip

    return await render_live_page(request, context, "drills.html", look, every=1.0, bars=bar_chart, sparkline=sparkline)
