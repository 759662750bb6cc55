"""Pipeline that every procedure shares: commit the turns, deliver, explain."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from prefect.context import TagsContext

from tasks.delivery import deliver_notices
from tasks.turns import DecisionExplanation, LeasedTurn, commit_turns, explain_decisions

LINGER_SECONDS = 0.5  # a run waits for so long whether more falls due: a run of its own would cost Prefect 0.25 s
LONGEST_SECONDS = 5.0  # no more is added to a run then: its name and its artifact are read by people
STUCK_SECONDS = 0.3  # a run that has not fetched what it was given for so long is given no more


class RunQueue:
    """Queue of turns for an open flow run, beside those it began with. Lives in one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[list[LeasedTurn]] = asyncio.Queue()
        self._begun = self._loop.time()
        self._given: float | None = None  # since when something waits to be fetched
        self._closed = False

    def add(self, taken: list[LeasedTurn]) -> bool:
        """Add leased turns, or none to say that messages are ready; False: the run takes no more."""
        now = self._loop.time()
        stuck = self._given is not None and now - self._given > STUCK_SECONDS
        if self._closed or stuck or now - self._begun > LONGEST_SECONDS:
            return False
        self._given = self._given or now
        self._queue.put_nowait(taken)
        return True

    async def fetch(self) -> list[LeasedTurn] | None:
        """Fetch all that was added; None: nothing came, and the run is closed."""
        try:
            taken = list(await asyncio.wait_for(self._queue.get(), LINGER_SECONDS))
        except TimeoutError:
            self.close()
            return None
        while not self._queue.empty():
            taken += self._queue.get_nowait()
        self._given = None
        return taken

    def close(self) -> None:
        """Take no more turns."""
        self._closed = True


RUN_NAME: ContextVar[str] = ContextVar("run_name", default="turn")  # the runner knows which incidents a run is for
RUN_QUEUE: ContextVar[RunQueue | None] = ContextVar("more", default=None)


def run_name() -> str:
    """Name of a flow run in Prefect; a copy of the flow for each name would cost as much as the run."""
    return RUN_NAME.get()


async def run_turns(taken: list[LeasedTurn]) -> None:
    """Commit the due turns, send their notices meanwhile, keep the reasons with the run."""
    more, sender = RUN_QUEUE.get(), _Sender()
    reasons: list[DecisionExplanation] = []
    batch: list[LeasedTurn] | None = taken
    with TagsContext(current_tags=set()):  # tags are the run's; on a task each costs a concurrency check on the server
        try:
            while batch is not None:
                if batch:
                    reasons += await commit_turns(batch, len(batch))
                sender.more_is_owed()
                batch = await more.fetch() if more else None
        finally:
            await sender.finished()
        await explain_decisions(reasons)


class _Sender:
    """Sends beside the turns: a slow mail server holds up no deadline."""

    def __init__(self) -> None:
        self._owed = False
        self._sending: asyncio.Task[None] | None = None

    def more_is_owed(self) -> None:
        self._owed = True
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._owed:
            self._owed = False
            await deliver_notices()

    async def finished(self) -> None:
        if self._sending:
            await self._sending
