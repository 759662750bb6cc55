"""The API of warning rules: which there are, and why each is in its state."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.warning.calendar import rule_at
from domain.warning.explaining import explain
from domain.warning.rule import Rule
from engine.house import House
from engine.warning import marks
from playbooks.rule_document import to_document
from playbooks.rulebook import Rulebook
from storage import board
from web.desk import AtDesk
from web.schemas import answers

router = APIRouter(prefix="/api/rules", tags=["warnings"])


@router.get("", responses=answers("rules", "Every rule in force"))
async def list_rules(request: Request, desk: AtDesk) -> JSONResponse:
    """Every warning rule, of whichever profile, as its file would have it."""
    book: Rulebook = request.app.state.rulebook

    def look(_house: House, _now: DateTime) -> dict[str, Any]:
        metrics = book.metrics()
        return {"rules": [to_document(rule, metrics[rule.metric]) for rule in book.all()]}

    return JSONResponse(await desk.read(look))


@router.get("/{name}", responses=answers("rule", "The rule, and how it stands on each of its series"))
async def show_rule(request: Request, name: str, desk: AtDesk) -> JSONResponse:
    """One rule, and for each of its series its state with a sentence that says why."""
    book: Rulebook = request.app.state.rulebook

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return standings(request, house, book, book.get(name), now)

    return JSONResponse(await desk.read(look))


def standings(request: Request, house: House, book: Rulebook, rule: Rule, now: DateTime) -> dict[str, Any]:
    """A rule with each of its series and why it stands there."""
    from engine.warning.look import look  # noqa: PLC0415 - columns are heavy, and few requests ask for them

    calendar, metric = book.calendar(), book.metrics()[rule.metric]
    now_in_force = rule_at(rule, calendar.campaigns, now)
    series = []
    for seen in look(house, request.app.state.figures.figures, rule, calendar, now):
        standing, reading = seen.standing, seen.reading
        series.append(
            {
                "labels": dict(seen.series),
                "phase": str(standing.phase),
                "tier": str(standing.tier) if standing.tier else None,
                "since": board.iso(standing.since),
                "firing_since": board.iso(standing.firing_since),
                "silent": standing.silent,
                "value": reading.value,
                "baseline": reading.baseline,
                "events": reading.events,
                "why": board.both(explain(now_in_force, standing, reading, metric)),
            }
        )
    with house.database.read() as connection:
        said = marks.said(connection)
    return {
        "id": rule.id,
        "title": board.both(rule.title),
        "rule": to_document(rule, metric),
        "at": now.isoformat(),
        "evaluated_by": said[0].get("engine") if said else None,
        "series": series,
    }
