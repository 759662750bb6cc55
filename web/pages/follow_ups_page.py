"""Follow-up pages: each follow-up against its targets, and the customers to call; contacts stay masked."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from engine.customers import survey_answers
from engine.installation import Installation
from storage.customers import follow_ups
from web.api.customers import follow_up_document, follow_up_summary
from web.http.request_context import RequestContextDep
from web.pages.form_actions import read_form_fields
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
_LISTED: Final = 30
_CALLS: Final = 100


@router.get("/follow-ups")
async def show_follow_ups(request: Request, context: RequestContextDep) -> Response:
    """Show every incident with a follow-up, newest first."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            found = follow_ups.list_follow_ups(connection, _LISTED)
        customers = installation.customers
        return {"now": now, "rows": [{**row, "card": follow_up_summary(customers, row["ref"])} for row in found]}

    return await render_live_page(request, context, "follow-ups.html", look)


@router.get("/follow-ups/{ref}")
async def show_follow_up(
    request: Request, ref: str, context: RequestContextDep, after: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> Response:
    """Show one follow-up: its figures, and the customers whom a person calls."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        found = follow_up_document(installation.customers, ref, calls=True, limit=_CALLS, after=after)
        return {"now": now, "found": found, "after": after, "more": len(found["customers"]) == _CALLS, "step": _CALLS}

    return await render_live_page(request, context, "follow-up.html", look)


@router.post("/follow-ups/{ref}/called")
async def record_call(request: Request, ref: str, context: RequestContextDep) -> Response:
    """Record from the page that a customer was called."""
    given = await read_form_fields(request)

    def act(installation: Installation, by: str, now: DateTime) -> None:
        note = given.get("note", "")[:2_000]
        survey_answers.record_callback(
            installation.customers, ref, given.get("customer", "")[:200], now, by=by, note=note
        )

    await context.write(act, need="customers")
    return RedirectResponse(f"/follow-ups/{quote(ref, safe='')}", 303)
