"""Who is on duty now and over the next fourteen days, and where a calendar has a gap."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from engine.house import House
from engine.rotation import showing
from web.charts import shifts
from web.desk import AtDesk
from web.live import shown

router = APIRouter(include_in_schema=False)


@router.get("/duty")
async def show_duty(request: Request, desk: AtDesk) -> Response:
    """Every role: who has it, who stands in, until when; the days as a picture."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        days = showing.days(house, now)
        return {
            "now": now, "days": days, "roles": showing.who(house, now), "overrides": showing.overrides(house, now),
            "people": {one.id: one.name for one in house.roster().people.values()},
        }  # fmt: skip

    return await shown(request, desk, "duty.html", look, shifts=shifts)
