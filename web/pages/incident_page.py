"""Incident page: the next deadline first, then what waits for the reader, then everything."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime
from starlette.requests import Request

from domain.facts import FactKind
from domain.incident import CaseType
from engine.installation import Installation
from locales.state_words import purpose_label
from storage.incidents import board, incidents
from web.api.customers import follow_up_summary
from web.api.incidents import incident_document, timeline_document
from web.api.learning import incident_learning
from web.auth.authentication import Principal
from web.http.navigation import TIMELINE_FILTERS
from web.http.request_context import RequestContextDep
from web.pages.live_page import render_live_page
from web.pages.timeline_chart import timeline_svg

router = APIRouter(include_in_schema=False)
K = FactKind
_REF: Final = re.compile(r"[A-Z]{3}-[1-9][0-9]*")
LAST_FACTS: Final = 200
MOST_FACTS: Final = 5_000
_LIVE_STATES: Final = frozenset({"open", "acknowledged", "waiting"})
_BEGUN: Final = frozenset({"open", "acknowledged"})


@router.get("/incidents")
async def redirect_to_board() -> Response:
    """Redirect to the board with all incidents."""
    return RedirectResponse("/?all=true", 307)


@router.get("/incidents/{ref}")
async def show_incident(
    request: Request,
    ref: str,
    context: RequestContextDep,
    facts_after: Annotated[int, Query(ge=-1)] = -1,
    kind: Annotated[str, Query(max_length=20)] = "",
    by: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Show one whole incident."""
    filters = {"kind": kind, "by": by, "after": facts_after}

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        document = incident_document(installation, ref, now)
        told, count = _told(installation, document["ref"], filters)
        with installation.database.read() as connection:
            same = CaseType.INCIDENT if document["ref"].startswith("INC-") else CaseType.WARNING
            others = board.list_open_cases(connection, same, drill=document["drill"])
        roster = installation.roster()
        return {
            "now": now,
            "incident": document,
            "entries": told,
            "corrected": {e["data"]["corrects"]: e["seq"] for e in told if e["kind"] == K.CORRECTED},
            "seen": count,
            "filters": filters,
            "port": installation.settings.prefect_port,
            "others": [one for one in others if one["ref"] != document["ref"]],
            "playbooks": [
                {"id": one.id, "title": board.both_languages(one.title)} for one in installation.library.all()
            ],
            "running": [one["id"] for one in document["playbooks"]],
            "everybody": {one.id: one.name for one in roster.people.values()},
            **incident_learning(installation, document["ref"], now),
            "follow": follow_up_summary(installation.customers, ref),
            **_at_a_glance(document, context.principal),
        }

    if not _REF.fullmatch(ref):  # inc-1, 1 and an id lead to the one page of that incident
        known = await context.read(lambda installation, _now: _ref_of(installation, ref))
        if known != ref:
            return RedirectResponse(f"/incidents/{quote(known)}", 307)
    return await render_live_page(request, context, "incident.html", look, purpose=purpose_label, picture=timeline_svg)


def _ref_of(installation: Installation, name: str) -> str:
    with installation.database.read() as connection:
        return incidents.load_incident(connection, incidents.find_incident_id(connection, name)).ref


def _told(installation: Installation, ref: str, filters: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The facts that are wanted, and how many there are in all."""
    narrowed = bool(filters["kind"] or filters["by"])
    whole_of_it = narrowed or filters["after"] >= 0
    told = timeline_document(
        installation, ref, after=max(0, filters["after"]), limit=MOST_FACTS, last=0 if whole_of_it else LAST_FACTS
    )["entries"]  # fmt: skip
    count = told[-1]["seq"] if told else 0
    wanted = TIMELINE_FILTERS.get(filters["kind"])
    found = [
        entry
        for entry in told
        if (wanted is None or (entry["kind"] in wanted.kinds if wanted.kinds else entry["by"]))
        and (not filters["by"] or filters["by"] in (entry["by"], *_named(entry)))
    ]
    return found, count


def _named(entry: dict[str, Any]) -> list[str]:
    """Whom else a fact is about."""
    data = entry["data"]
    return [str(data[name]) for name in ("owner", "to", "silent", "person") if data.get(name)]


def _at_a_glance(document: dict[str, Any], principal: Principal) -> dict[str, Any]:
    """What one looks for first: the clock that runs, what is next, who was called and who answered, what is mine."""
    stages = [_drawn(stage) for stage in document["stages"]]
    each = [(stage, step) for stage in stages for step in stage["steps"]]
    begun = [(stage, step) for stage, step in each if step["state"] in _BEGUN]
    waiting = [(stage, step) for stage, step in each if step["state"] == "waiting"]
    due = sorted(begun, key=lambda pair: str(pair[1]["due_at"])) or sorted(waiting, key=lambda p: str(p[1]["opens_at"]))
    people = document["people"]
    called = [name for _, step in begun if step["state"] == "open" for name in step["called"]]
    answered = [step["holder"] for _, step in begun if step["state"] == "acknowledged"]
    answered += [step["done_by"] for _, step in each if step["state"] == "done" and step["done_by"]]
    me = principal.by
    mine = [
        (stage, step)
        for stage, step in sorted(begun, key=lambda pair: str(pair[1]["due_at"]))
        if me and (step["holder"] == me if step["state"] == "acknowledged" else me in step["called"])
    ]
    return {
        "stages": stages,
        "stage_now": due[0][0] if due else None,
        "next": due[0][1] if due else None,
        "called": [people.get(name, name) for name in dict.fromkeys(called)],
        "answered": [people.get(name, name) for name in dict.fromkeys(answered)],
        "mine": mine,
        "people": people,
    }


def _drawn(stage: dict[str, Any]) -> dict[str, Any]:
    """A stage as the page shows it: the round that is on, and the earlier ones folded away."""
    states = {step["id"]: step["state"] for step in stage["steps"]}
    for step in stage["steps"]:
        step["ready"] = all(states.get(need) in ("done", "skipped", None) for need in step["needs"])
    current = [step for step in stage["steps"] if step["round"] == stage["round"] or step["state"] in _LIVE_STATES]
    earlier = [step for step in stage["steps"] if step not in current]
    return {**stage, "current": current, "earlier": earlier}
