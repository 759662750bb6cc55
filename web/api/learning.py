"""API of learning: suggestions and their answers, promised actions, recurrences, similar incidents."""

from __future__ import annotations

import uuid
from typing import Annotated, Any
from urllib.parse import quote

import pendulum
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pendulum import DateTime
from pydantic import BaseModel, ConfigDict, Field

from domain.command_handlers import CommandRefused
from domain.text import Text
from engine.installation import Installation
from engine.learning import meeting_agenda, promises, read_model, similar_incidents, suggestions
from engine.learning.promises import Promise
from storage import documents
from storage.incidents import incidents
from storage.incidents.incidents import UnknownIncident
from web.api.request_models import CleanText, QueryMoment
from web.api.request_models import CommandForm as Command
from web.http.page_rendering import render_page
from web.http.request_context import RequestContextDep, command_result_document
from web.schemas import documented_responses

router = APIRouter(tags=["learning"])
LONGEST = 2_000


class PromiseForm(BaseModel):
    """Owner and deadline of a promise."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(min_length=1, max_length=40, description="`14d`, or a date such as `2026-12-01`.")
    title: CleanText = Field("", max_length=160, description="In a line; else the suggestion itself.")


class AnswerForm(Command):
    """The meeting's answer to a suggestion."""

    answer: CleanText = Field(min_length=1, max_length=LONGEST, description="What is done, or why not.")
    action: PromiseForm | None = Field(None, description="The action that it promises.")
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


class PromisedActionForm(Command):
    """Action that was promised after an incident."""

    title: CleanText = Field(min_length=1, max_length=800, description="What is promised, in at most 200 characters.")
    zh: CleanText = Field("", max_length=800, description="The same in Chinese.")
    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(min_length=1, max_length=40, description="`14d`, or a date such as `2026-12-01`.")
    because: CleanText = Field("", max_length=LONGEST, description="Why, for whoever reads it later.")
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")

    def promise(self) -> Promise:
        """Promise as the engine takes it."""
        return Promise(self.owner, self.due, Text(self.title, self.zh), self.because)


@router.get("/api/suggestions", responses=documented_responses("suggestions", "Suggestions, the most voices first"))
async def list_suggestions(
    context: RequestContextDep,
    everything: Annotated[bool, Query(alias="all", description="Also those that were answered.")] = False,
    drills: Annotated[bool, Query(description="Also those of drills.")] = False,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
) -> JSONResponse:
    """List suggestions from customers' surveys, grouped by what they say; nothing names a customer."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return read_model.list_suggestions(
            installation.learning, now, everything=everything, drills=drills, limit=limit
        )

    return JSONResponse(await context.read(look))


@router.post("/api/suggestions/{name}/answer", responses=documented_responses("suggestion", "Recorded", command=True))
async def answer(name: str, form: AnswerForm, context: RequestContextDep) -> JSONResponse:
    """Record the answer to a suggestion; with `action` it promises something, with an owner and a date."""

    def act(installation: Installation, by: str, now: DateTime) -> dict[str, Any]:
        wanted = form.action
        promised = Promise(wanted.owner, wanted.due, Text(wanted.title)) if wanted else None
        found = suggestions.answer_suggestion(
            installation.learning, name, form.answer, now, command_id=form.id, by=by, promised=promised
        )
        return read_model.suggestion_row(found, [])

    return JSONResponse(await context.write(act, form.speaker))


@router.get("/api/actions", responses=documented_responses("actions", "Promises, whatever is due first first"))
async def list_actions(
    context: RequestContextDep,
    running: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
    late: Annotated[bool, Query(description="Only those whose deadline has passed.")] = False,
    origin: Annotated[str, Query(max_length=32, description="Only of that matter, such as INC-4.")] = "",
) -> JSONResponse:
    """List promised actions: of incidents, retrospectives, proposals, suggestions and failed drills."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return read_model.list_actions(installation.learning, now, running=running, late=late, origin=origin)

    return JSONResponse(await context.read(look))


@router.get("/api/actions/{ref}", responses=documented_responses("action", "The promise"))
async def show_action(ref: str, context: RequestContextDep) -> JSONResponse:
    """Show one action: owner, deadline, origin, and the proof that it was done."""
    return JSONResponse(
        await context.read(lambda installation, now: read_model.get_action(installation.learning, ref, now))
    )


@router.post(
    "/api/incidents/{ref}/actions", status_code=201, responses=documented_responses("changed", status=201, command=True)
)
async def add_action(ref: str, form: PromisedActionForm, context: RequestContextDep) -> JSONResponse:
    """Record an action that was promised after an incident, with an owner and a date; the owner is called."""

    def act(installation: Installation, by: str, now: DateTime) -> dict[str, Any]:
        return command_result_document(
            promises.add_promise(installation, ref, form.promise(), now, command_id=form.id, by=by)
        )

    found = await context.write(act, form.speaker)
    return JSONResponse(found, 201 if found["changed"] else 200)


@router.get("/api/incidents/{ref}/similar", responses=documented_responses("similar", "Past incidents like this one"))
async def show_similar(ref: str, context: RequestContextDep) -> JSONResponse:
    """List real incidents of the last year that are similar, most similar first, each with the reason."""
    return JSONResponse(
        await context.read(lambda installation, _now: similar_incidents.find_similar(installation.learning, ref))
    )


@router.get("/api/recurrences", responses=documented_responses("recurrences", "Kinds of problems that came again"))
async def list_recurrences(context: RequestContextDep) -> JSONResponse:
    """List recurrences that became a warning and an optimisation proposal, newest first."""
    return JSONResponse(
        await context.read(lambda installation, _now: read_model.list_recurrences(installation.learning))
    )


@router.get(
    "/api/improvement",
    responses=documented_responses("improvement", "The share of complaints that became an improvement"),
)
async def improvement(
    context: RequestContextDep,
    from_: Annotated[QueryMoment, Query(alias="from", description="Default: thirty days ago.")] = None,
    to: Annotated[QueryMoment, Query(description="Default: now.")] = None,
) -> JSONResponse:
    """Show how many complaints of a span became a recorded improvement, against the target."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        ends = pendulum.instance(to) if to else now
        begins = pendulum.instance(from_) if from_ else ends.subtract(days=30)
        if begins >= ends:
            raise CommandRefused("the span ends before it begins: give `from` before `to`")
        return read_model.get_improvement(installation.learning, begins, ends)

    return JSONResponse(await context.read(look))


# --- for browsers ------------------------------------------------------------------------------------------------


@router.get("/documents/{kind}/{name}/agenda.ics", include_in_schema=False)
async def download_agenda(kind: str, name: str, context: RequestContextDep) -> Response:
    """Download the meeting as an iCalendar file."""

    def look(installation: Installation, _now: DateTime) -> bytes:
        with installation.database.read() as connection:
            found = documents.load_document(connection, f"{kind}/{name}")
        if found is None or found.kind != meeting_agenda.KIND:
            raise UnknownIncident(f"there is no meeting {name[:60]!r}: `tocsin suggestions list` says when the next is")
        return meeting_agenda.make_calendar_entry(found, installation.learning.document_link(found.id))

    headers = {"content-disposition": 'attachment; filename="agenda.ics"'}
    return Response(await context.read(look), media_type="text/calendar; charset=utf-8", headers=headers)


@router.get("/incidents/{ref}/promise", include_in_schema=False)
async def show_promise_form(request: Request, ref: str, context: RequestContextDep) -> Response:
    """Show the form that records a promised action."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            incident = incidents.load_incident(connection, incidents.find_incident_id(connection, ref))
        roles = {name: role.title for name, role in installation.roster().roles.items()}
        return {"now": now, "incident": incident, "roles": roles, "command": str(uuid.uuid4())}

    # Told to send no referrer, a browser would not say either that the form comes from this very site.
    headers = {"referrer-policy": "same-origin"}
    return render_page(request, "promise.html", headers=headers, **await context.read(look))


@router.post("/incidents/{ref}/promise", include_in_schema=False)
async def submit_promise_form(
    ref: str,
    context: RequestContextDep,
    command: Annotated[str, Form(max_length=64)],
    title: Annotated[str, Form(max_length=800)],
    owner: Annotated[str, Form(max_length=60)],
    due: Annotated[str, Form(max_length=40)],
) -> Response:
    """Record an action from the form; sent twice, it is recorded once."""

    def act(installation: Installation, by: str, now: DateTime) -> None:
        promises.add_promise(installation, ref, Promise(owner, due, Text(title)), now, command_id=command, by=by)

    await context.write(act)
    return RedirectResponse(f"/incidents/{quote(ref, safe='')}#promises", 303)


def incident_learning(installation: Installation, ref: str, now: DateTime) -> dict[str, Any]:
    """Learning section of an incident's page: similar incidents, promised actions, documents."""
    service = installation.learning
    with installation.database.read() as connection:
        papers = documents.list_documents(connection, about=ref)
    return {
        "similar": similar_incidents.find_similar_cached(service, ref, now) if ref.startswith("INC-") else [],
        "promises": read_model.list_actions(service, now, running=False, late=False, origin=ref)["actions"],
        "papers": [{"id": one.id, "title": {"en": one.title.en, "zh": one.title.zh or one.title.en}} for one in papers],
    }
