"""Runner: leases due turns and drives them as Prefect flow runs in this process.

It may be killed or frozen at any moment: it holds only leases, and the guarantor takes those over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field

from prefect import tags

from engine.process.change_detector import POLL_SECONDS, ChangeDetector
from engine.process.gc import freeze_startup_objects
from engine.process.prefect_health import PrefectHealth
from engine.response.turn import LEASE, lease_turns
from flows.catalog import get_flow
from flows.pipeline import RUN_NAME, RUN_QUEUE, RunQueue
from playbooks.errors import BadFile
from storage import outbox
from storage.database import StorageError
from storage.incidents import incidents
from tasks import process_context
from tasks.turns import LeasedTurn

log = logging.getLogger("tocsin.runner")
MOST_RUNS = 4  # at once: Prefect's server takes one to three a second; more would only wait there
BATCH = 100  # responses of one run
NAMED = 20  # of them at most name it; a run sends what is ready of all
WARM_UP_SECONDS = 30
GAP_SECONDS = 0.3  # between the starts of two runs: side by side they would slow each other down at the server


@dataclass
class FlowRunBatch:
    """Work of one flow run: leased turns, and responses whose messages are ready."""

    responses: set[str] = field(default_factory=set)
    turns: list[LeasedTurn] = field(default_factory=list)


class Runner:
    """Leases due turns and starts their flow runs."""

    def __init__(self) -> None:
        self._installation = process_context.get_installation()
        self._waiting: dict[str, FlowRunBatch] = {}  # by flow: leased, and not started yet
        self._open: dict[str, RunQueue] = {}  # by flow: the run that takes more
        self._runs: set[asyncio.Task[None]] = set()
        self._started = 0.0  # when the last run was, by the monotonic clock
        self._changes = ChangeDetector(self._installation)
        self._health = PrefectHealth()

    async def warm_up(self, stop: threading.Event) -> None:
        """Drive one empty run: the first run costs half a second, which no incident should pay."""
        self._health.start()
        for _ in range(WARM_UP_SECONDS * 10):
            if self._health.ok and not stop.is_set():
                await self._drive("respond_publicly", FlowRunBatch())
            if self._health.ok or stop.is_set():
                return
            await asyncio.sleep(0.1)

    async def run(self, stop: threading.Event) -> None:
        """Run until told to end; open flow runs are finished."""
        while not stop.is_set():
            if self._health.ok and self._changes.should_query(process_context.now()):
                await self._look()
            self._start_waiting()
            await asyncio.sleep(POLL_SECONDS)
        if self._runs:
            await asyncio.wait(self._runs)

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self._lease_what_is_due)
        except (StorageError, BadFile) as error:  # disk full, a file broken from the start: said, and tried again
            log.error("%s", error)  # noqa: TRY400 - one clear line, no traceback
            await asyncio.sleep(1.0)

    def _lease_what_is_due(self) -> None:
        """Lease what is due at once, so that the guarantor leaves it to us; and see whose messages are ready."""
        now = process_context.now()
        with self._installation.database.read() as connection:
            due = incidents.list_due_responses(connection, now, limit=BATCH)
            ready = outbox.list_ready_responses(connection, now, limit=NAMED)
            times = (incidents.next_turn_due_at(connection), outbox.next_message_at(connection))
        leases = lease_turns(self._installation, [row.id for row in due], now, spare=LEASE) if due else []
        flows = {row.id: row.flow for row in due}
        for lease in leases:
            batch = self._waiting.setdefault(flows[lease.response_id], FlowRunBatch())
            batch.responses.add(lease.response_id)
            batch.turns.append(LeasedTurn(response=lease.response_id, token=lease.token, due=lease.due_at.isoformat()))
        for response, flow in ready:
            self._waiting.setdefault(flow, FlowRunBatch()).responses.add(response)
        # What is due already and not ours to take (leased, under way) is looked at again a little later.
        soon = now.add(seconds=self._installation.settings.runner_poll_seconds)
        self._changes.set_next_due(min((max(time_, soon) for time_ in times if time_), default=None))

    def _start_waiting(self) -> None:
        """Give what waits to a run that is open, else start one: few runs with much in each."""
        for flow in tuple(self._waiting):
            batch, run = self._waiting[flow], self._open.get(flow)
            if run is None or not run.add(batch.turns):
                too_soon = self._runs and time.monotonic() - self._started < GAP_SECONDS
                if too_soon or len(self._runs) >= MOST_RUNS:
                    continue
                self._start(flow, batch)
            del self._waiting[flow]

    def _start(self, flow: str, batch: FlowRunBatch) -> None:
        self._started = time.monotonic()
        run = asyncio.create_task(self._drive(flow, batch))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    async def _drive(self, flow: str, batch: FlowRunBatch) -> None:
        more = self._open[flow] = RunQueue()
        try:
            names = await asyncio.to_thread(self._names, batch)
            marks = {f"incident:{ref}" for ref, _ in names if batch.responses} | {
                f"stage:{stage}" for _, stage in names if stage
            }
            RUN_NAME.set(_title(names))
            RUN_QUEUE.set(more)
            with tags("tocsin", *sorted(marks)):
                await get_flow(flow)(batch.turns)  # type: ignore[misc]  # Flow[Any, Any] cannot say that it is async
        except Exception as error:  # noqa: BLE001 - the guarantor has it already; the runner goes on
            log.warning("a run of %s failed: %s", flow, type(error).__name__)
        finally:
            more.close()

    def _names(self, batch: FlowRunBatch) -> list[tuple[str, str]]:
        """Reference and current stage of each response, for the run's name and tags."""
        with self._installation.database.read() as connection:
            return incidents.list_current_stages(connection, sorted(batch.responses)[:NAMED]) or [("runner", "started")]


def _title(names: list[tuple[str, str]]) -> str:
    first = " · ".join(part for part in names[0] if part) or "turn"
    more = len({ref for ref, _ in names}) - 1
    return f"{first} and {more} more" if more else first


async def main(stop: threading.Event) -> None:
    """Run until the process is told to end."""
    runner = Runner()
    await asyncio.to_thread(process_context.get_installation().channels().warm_up)
    await runner.warm_up(stop)
    freeze_startup_objects()
    await runner.run(stop)
