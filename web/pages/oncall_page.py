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
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
HOURS: Final = (1, 4, 8, 12, 24, 72)


@router.get("/duty")
async def show_oncall(request: Request, context: RequestContextDep) -> Response:
    """Show every role: who has it, the backup, until when; and the coming days as a chart."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        days = read_model.list_shifts(installation, now)
        return {
            "now": now,
            "days": days,
            "roles": read_model.list_on_duty(installation, now),
            "overrides": read_model.list_overrides(installation, now),
            "people": {one.id: one.name for one in installation.roster().people.values()},
            "hours": HOURS,
        }

    return await render_live_page(request, context, "duty.html", look, shifts=shift_chart)


@router.post("/duty/overrides")
async def create_override(request: Request, context: RequestContextDep) -> Response:
    """Create an override from now for some hours: that person gets the role and its open steps."""
    given = await read_form_fields(request)

    def act(installation: Installation, by: str, now: DateTime) -> None:
        hours = given.get("hours", "")
        length = int(hours) if hours.isdecimal() and int(hours) in HOURS else HOURS[0]
        name = repr((by, sorted(given.items()), now.format("YYYYMMDDHHmm")))  # pressed twice it is one
        wanted = DutyOverride(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), role=given.get("role", "")[:100],
            person=given.get("person", "")[:100], start=now, end=now.add(hours=length),
            reason=given.get("reason", "").strip()[:500], by=by, made_at=now,
        )  # fmt: skip
        overrides.add_override(installation, wanted)

    await context.write(act, need="duty")
    return RedirectResponse("/duty", 303)


@router.post("/duty/overrides/{name}/end")
async def end_override(name: str, context: RequestContextDep) -> Response:
    """End an override now."""
    await context.write(lambda installation, by, now: overrides.end_override(installation, name, by, now), need="duty")
    return RedirectResponse("/duty", 303)
