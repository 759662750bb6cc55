"""API of samples: intake of service metrics, replays, state of the sources."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pendulum
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.access import AccessRole
from domain.command_handlers import CommandRefused
from engine.samples.intake import IntakeResult
from engine.samples.parser import UnreadableBatch, is_replay_feed
from storage.samples import replays, source_states
from storage.samples.program_tokens import find_program
from storage.samples.replays import Replay, ReplayEnded
from storage.samples.source_states import SourceState
from web.api.sample_service import SampleService
from web.app_state import state_of
from web.auth.authentication import (
    AccessDenied,
    NotAuthenticated,
    Principal,
    authenticate,
    read_credentials,
    require_permission,
)
from web.schemas import documented_responses

router = APIRouter(tags=["figures"])


async def _authenticate(request: Request, service: SampleService, need: AccessRole | str) -> Principal:
    """Authenticate the client: a program's token, a person's token or session, or the console.

    Raises:
        NotAuthenticated: none of them.
        AccessDenied: somebody who may not.
    """

    def look() -> Principal:
        if asked.token and (program := find_program(service.figures, asked.token)) is not None:
            return Principal(program, auth_method="token", scopes=("samples",))
        found = authenticate(service.installation, asked, service.clock())
        require_permission(found, need)
        return found

    principal = Principal()
    try:
        asked = read_credentials(request, service.installation)
        if not asked.token and not asked.session:
            principal = authenticate(
                service.installation, asked, service.clock()
            )  # without a token nothing is looked up
        else:
            principal = await asyncio.get_running_loop().run_in_executor(state_of(request).readers, look)
    except (NotAuthenticated, AccessDenied) as refused:
        state_of(request).audit.record_refusal(request, principal, str(refused))
        if isinstance(refused, NotAuthenticated) and "authorization" in request.headers:
            raise NotAuthenticated("this token is nobody's: get one with `tocsin samples token NAME`") from None
        raise
    request.state.principal = principal
    return principal


async def _sample_service(request: Request) -> SampleService:
    service = state_of(request).samples
    await _authenticate(request, service, "look" if request.method == "GET" else "samples")
    return service


SampleServiceDep = Annotated[SampleService, Depends(_sample_service)]


@router.post(
    "/api/samples", status_code=202, responses=documented_responses("samples", "Committed", status=202, command=True)
)
async def push(request: Request, service: SampleServiceDep) -> JSONResponse:
    """Take samples: a list of `{"metric", "time", "value", "count", "labels"}`, or `{"samples": [...], "lane"}`.

    Answered once they are committed. The good ones are taken, the others are named with the reason; 422 if there was
    none to take. A repeat counts once, so a batch whose answer was lost is simply pushed again.
    """
    try:
        outcome = await service.take_samples(await request.body())
    except UnreadableBatch as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)
    return intake_response(outcome)


def intake_response(outcome: IntakeResult) -> JSONResponse:
    """Response to a push: 422 where no sample could be taken."""
    document = outcome.document()
    if outcome.faults and not (outcome.taken or outcome.duplicates):
        first = min(outcome.faults, key=lambda fault: fault.index)
        return JSONResponse({"error": f"none was taken; sample {first.index}: {first.reason}", **document}, 422)
    return JSONResponse(document, 202)


class PositionForm(BaseModel):
    """Position of a replay."""

    model_config = ConfigDict(extra="forbid")

    position: AwareDatetime = Field(description="Everything before it was pushed.")
    speed: float = Field(default=1.0, gt=0, le=1e6, description="How many times real time.")
    ended: bool = Field(default=False, description="Nothing more comes.")


@router.put("/api/replays/{lane}", responses=documented_responses("replay", "Where it is", command=True))
async def announce(lane: str, form: PositionForm, service: SampleServiceDep) -> JSONResponse:
    """Set the position of a replay, which the first call creates. Its ticks are evaluated up to there."""
    if not is_replay_feed(lane):
        raise CommandRefused("a lane is replay- and a name in a-z, 0-9 and -, for example replay-bad-day")
    position = pendulum.instance(form.position).in_timezone("UTC")

    def work() -> Replay:
        return replays.announce_position(
            service.figures, lane, position, service.clock(), speed=form.speed, ended=form.ended
        )

    try:
        return JSONResponse(_replay(await service.run_in_store_thread(work)))
    except ReplayEnded as ended:
        raise CommandRefused(str(ended)) from None


@router.get("/api/replays/{lane}", responses=documented_responses("replay", "Where it is"))
async def replay(lane: str, service: SampleServiceDep) -> JSONResponse:
    """Show the position of a replay, for a client that resumes after a lost connection."""
    found = await service.run_in_store_thread(lambda: replays.find_replay(service.figures, lane))
    if found is None:
        return JSONResponse({"error": f"there is no replay {lane[:60]}"}, 404)
    return JSONResponse(_replay(found))


@router.get("/api/sources", responses=documented_responses("sources", "How the sources do"))
async def sources(service: SampleServiceDep) -> JSONResponse:
    """List the polled sources: their last answer, and errors of theirs or of their file."""

    def work() -> dict[str, Any]:
        named = service.sources.current()
        known = {state.name: state for state in source_states.list_source_states(service.figures)}
        findings = [str(finding) for finding in service.sources.findings()]
        return {
            "sources": [_source(name, one.kind, known.get(name)) for name, one in named.items()],
            "findings": findings,
        }

    return JSONResponse(await asyncio.get_running_loop().run_in_executor(None, work))


def _source(name: str, kind: str, state: SourceState | None) -> dict[str, Any]:
    def when(at: DateTime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "name": name,
        "kind": kind,
        "ok_at": when(state.ok_at) if state else None,
        "failed_at": when(state.failed_at) if state else None,
        "next_at": when(state.next_at) if state else None,
        "error": state.error if state else "",
        "failures": state.failures if state else 0,
        "samples": state.samples if state else 0,
    }


def _replay(found: Replay) -> dict[str, Any]:
    return {
        "lane": found.lane,
        "started_at": found.started_at.isoformat(),
        "speed": found.speed,
        "from": found.began.isoformat(),
        "position": found.position.isoformat(),
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
    }
