"""Warnings pages: standing warnings with their reasons, the state of each rule, silences."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from engine.installation import Installation
from engine.warning import checkpoints
from storage.incidents import board, warnings
from web.api.rules import rule_states
from web.api.warnings import SilenceForm, build_silence, warning_document
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.pages.form_actions import read_form_fields
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
_ENDED: Final = 20
HOURS: Final = (1, 2, 4, 8, 24, 72)
_WORST: Final = ("firing", "recovering", "pending", "no_data", "ok")


@router.get("/warnings")
async def show_warnings(request: Request, context: RequestContextDep) -> Response:
    """Show standing warnings, the last that ended, every rule with its worst state, and silences."""
    book = state_of(request).rulebook

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        rules = list(book.all())
        with installation.database.read() as connection:
            standing = [warning_document(row) for row in warnings.list_warnings(connection)]
            recent = [
                warning_document(row)
                for row in warnings.list_warnings(connection, standing_only=False, limit=_ENDED * 3)
            ]
            known = warnings.list_rule_phases(connection, [rule.id for rule in rules])
            silences = warnings.list_silences(connection, now)
            evaluated = checkpoints.load_checkpoint(connection, "")
        return {
            "now": now, "standing": standing, "ended": [one for one in recent if one["ended_at"]][:_ENDED],
            "rules": [_rule(rule, known[rule.id]) for rule in rules], "silences": silences, "hours": HOURS,
            "evaluated": board.iso_time(evaluated),
        }  # fmt: skip

    return await render_live_page(request, context, "warnings.html", look)


@router.get("/warnings/rules/{name}")
async def show_rule_states(request: Request, name: str, context: RequestContextDep) -> Response:
    """Show a rule on each of its series, with the reason for its state."""
    book = state_of(request).rulebook

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return {"now": now, "found": rule_states(request, installation, book, book.get(name), now)}

    return await render_live_page(request, context, "rule.html", look)


@router.post("/warnings/silences")
async def create_silence(request: Request, context: RequestContextDep) -> Response:
    """Create a silence from the page: of a rule, for some hours, with a reason."""
    given = await read_form_fields(request)

    def act(_installation: Installation, by: str, now: DateTime) -> None:
        hours = given.get("hours", "")
        until = now.add(hours=int(hours) if hours.isdecimal() and int(hours) in HOURS else 1)
        service = given.get("service", "").strip()
        form = SilenceForm(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, repr((by, sorted(given.items()), now.format("YYYYMMDDHHmm"))))),
            rule=given.get("rule", "")[:64], labels={"service": service[:80]} if service else {}, until=until,
            reason=given.get("reason", "")[:400] or "-",
        )  # fmt: skip
        wanted = build_silence(form, by, now)
        with context.installation.database.write() as connection:
            warnings.add_silence(connection, wanted, now)

    await context.write(act, need="silence")
    return RedirectResponse("/warnings#silences", 303)


@router.post("/warnings/silences/{name}/end")
async def end_silence(name: str, context: RequestContextDep) -> Response:
    """End a silence now."""

    def act(installation: Installation, _by: str, now: DateTime) -> None:
        with installation.database.write() as connection:
            warnings.end_silence(connection, name, now)

    await context.write(act, need="silence")
    return RedirectResponse("/warnings#silences", 303)


def _rule(rule: Any, phases: list[str]) -> dict[str, Any]:
    worst = next((phase for phase in _WORST if phase in phases), "ok")
    return {"id": rule.id, "title": board.both_languages(rule.title), "phase": worst, "series": len(phases)}
