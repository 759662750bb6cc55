"""API of warning rules: the rules in force, and the reason for each state."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.warning.calendar import rule_at
from domain.warning.explanation import explain_state
from domain.warning.rule import Rule
from engine.installation import Installation
from engine.warning import checkpoints
from playbooks.rule_document import to_document
from playbooks.rulebook import Rulebook
from storage.incidents import board
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(prefix="/api/rules", tags=["warnings"])


@router.get("", responses=documented_responses("rules", "Every rule in force"))
async def list_rules(request: Request, context: RequestContextDep) -> JSONResponse:
    """List every warning rule, of every profile, in the form of its file."""
    book = state_of(request).rulebook

    def look(_installation: Installation, _now: DateTime) -> dict[str, Any]:
        metrics = book.metrics()
        return {"rules": [to_document(rule, metrics[rule.metric]) for rule in book.all()]}

    return JSONResponse(await context.read(look))


@router.get("/{name}", responses=documented_responses("rule", "The rule, and how it stands on each of its series"))
async def show_rule(request: Request, name: str, context: RequestContextDep) -> JSONResponse:
    """Show one rule, and for each of its series the state with a sentence of explanation."""
    book = state_of(request).rulebook

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return rule_states(request, installation, book, book.get(name), now)

    return JSONResponse(await context.read(look))


def rule_states(
    request: Request, installation: Installation, book: Rulebook, rule: Rule, now: DateTime
) -> dict[str, Any]:
    """Rule with the state of each of its series and the reason."""
    from engine.warning.current_state import read_current_states  # noqa: PLC0415 - columns are heavy, and few requests ask for them

    calendar, metric = book.calendar(), book.metrics()[rule.metric]
    now_in_force = rule_at(rule, calendar.campaigns, now)
    series = []
    for seen in read_current_states(installation, state_of(request).samples.figures, rule, calendar, now):
        standing, reading = seen.rule_state, seen.reading
        series.append(
            {
                "labels": dict(seen.series),
                "phase": str(standing.phase),
                "tier": str(standing.tier) if standing.tier else None,
                "since": board.iso_time(standing.since),
                "firing_since": board.iso_time(standing.firing_since),
                "silent": standing.silent,
                "value": reading.value,
                "baseline": reading.baseline,
                "events": reading.events,
                "why": board.both_languages(explain_state(now_in_force, standing, reading, metric)),
            }
        )
    with installation.database.read() as connection:
        said = checkpoints.load_evaluator_facts(connection)
    return {
        "id": rule.id,
        "title": board.both_languages(rule.title),
        "rule": to_document(rule, metric),
        "at": now.isoformat(),
        "evaluated_by": said[0].get("engine") if said else None,
        "series": series,
    }
