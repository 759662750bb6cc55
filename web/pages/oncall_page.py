"""On-call page: who is on duty now and in the next fourteen days, and where a schedule has a gap."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from domain.oncall import DutyOverride
from engine.installation import Installation
from engine.oncall import overrides, read_model
from web.http.request_context import RequestContextDep
from web.pages.charts import shift_chart
from web.pages.form_actions import read_form_fields
from web.pages.live_updates import render_live_page

router = APIRouter(include_in_schema=False)
HOURS: Final = (1, 4, 8, 12, 24, 72)


@router.get("/duty")
async def show_oncall(request: Request, desk: RequestContextDep) -> Response:
    """Show every role: who has it, the backup, until when; and the coming days as a chart."""

    def look(house: Installation, now: DateTime) -> dict[str, Any]:
        days = read_model.list_shifts(house, now)
        return {
            "now": now, "days": days, "roles": read_model.list_on_duty(house, now), "overrides": read_model.list_overrides(house, now),
            "people": {one.id: one.name for one in house.roster().people.values()}, "hours": HOURS,
        }  # fmt: skip

    return await render_live_page(request, desk, "duty.html", look, shifts=shift_chart)


@router.post("/duty/overrides")
async def create_override(request: Request, desk: RequestContextDep) -> Response:
    """Create an override from now for some hours: that person gets the role and its open steps."""
    given = await read_form_fields(request)

    def act(house: Installation, by: str, now: DateTime) -> None:
        hours = given.get("hours", "")
        length = int(hours) if hours.isdecimal() and int(hours) in HOURS else HOURS[0]
        name = repr((by, sorted(given.items()), now.format("YYYYMMDDHHmm")))  # pressed twice it is one
        wanted = DutyOverride(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), role=given.get("role", "")[:100],
            person=given.get("person", "")[:100], start=now, end=now.add(hours=length),
            reason=given.get("reason", "").strip()[:500], by=by, made_at=now,
        )  # fmt: skip
        overrides.add_override(house, wanted)

    await desk.write(act, need="duty")
    return RedirectResponse("/duty", 303)


@router.post("/duty/overrides/{name}/end")
async def end_override(name: str, desk: RequestContextDep) -> Response:
    """End an override now."""
    await desk.write(lambda house, by, now: overrides.end_override(house, name, by, now), need="duty")
    return RedirectResponse("/duty", 303)
