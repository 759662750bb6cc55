"""Incident API: declare, list, show, timeline, attach, merge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.commands import Attach, Declare, Merge
from engine.installation import Installation
from engine.response import commands
from storage.incidents import board, incidents, timeline
from storage.incidents.incident_document import load_incident_document as whole_of
from web.api.request_models import AttachForm, DeclareForm, MergeForm
from web.api.timeline_wording import describe_fact
from web.http.request_context import RequestContextDep, command_result_document
from web.schemas import documented_responses

router = APIRouter(prefix="/api/incidents", tags=["incidents"])


@router.post("", status_code=201, responses=documented_responses("declared", "Declared", status=201, command=True))
async def declare(form: DeclareForm, context: RequestContextDep) -> JSONResponse:
    """Declare an incident. Its first notices are in the outbox when this answers; a known id answers 200."""
    context.installation.library.get(form.playbook)  # an unknown one is a 404
    answer = await context.declare(
        lambda by: Declare(
            id=form.id, title=form.title, playbook=form.playbook, severity=form.severity, origin=form.origin,
            service=form.service, kind=form.kind, by=by, since=form.since, impact=form.impact.impact(),
            drill=form.drill, pace=form.pace,
        )
    )  # fmt: skip
    document = {"id": answer.incident_id, "ref": answer.ref, "status": answer.status}
    return JSONResponse(document, 201 if answer.changed else 200)


@router.get("", responses=documented_responses("incidents", "Incidents, the newest first"))
async def list_incidents(
    context: RequestContextDep,
    status: Literal["open", "all"] = "open",
    limit: Annotated[int, Query(ge=1, le=board.MOST)] = 50,
    before: Annotated[str, Query(max_length=64, description="A reference: only what was declared before it.")] = "",
) -> JSONResponse:
    """Incidents with their current stage, who was called, who acknowledged, and what comes next."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            found = board.list_board_rows(
                connection,
                installation.roster(),
                now,
                status=status,
                limit=limit,
                before=before,
                urgent_first=status == "open" and not before,
            )
        return {"now": now.isoformat(), "incidents": found}

    return JSONResponse(await context.read(look))


@router.get("/{ref}", responses=documented_responses("incident", "The incident whole"))
async def show(ref: str, context: RequestContextDep) -> JSONResponse:
    """Show an incident with its stages, steps, texts, notices and publications."""
    return JSONResponse(await context.read(lambda installation, now: incident_document(installation, ref, now)))


def incident_document(installation: Installation, ref: str, now: DateTime) -> dict[str, Any]:
    """Document of an incident, with its links."""
    with installation.database.read() as connection:
        document = whole_of(connection, ref, installation.roster(), now)
    base = installation.settings.links_url
    links = {
        "page": f"{base}/incidents/{document['ref']}",
        "timeline": f"{base}/api/incidents/{document['ref']}/timeline",
    }
    return {"now": now.isoformat(), **document, "links": links}


@router.get("/{ref}/timeline", responses=documented_responses("timeline", "What happened, in order"))
async def show_timeline(
    ref: str,
    context: RequestContextDep,
    after: Annotated[int, Query(ge=0, description="Only facts after that number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> JSONResponse:
    """Show the timeline in order, each fact with a sentence in English and Chinese."""
    return JSONResponse(
        await context.read(lambda installation, _now: timeline_document(installation, ref, after=after, limit=limit))
    )


def timeline_document(
    installation: Installation, ref: str, *, after: int = 0, limit: int = 1_000, last: int = 0
) -> dict[str, Any]:
    """Document of a timeline; `last`: only so many facts from its end."""
    roster = installation.roster()
    with installation.database.read() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incident = incidents.load_incident(connection, incident_id)
        if last:
            after = max(after, incidents.count_facts(connection, incident_id) - last)
        entries = timeline.read_timeline(connection, incident_id, after=after, limit=limit)
    return {
        "ref": incident.ref,
        "entries": [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "kind": entry.kind,
                "step": entry.step,
                "by": entry.by,
                "by_name": roster.name(entry.by),
                "says": describe_fact(entry, roster),
                "run_id": entry.run_id,
                "data": entry.data,
            }
            for entry in entries
        ],
    }


@router.get("/{ref}/timeline/verify", responses=documented_responses("verified", "Whether the chain of hashes holds"))
async def verify(ref: str, context: RequestContextDep) -> JSONResponse:
    """Verify that no fact was altered, removed or added since it was recorded."""

    def look(installation: Installation, _now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            incident_id = incidents.find_incident_id(connection, ref)
            problem = timeline.verify_chain(connection, incident_id)
            found = incidents.load_incident(connection, incident_id).ref
        return {"ref": found, "ok": problem is None, "problem": problem}

    return JSONResponse(await context.read(look))


@router.post("/{ref}/attach", responses=documented_responses("changed", command=True))
async def attach(ref: str, form: AttachForm, context: RequestContextDep) -> JSONResponse:
    """Run another playbook for the same incident, for example once an outage turns public."""

    def act(installation: Installation, by: str, now: DateTime) -> commands.CommandResult:
        installation.library.get(form.playbook)
        command = Attach(id=form.id, incident=ref, by=by, playbook=form.playbook, since=form.since)
        return commands.attach_playbook(installation, command, now)

    return JSONResponse(command_result_document(await context.write(act, need="attach")))


@router.post("/{ref}/merge", responses=documented_responses("changed", command=True))
async def merge(ref: str, form: MergeForm, context: RequestContextDep) -> JSONResponse:
    """Merge a duplicate: this incident is cancelled, the other goes on. Both timelines name each other."""

    def act(installation: Installation, by: str, now: DateTime) -> commands.CommandResult:
        return commands.merge_incidents(installation, Merge(id=form.id, incident=ref, by=by, into=form.into), now)

    return JSONResponse(command_result_document(await context.write(act, need="merge")))
