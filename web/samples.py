"""The API of the service figures: samples in, replays, how the sources do."""

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

from domain.access import Role
from domain.handle import Refused
from domain.warning.figures import METRICS
from engine.clock import now
from engine.figures.alerts import Handler
from engine.figures.intake import Intake, Outcome
from engine.figures.reading import Unreadable, replay_lane
from engine.figures.words import WordWatch
from engine.house import House
from playbooks.rulebook import Rulebook
from playbooks.sources import SourcesFile
from playbooks.words import WordsFile
from storage import figures_replays, figures_sources
from storage.database import StorageError
from storage.figures import Figures, open_figures
from storage.figures_replays import Replay, ReplayEnded
from storage.figures_sources import SourceState
from storage.figures_tokens import program_of
from web.asking import Asker, NotAllowed, NotKnown, asking, demand, who
from web.schemas import answers

router = APIRouter(tags=["figures"])
MOST_BYTES = 3_000_000  # of one transaction: some 20,000 samples, a sixth of a second
MOST_WAITING = 64_000_000  # bytes: whoever comes beyond that is told to come again, before memory runs out


class FiguresDesk:
    """The figures of one web process. What arrives while a transaction is being written shares the next one.

    `known` gives the metrics that are declared.
    """

    def __init__(
        self, house: House, clock: Callable[[], DateTime] = now, known: Callable[[], Collection[str]] = METRICS.keys
    ) -> None:
        self.house = house
        self.figures: Figures = open_figures(house.settings)
        self.intake = Intake(self.figures, known, timedelta(days=house.settings.history_days))
        self.clock = clock
        self.sources = SourcesFile(house.settings.home / "sources.yaml")
        self.words = WordsFile(house.settings.home / "words.yaml")
        self._watch: WordWatch | None = None
        self.handler: Handler | None = None  # who makes warnings of alerts; set by whoever opens the application
        # One thread: readers of JSON would only wait for each other, and writers for the lock.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._waiting: deque[tuple[bytes, asyncio.Future[Outcome | Unreadable]]] = deque()
        self._held = 0  # bytes of those that wait
        self._draining: asyncio.Task[None] | None = None

    async def take(self, body: bytes) -> Outcome:
        """Commit the samples of a body, together with whoever pushes at this moment.

        Raises:
            Unreadable: the body as a whole cannot be read.
            StorageError: nothing was taken; push again.
        """
        if self._held + len(body) > MOST_WAITING:
            raise StorageError("figures come faster than they can be kept: push again in a moment")
        answer: asyncio.Future[Outcome | Unreadable] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        self._held += len(body)
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        found = await answer
        if isinstance(found, Unreadable):
            raise found
        return found

    async def _drain(self) -> None:
        while self._waiting:
            batch = self._next()
            found = await self._together([body for body, _ in batch])
            for (_, waiting), one in zip(batch, found, strict=True):
                if waiting.done():  # its caller has gone away; the samples stand
                    continue
                if isinstance(one, Exception) and not isinstance(one, Unreadable):
                    waiting.set_exception(one)
                else:
                    waiting.set_result(one)

    def _next(self) -> list[tuple[bytes, asyncio.Future[Outcome | Unreadable]]]:
        """The bodies of the next transaction: those that waited longest."""
        batch: list[tuple[bytes, asyncio.Future[Outcome | Unreadable]]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0][0]) <= MOST_BYTES):
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        self._held -= size
        return batch

    async def _together(self, bodies: Sequence[bytes]) -> Sequence[Outcome | Exception]:
        try:
            found: Sequence[Outcome | Exception] = await self.run(lambda: self.intake.take(bodies, self.clock()))
        except Exception as error:  # noqa: BLE001 - whoever pushed is told
            return [error] * len(bodies)
        return found

    def watch(self) -> WordWatch:
        """The words in force. In the figures' thread."""
        words = self.words.current()
        if self._watch is None or self._watch.words is not words:
            self._watch = WordWatch(words)
        return self._watch

    async def run(self, work: Callable[[], Any]) -> Any:
        """Do something with the store, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def who(self, request: Request, need: Role | str = "samples") -> Asker:
        """Who pushes: a program by its token, somebody by theirs or by a session, or the console of this machine.

        Raises:
            NotKnown: none of them.
            NotAllowed: somebody who may not.
        """

        def look() -> Asker:
            if asked.token and (program := program_of(self.figures, asked.token)) is not None:
                return Asker(program, way="token", scopes=("samples",))
            found = who(self.house, asked, self.clock())
            demand(found, need)
            return found

        asker = Asker()
        try:
            asked = asking(request)
            if not asked.token and not asked.session:
                asker = who(self.house, asked, self.clock())  # without a token nothing is looked up
            else:
                asker = await asyncio.get_running_loop().run_in_executor(request.app.state.readers, look)
        except (NotKnown, NotAllowed) as refused:
            request.app.state.trail.refused(request, asker, str(refused))
            if isinstance(refused, NotKnown) and "authorization" in request.headers:
                raise NotKnown("this token is nobody's: get one with `tocsin samples token NAME`") from None
            raise
        request.state.asker = asker
        return asker

    def close(self) -> None:
        """Finish what was begun, and give back what is held."""
        self.thread.shutdown(wait=True, cancel_futures=True)
        self.figures.close()


def install(app: FastAPI, house: House) -> None:
    """Put the figures' desk into the application."""
    book: Rulebook = app.state.rulebook
    app.state.figures = FiguresDesk(house, known=lambda: book.metrics().keys())


async def _desk(request: Request) -> FiguresDesk:
    desk: FiguresDesk = request.app.state.figures
    await desk.who(request, "look" if request.method == "GET" else "samples")
    return desk


AtFigures = Annotated[FiguresDesk, Depends(_desk)]


@router.post("/api/samples", status_code=202, responses=answers("samples", "Committed", status=202, command=True))
async def push(request: Request, desk: AtFigures) -> JSONResponse:
    """Take samples: a list of `{"metric", "time", "value", "count", "labels"}`, or `{"samples": [...], "lane"}`.

    Answered once they are committed. The good ones are taken, the others are named with the reason; 422 if there was
    none to take. A repeat counts once, so a batch whose answer was lost is simply pushed again.
    """
    try:
        outcome = await desk.take(await request.body())
    except Unreadable as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)
    return told(outcome)


def told(outcome: Outcome) -> JSONResponse:
    """What became of samples: 422 where there was none to take."""
    document = outcome.document()
    if outcome.faults and not (outcome.taken or outcome.duplicates):
        first = min(outcome.faults, key=lambda fault: fault.index)
        return JSONResponse({"error": f"none was taken; sample {first.index}: {first.reason}", **document}, 422)
    return JSONResponse(document, 202)


class PositionForm(BaseModel):
    """How far a replay has come."""

    model_config = ConfigDict(extra="forbid")

    position: AwareDatetime = Field(description="Everything before it was pushed.")
    speed: float = Field(default=1.0, gt=0, le=1e6, description="How many times real time.")
    ended: bool = Field(default=False, description="Nothing more comes.")


@router.put("/api/replays/{lane}", responses=answers("replay", "Where it is", command=True))
async def announce(lane: str, form: PositionForm, desk: AtFigures) -> JSONResponse:
    """Say how far a replay has come; the first time makes it. Its ticks are evaluated up to that position."""
    if not replay_lane(lane):
        raise Refused("a lane is replay- and a name in a-z, 0-9 and -, for example replay-bad-day")
    position = pendulum.instance(form.position).in_timezone("UTC")

    def work() -> Replay:
        return figures_replays.announce(desk.figures, lane, position, desk.clock(), speed=form.speed, ended=form.ended)

    try:
        return JSONResponse(_replay(await desk.run(work)))
    except ReplayEnded as ended:
        raise Refused(str(ended)) from None


@router.get("/api/replays/{lane}", responses=answers("replay", "Where it is"))
async def replay(lane: str, desk: AtFigures) -> JSONResponse:
    """How far a replay has come, for a client that goes on after a lost connection."""
    found = await desk.run(lambda: figures_replays.find(desk.figures, lane))
    if found is None:
        return JSONResponse({"error": f"there is no replay {lane[:60]}"}, 404)
    return JSONResponse(_replay(found))


@router.get("/api/sources", responses=answers("sources", "How the sources do"))
async def sources(desk: AtFigures) -> JSONResponse:
    """The sources that are asked for figures: their last answer, and what is wrong with them or with their file."""

    def work() -> dict[str, Any]:
        named = desk.sources.current()
        known = {state.name: state for state in figures_sources.states(desk.figures)}
        findings = [str(finding) for finding in desk.sources.findings()]
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
