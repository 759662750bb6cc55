"""The API of what is learned: suggestions and their answers, promises, what recurs, what is similar."""

from __future__ import annotations

import uuid
from typing import Annotated, Any
from urllib.parse import quote

import pendulum
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pendulum import DateTime
from pydantic import BaseModel, ConfigDict, Field

from domain.handle import Refused
from domain.text import Text
from engine.house import House
from engine.learning import agenda, promises, showing, similar, suggestions
from engine.learning.desk import learning_of
from engine.learning.promises import Promise
from storage import documents, incidents
from storage.incidents import UnknownIncident
from web.desk import AtDesk, plain
from web.forms import AskedMoment, Words
from web.forms import Form as Command
from web.language import page
from web.schemas import answers

router = APIRouter(tags=["learning"])
LONGEST = 2_000


class PromiseForm(BaseModel):
    """Who does it, by when."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(min_length=1, max_length=40, description="`14d`, or a date such as `2026-12-01`.")
    title: Words = Field("", max_length=160, description="In a line; else the suggestion itself.")


class AnswerForm(Command):
    """What the meeting answers to a suggestion."""

    answer: Words = Field(min_length=1, max_length=LONGEST, description="What is done, or why not.")
    action: PromiseForm | None = Field(None, description="The action that it promises.")
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


class ActionForm(Command):
    """A measure that was promised."""

    title: Words = Field(min_length=1, max_length=800, description="What is promised, in at most 200 characters.")
    zh: Words = Field("", max_length=800, description="The same in Chinese.")
    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(min_length=1, max_length=40, description="`14d`, or a date such as `2026-12-01`.")
    because: Words = Field("", max_length=LONGEST, description="Why, for whoever reads it later.")
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")

    def promise(self) -> Promise:
        """As the engine has it."""
        return Promise(self.owner, self.due, Text(self.title, self.zh), self.because)


@router.get("/api/suggestions", responses=answers("suggestions", "Suggestions, the most voices first"))
async def list_suggestions(
    desk: AtDesk,
    everything: Annotated[bool, Query(alias="all", description="Also those that were answered.")] = False,
    drills: Annotated[bool, Query(description="Also those of drills.")] = False,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
) -> JSONResponse:
    """What customers suggested in surveys, gathered by what they say; nothing of it names a customer."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return showing.suggestions(learning_of(house), now, everything=everything, drills=drills, limit=limit)

    return JSONResponse(await desk.read(look))


@router.post("/api/suggestions/{name}/answer", responses=answers("suggestion", "Recorded", command=True))
async def answer(name: str, form: AnswerForm, desk: AtDesk) -> JSONResponse:
    """Record the answer to a suggestion; with `action` it promises something, with an owner and a date."""

    def act(house: House, by: str, now: DateTime) -> dict[str, Any]:
        wanted = form.action
        promised = Promise(wanted.owner, wanted.due, Text(wanted.title)) if wanted else None
        found = suggestions.answer(
            learning_of(house), name, form.answer, now, command_id=form.id, by=by, promised=promised
        )
        return showing.suggestion(found, [])

    return JSONResponse(await desk.write(act, form.speaker))


@router.get("/api/actions", responses=answers("actions", "Promises, whatever is due first first"))
async def list_actions(
    desk: AtDesk,
    running: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
    late: Annotated[bool, Query(description="Only those whose deadline has passed.")] = False,
    origin: Annotated[str, Query(max_length=32, description="Only of that matter, such as INC-4.")] = "",
) -> JSONResponse:
    """What was promised: measures, actions of retrospectives, proposals, suggestions and failed drills."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return showing.actions(learning_of(house), now, running=running, late=late, origin=origin)

    return JSONResponse(await desk.read(look))


@router.get("/api/actions/{ref}", responses=answers("action", "The promise"))
async def show_action(ref: str, desk: AtDesk) -> JSONResponse:
    """One promise: owner, deadline, where it comes from, what proves that it was done."""
    return JSONResponse(await desk.read(lambda house, now: showing.action(learning_of(house), ref, now)))


@router.post("/api/incidents/{ref}/actions", status_code=201, responses=answers("changed", status=201, command=True))
async def add_action(ref: str, form: ActionForm, desk: AtDesk) -> JSONResponse:
    """Record a measure that was promised after an incident: an action with an owner and a date, which calls them."""

    def act(house: House, by: str, now: DateTime) -> dict[str, Any]:
        return plain(promises.add(house, ref, form.promise(), now, command_id=form.id, by=by))

    found = await desk.write(act, form.speaker)
    return JSONResponse(found, 201 if found["changed"] else 200)


@router.get("/api/incidents/{ref}/similar", responses=answers("similar", "Past incidents like this one"))
async def show_similar(ref: str, desk: AtDesk) -> JSONResponse:
    """Real incidents of the year before that are like this one, the most alike first, each with why."""
    return JSONResponse(await desk.read(lambda house, _now: similar.similar(learning_of(house), ref)))


@router.get("/api/recurrences", responses=answers("recurrences", "Kinds of problems that came again"))
async def list_recurrences(desk: AtDesk) -> JSONResponse:
    """What came so often that it became a warning and an optimisation proposal, the newest first."""
    return JSONResponse(await desk.read(lambda house, _now: showing.recurrences(learning_of(house))))


@router.get("/api/improvement", responses=answers("improvement", "The share of complaints that became an improvement"))
async def improvement(
    desk: AtDesk,
    from_: Annotated[AskedMoment, Query(alias="from", description="Default: thirty days ago.")] = None,
    to: Annotated[AskedMoment, Query(description="Default: now.")] = None,
) -> JSONResponse:
    """How many complaints of a span became a recorded improvement, against the aim."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        ends = pendulum.instance(to) if to else now
        begins = pendulum.instance(from_) if from_ else ends.subtract(days=30)
        if begins >= ends:
            raise Refused("the span ends before it begins: give `from` before `to`")
        return showing.improvement(learning_of(house), begins, ends)

    return JSONResponse(await desk.read(look))


# --- for browsers ------------------------------------------------------------------------------------------------


@router.get("/documents/{kind}/{name}/agenda.ics", include_in_schema=False)
async def calendar(kind: str, name: str, desk: AtDesk) -> Response:
    """The meeting as a calendar takes it."""

    def look(house: House, _now: DateTime) -> bytes:
        with house.database.read() as connection:
            found = documents.load(connection, f"{kind}/{name}")
        if found is None or found.kind != agenda.KIND:
            raise UnknownIncident(f"there is no meeting {name[:60]!r}: `tocsin suggestions list` says when the next is")
        return agenda.calendar_entry(found, learning_of(house).document_link(found.id))

    headers = {"content-disposition": 'attachment; filename="agenda.ics"'}
    return Response(await desk.read(look), media_type="text/calendar; charset=utf-8", headers=headers)


@router.get("/incidents/{ref}/promise", include_in_schema=False)
async def show_form(request: Request, ref: str, desk: AtDesk) -> Response:
    """The form by which a measure is recorded."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            incident = incidents.load_incident(connection, incidents.find(connection, ref))
        roles = {name: role.title for name, role in house.roster().roles.items()}
        return {"now": now, "incident": incident, "roles": roles, "command": str(uuid.uuid4())}

    # Told to send no referrer, a browser would not say either that the form comes from this very site.
    headers = {"referrer-policy": "same-origin"}
    return page(request, "promise.html", headers=headers, **await desk.read(look))


@router.post("/incidents/{ref}/promise", include_in_schema=False)
async def add_by_form(
    ref: str,
    desk: AtDesk,
    command: Annotated[str, Form(max_length=64)],
    title: Annotated[str, Form(max_length=800)],
    owner: Annotated[str, Form(max_length=60)],
    due: Annotated[str, Form(max_length=40)],
) -> Response:
    """Recorded by the form; sent twice, it is recorded once."""

    def act(house: House, by: str, now: DateTime) -> None:
        promises.add(house, ref, Promise(owner, due, Text(title)), now, command_id=command, by=by)

    await desk.write(act)
    return RedirectResponse(f"/incidents/{quote(ref, safe='')}#promises", 303)


def on_page(house: House, ref: str, now: DateTime) -> dict[str, Any]:
    """What an incident's page shows of it: what is similar, what was promised, what was written."""
    desk = learning_of(house)
    with house.database.read() as connection:
        papers = documents.listing(connection, about=ref)
    return {
        "similar": similar.remembered(desk, ref, now) if ref.startswith("INC-") else [],
        "promises": showing.actions(desk, now, running=False, late=False, origin=ref)["actions"],
        "papers": [{"id": one.id, "title": {"en": one.title.en, "zh": one.title.zh or one.title.en}} for one in papers],
    }
