"""API of samples: intake of service metrics, replays, state of the sources."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any

import pendulum
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.access import AccessRole
from domain.command_handlers import CommandRefused
from domain.warning.metrics import METRICS
from engine.installation import Installation
from engine.process.clock import now
from engine.samples.alerts import AlertHandler
from engine.samples.intake import IntakeResult, SampleIntake
from engine.samples.parser import UnreadableBatch, is_replay_feed
from engine.samples.text_analysis import TextAnalyzer
from playbooks.rulebook import Rulebook
from playbooks.sources_file import SourcesFile
from playbooks.words_file import WordsFile
from storage.database import StorageError
from storage.samples import replays, source_states
from storage.samples.program_tokens import find_program
from storage.samples.replays import Replay, ReplayEnded
from storage.samples.sample_store import SampleStore, open_sample_store
from storage.samples.source_states import SourceState
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
MOST_BYTES = 3_000_000  # of one transaction: some 20,000 samples, a sixth of a second
MOST_WAITING = 64_000_000  # bytes: whoever comes beyond that is told to come again, before memory runs out


class SampleService:
    """Sample service of one web process: bodies that arrive during a transaction share the next one.

    `known` gives the metrics that are declared.
    """

    def __init__(
        self,
        installation: Installation,
        clock: Callable[[], DateTime] = now,
        known: Callable[[], Collection[str]] = METRICS.keys,
    ) -> None:
        self.installation = installation
        self.figures: SampleStore = open_sample_store(installation.settings)
        self.intake = SampleIntake(self.figures, known, timedelta(days=installation.settings.history_days))
        self.clock = clock
        self.sources = SourcesFile(installation.settings.home / "sources.yaml")
        self.words = WordsFile(installation.settings.home / "words.yaml")
        self._watch: TextAnalyzer | None = None
        self.handler: AlertHandler | None = None  # who makes warnings of alerts; set by whoever opens the application
        # One thread: readers of JSON would only wait for each other, and writers for the lock.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._waiting: deque[tuple[bytes, asyncio.Future[IntakeResult | UnreadableBatch]]] = deque()
        self._held = 0  # bytes of those that wait
        self._draining: asyncio.Task[None] | None = None

    async def take_samples(self, body: bytes) -> IntakeResult:
        """Commit the samples of a body, batched with the other pushes of the moment.

        Raises:
            Unreadable: the body as a whole cannot be read.
            StorageError: nothing was taken; push again.
        """
        if self._held + len(body) > MOST_WAITING:
            raise StorageError("figures come faster than they can be kept: push again in a moment")
        answer: asyncio.Future[IntakeResult | UnreadableBatch] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        self._held += len(body)
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        found = await answer
        if isinstance(found, UnreadableBatch):
            raise found
        return found

    async def _drain(self) -> None:
        while self._waiting:
            batch = self._next()
            found = await self._together([body for body, _ in batch])
            for (_, waiting), one in zip(batch, found, strict=True):
                if waiting.done():  # its caller has gone away; the samples stand
                    continue
                if isinstance(one, Exception) and not isinstance(one, UnreadableBatch):
                    waiting.set_exception(one)
                else:
                    waiting.set_result(one)

    def _next(self) -> list[tuple[bytes, asyncio.Future[IntakeResult | UnreadableBatch]]]:
        """The bodies of the next transaction: those that waited longest."""
        batch: list[tuple[bytes, asyncio.Future[IntakeResult | UnreadableBatch]]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= MOST_BYTES):
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        self._held -= size
        return batch

    async def _together(self, bodies: Sequence[bytes]) -> Sequence[IntakeResult | Exception]:
        try:
            found: Sequence[IntakeResult | Exception] = await self.run_in_store_thread(
                lambda: self.intake.take_bodies(bodies, self.clock())
            )
        except Exception as error:  # noqa: BLE001 - whoever pushed is told
            return [error] * len(bodies)
        return found

    def current_word_watch(self) -> TextAnalyzer:
        """Watch for the sensitive words in force. Called in the store's thread."""
        words = self.words.current()
        if self._watch is None or self._watch.words is not words:
            self._watch = TextAnalyzer(words)
        return self._watch

    async def run_in_store_thread(self, work: Callable[[], Any]) -> Any:
        """Run work on the sample store, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def authenticate(self, request: Request, need: AccessRole | str = "samples") -> Principal:
        """Authenticate the client: a program's token, a person's token or session, or the console.

        Raises:
            NotAuthenticated: none of them.
            AccessDenied: somebody who may not.
        """

        def look() -> Principal:
            if asked.token and (program := find_program(self.figures, asked.token)) is not None:
                return Principal(program, auth_method="token", scopes=("samples",))
            found = authenticate(self.installation, asked, self.clock())
            require_permission(found, need)
            return found

        asker = Principal()
        try:
            asked = read_credentials(request)
            if not asked.token and not asked.session:
                asker = authenticate(self.installation, asked, self.clock())  # without a token nothing is looked up
            else:
                asker = await asyncio.get_running_loop().run_in_executor(request.app.state.readers, look)
        except (NotAuthenticated, AccessDenied) as refused:
            request.app.state.trail.record_refusal(request, asker, str(refused))
            if isinstance(refused, NotAuthenticated) and "authorization" in request.headers:
                raise NotAuthenticated("this token is nobody's: get one with `tocsin samples token NAME`") from None
            raise
        request.state.asker = asker
        return asker

    def close(self) -> None:
        """Finish the work begun, and close the store."""
        self.thread.shutdown(wait=True, cancel_futures=True)
        self.figures.close()


def install_sample_service(app: FastAPI, installation: Installation) -> None:
    """Attach the sample service to the application."""
    book: Rulebook = app.state.rulebook
    app.state.figures = SampleService(installation, known=lambda: book.metrics().keys())


async def _sample_service(request: Request) -> SampleService:
    service: SampleService = request.app.state.figures
    await service.authenticate(request, "look" if request.method == "GET" else "samples")
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
