"""Drills: the one that runs, live; those that were held, with capacity and recovery from drill to drill."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.drill import showing
from engine.house import House
from web.charts import bars, sparkline
from web.desk import AtDesk
from web.live import shown

router = APIRouter(include_in_schema=False)
_LISTED = 24


@router.get("/drills")
async def show_drills(request: Request, desk: AtDesk) -> Response:
    """The running drill second by second, the history below."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        held = showing.history(house, _LISTED)
        turned = [(str(one["at"])[5:10], one) for one in reversed(held)]
        return {
            "now": now, "running": showing.running(house), "held": held,
            "capacity": [(day, one["knee"]["rate"] if one.get("knee") else None) for day, one in turned],
            "rto": [(day, one.get("rto_seconds")) for day, one in turned],
        }  # fmt: skip

    return await shown(request, desk, "drills.html", look, every=1.0, bars=bars, sparkline=sparkline)
