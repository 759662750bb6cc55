"""The runner: sees what is due and takes it as Prefect flow runs, in this process.

It may be killed or frozen at any moment: what it holds is a lease, and the guarantor takes that over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field

from prefect import tags

from engine.changes import LOOK_SECONDS, Changes
from engine.health import PrefectHealth
from engine.turn import take_turns
from flows.catalog import flow_of
from flows.pipeline import RUN_NAME
from playbooks.errors import BadFile
from storage import incidents, outbox
from storage.database import StorageError
from tasks import place
from tasks.turns import Taken

log = logging.getLogger("tocsin.runner")
MOST_RUNS = 4  # at once: Prefect's server takes one to three a second; more would only wait there
BATCH = 100  # responses of one run
WARM_UP_SECONDS = 30
GAP_SECONDS = 0.3  # between two runs while one is under way: side by side they would slow each other down at the server
CALM_SECONDS = 3.0  # between runs that have nothing to decide, while another is under way


@dataclass
class Batch:
    """What one flow run takes: leased turns, and responses whose messages are ready."""

    flow: str
    responses: set[str] = field(default_factory=set)
    taken: list[Taken] = field(default_factory=list)


class Runner:
    """Looks, leases, and lets Prefect drive."""

    def __init__(self) -> None:
        self._house = place.house()
        self._waiting: dict[str, Batch] = {}  # by flow: leased, and not started yet
        self._under_way: set[str] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self._started = 0.0  # when the last run was, by the monotonic clock
        self._changes = Changes(self._house)
        self._health = PrefectHealth()

    async def warm_up(self, stop: threading.Event) -> None:
        """One run that finds nothing to decide: the first one costs half a second, and no incident should pay it."""
        self._health.start()
        for _ in range(WARM_UP_SECONDS * 10):
            if self._health.ok and not stop.is_set():
                await self._drive(Batch("respond_publicly"))
            if self._health.ok or stop.is_set():
                return
            await asyncio.sleep(0.1)

    async def run(self, stop: threading.Event) -> None:
        """Until told to end; the runs under way are seen to their end."""
        while not stop.is_set():
            if self._health.ok and self._changes.worth_a_look(place.now()):
                await self._look()
            self._start_waiting()
            await asyncio.sleep(LOOK_SECONDS)
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
        now = place.now()
        with self._house.database.read() as connection:
            due = incidents.due(connection, now, limit=BATCH)
            ready = outbox.ready_responses(connection, now)
            times = (incidents.next_due(connection), outbox.next_ready(connection))
        leases = take_turns(self._house, [row.id for row in due], now) if due else []
        flows = {row.id: row.flow for row in due}
        for lease in leases:
            batch = self._waiting.setdefault(flows[lease.response_id], Batch(flows[lease.response_id]))
            batch.responses.add(lease.response_id)
            batch.taken.append(Taken(response=lease.response_id, token=lease.token, due=lease.due_at.isoformat()))
        for response, flow in ready:
            if response not in self._under_way:
                self._waiting.setdefault(flow, Batch(flow)).responses.add(response)
        # What is due already and not ours to take (leased, under way) is looked at again a little later.
        soon = now.add(seconds=self._house.settings.runner_poll_seconds)
        self._changes.rest(min((max(time_, soon) for time_ in times if time_), default=None))

    def _start_waiting(self) -> None:
        """Start a run for what waits: few runs with much in each, for a run costs Prefect a third of a second."""
        since = time.monotonic() - self._started
        for flow in tuple(self._waiting):
            batch = self._waiting[flow]
            if self._runs and since < (GAP_SECONDS if batch.taken else CALM_SECONDS):
                if not batch.taken:  # the run under way sends this too
                    del self._waiting[flow]
                continue
            if len(self._runs) >= MOST_RUNS:
                return
            del self._waiting[flow]
            self._under_way |= batch.responses
            self._started, since = time.monotonic(), 0.0
            run = asyncio.create_task(self._drive(batch))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    async def _drive(self, batch: Batch) -> None:
        try:
            names = await asyncio.to_thread(self._names, batch)
            RUN_NAME.set(_title(names))
            marks = {f"incident:{ref}" for ref, _ in names[:20] if batch.responses} | {
                f"stage:{stage}" for _, stage in names[:20] if stage
            }
            with tags("tocsin", *sorted(marks)):
                await flow_of(batch.flow)(batch.taken)  # type: ignore[misc]  # Flow[Any, Any] cannot say that it is async
        except Exception as error:  # noqa: BLE001 - the guarantor has it already; the runner goes on
            log.warning("a run of %s failed: %s", batch.flow, type(error).__name__)
        finally:
            self._under_way -= batch.responses

    def _names(self, batch: Batch) -> list[tuple[str, str]]:
        """Reference and current stage of each response, for the run's name and tags."""
        with self._house.database.read() as connection:
            return incidents.where_they_stand(connection, sorted(batch.responses)[:20]) or [("runner", "started")]


def _title(names: list[tuple[str, str]]) -> str:
    first = " · ".join(part for part in names[0] if part) or "turn"
    more = len({ref for ref, _ in names}) - 1
    return f"{first} and {more} more" if more else first


async def main(stop: threading.Event) -> None:
    """Run until told to end."""
    runner = Runner()
    await asyncio.to_thread(place.house().channels().warm_up)
    await runner.warm_up(stop)
    await runner.run(stop)
