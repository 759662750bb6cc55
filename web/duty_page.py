"""Who is on duty now and over the next fourteen days, and where a calendar has a gap."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from domain.rotation import Override
from engine.house import House
from engine.rotation import overriding, showing
from web.acting import fields_of
from web.charts import shifts
from web.desk import AtDesk
from web.live import shown

router = APIRouter(include_in_schema=False)
HOURS: Final = (1, 4, 8, 12, 24, 72)


@router.get("/duty")
async def show_duty(request: Request, desk: AtDesk) -> Response:
    """Every role: who has it, who stands in, until when; the days as a picture."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        days = showing.days(house, now)
        return {
            "now": now, "days": days, "roles": showing.who(house, now), "overrides": showing.overrides(house, now),
            "people": {one.id: one.name for one in house.roster().people.values()}, "hours": HOURS,
        }  # fmt: skip

    return await shown(request, desk, "duty.html", look, shifts=shifts)


@router.post("/duty/overrides")
async def put_on_duty(request: Request, desk: AtDesk) -> Response:
    """Hand a role over from now on, for some hours: whoever comes gets what is open, and open steps go to them."""
    given = await fields_of(request)

    def act(house: House, by: str, now: DateTime) -> None:
        hours = given.get("hours", "")
        length = int(hours) if hours.isdecimal() and int(hours) in HOURS else HOURS[0]
        name = repr((by, sorted(given.items()), now.format("YYYYMMDDHHmm")))  # pressed twice it is one
        wanted = Override(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), role=given.get("role", "")[:100],
            person=given.get("person", "")[:100], start=now, end=now.add(hours=length),
            reason=given.get("reason", "").strip()[:500], by=by, made_at=now,
        )  # fmt: skip
        overriding.put_on_duty(house, wanted)

    await desk.write(act, need="duty")
    return RedirectResponse("/duty", 303)


@router.post("/duty/overrides/{name}/end")
async def end(name: str, desk: AtDesk) -> Response:
    """End an override now."""
    await desk.write(lambda house, by, now: overriding.end_override(house, name, by, now), need="duty")
    return RedirectResponse("/duty", 303)
