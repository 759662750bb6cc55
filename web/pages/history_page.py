"""History page: search of past incidents, monthly time to acknowledge, to first statement, share in time."""

from __future__ import annotations

from typing import Annotated, Any, Final

import pendulum
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from domain.command_handlers import CommandRefused
from engine.installation import Installation
from storage.incidents import board, past_incidents
from storage.incidents.past_incidents import IncidentQuery, MonthSummary
from web.app_state import state_of
from web.http.page_rendering import negotiate_time_zone, render_page
from web.http.request_context import RequestContextDep
from web.pages.charts import bar_chart

router = APIRouter(include_in_schema=False)
_MINUTE: Final = 60.0


@router.get("/history")
async def show_history(  # noqa: PLR0913, PLR0917 - each narrows the list
    request: Request,
    context: RequestContextDep,
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=80)] = "",
    playbook: Annotated[str, Query(max_length=100)] = "",
    person: Annotated[str, Query(max_length=100)] = "",
    month: Annotated[str, Query(max_length=7)] = "",
    drills: Annotated[bool, Query()] = False,
    before: Annotated[int, Query(ge=0, le=10**12)] = 0,
) -> Response:
    """Show the search and the monthly charts."""
    zone = negotiate_time_zone(request)
    since, until = _span(month, zone)
    wanted = IncidentQuery(q, service, playbook, person, since, until, drills, before)
    months = state_of(request).months

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            rows = past_incidents.search_incidents(connection, wanted)
            services = board.list_services(connection)
        roster = installation.roster()
        return {
            "now": now,
            "rows": rows,
            "services": services,
            "months": months.get(zone, now),
            "playbooks": [
                {"id": one.id, "title": board.both_languages(one.title)} for one in installation.library.all()
            ],
            "persons": {one.id: one.name for one in roster.people.values()},
        }

    asked = {"q": q, "service": service, "playbook": playbook, "person": person, "month": month, "drills": drills}
    found = await context.read(look)
    more = str(request.url.include_query_params(before=found["rows"][-1]["number"]).query) if _full(found) else ""
    return render_page(request, "history.html", asked=asked, more=more, plots=monthly_charts(found["months"]), **found)


def _full(found: dict[str, Any]) -> bool:
    return len(found["rows"]) == past_incidents.PAGE_SIZE


def monthly_charts(months: dict[str, MonthSummary]) -> dict[str, Any]:
    """Monthly charts by label: incidents, minutes to acknowledge, minutes to first statement, share in time."""

    def drawn(values: dict[str, float | None]) -> Any:
        return lambda label: bar_chart([(name[2:], value) for name, value in values.items()], label)

    return {
        "incidents": drawn({name: float(one.incidents) or None for name, one in months.items()}),
        "mtta": drawn({name: one.mtta and one.mtta / _MINUTE for name, one in months.items()}),
        "first": drawn({name: one.first_word and one.first_word / _MINUTE for name, one in months.items()}),
        "in_time": drawn({
            name: None if one.share_in_time is None else one.share_in_time * 100 for name, one in months.items()
        }),
    }  # fmt: skip


def _span(month: str, zone: str) -> tuple[DateTime | None, DateTime | None]:
    """From when to when; a month that is none is refused."""
    if not month:
        return None, None
    try:
        first = pendulum.from_format(month, "YYYY-MM", tz=zone)
    except ValueError:
        raise CommandRefused(f"{month!r} is no month: write for example 2026-10") from None
    return first.in_timezone("UTC"), first.add(months=1).in_timezone("UTC")
