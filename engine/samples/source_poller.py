"""Poller of every source at its interval: a failure is logged once, retried ever more slowly, and shown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
from pendulum import DateTime

from domain.durations import elapsed, later
from engine.samples.intake import SampleIntake
from engine.samples.source_query import SourceError, query_source
from playbooks.sources_file import PullSource
from storage.database import StorageError
from storage.samples.sample_store import LIVE_FEED, SampleStore
from storage.samples.source_states import claim_source, delete_unknown_sources, record_failure, record_success

log = logging.getLogger("tocsin.sources")
LONGEST_INTERVAL = timedelta(minutes=5)
_LOOK_SECONDS = 1.0  # between two looks whether the file of sources has changed


async def poll_sources(
    sources: Callable[[], Mapping[str, PullSource]], figures: SampleStore, clock: Callable[[], DateTime]
) -> None:
    """Poll for ever, until cancelled.

    `sources` gives those in force, by name; a source that is gone from it is polled no more.
    """
    asked: dict[str, tuple[PullSource, asyncio.Task[None]]] = {}
    line = asyncio.Lock()
    intake = SampleIntake(figures)
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            while True:
                wanted = await asyncio.to_thread(sources)
                if set(wanted) != set(asked):
                    await asyncio.to_thread(delete_unknown_sources, figures, frozenset(wanted))
                for name in [name for name, (source, _) in asked.items() if wanted.get(name) != source]:
                    await _end(asked.pop(name)[1])
                for name, source in wanted.items():
                    if name not in asked or asked[name][1].done():
                        puller = _Puller(source, figures, intake, line, client, clock)
                        asked[name] = (source, asyncio.create_task(puller.run()))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for _, task in asked.values():
                await _end(task)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


class _Puller:
    """One source."""

    def __init__(
        self,
        source: PullSource,
        figures: SampleStore,
        intake: SampleIntake,
        line: asyncio.Lock,
        client: httpx.AsyncClient,
        clock: Callable[[], DateTime],
    ) -> None:
        self._source, self._figures, self._intake = source, figures, intake
        self._line, self._client, self._clock = line, client, clock
        self._said = ""

    async def run(self) -> None:
        """Ask whenever it is due and nobody else does."""
        source = self._source
        while True:
            now = self._clock()
            try:
                wait = await asyncio.to_thread(
                    claim_source, self._figures, source.name, now, source.timeout + source.every
                )
                if wait is None:
                    await self._once(now)
                    continue
            except StorageError as error:  # figures cannot be kept: no reason to end
                log.error("source %s: %s", source.name, error)  # noqa: TRY400 - one line, no traceback
                wait = later(now, source.every)
            seconds = elapsed(now, wait).total_seconds()
            await asyncio.sleep(min(max(0.05, seconds), source.every.total_seconds()))

    async def _once(self, now: DateTime) -> None:
        source = self._source
        try:
            rows = await query_source(source, now, self._client)
        except SourceError as trouble:
            await self._trouble(str(trouble), now)
            return
        async with self._line:
            outcome = await asyncio.to_thread(self._intake.take_rows, rows, LIVE_FEED, self._clock())
        wrong = ""
        if outcome.faults:
            first = outcome.faults[0]
            wrong = f"{len(outcome.faults)} of {len(rows)} rows refused, the first: {first.reason}"
            if not (outcome.taken or outcome.duplicates):
                await self._trouble(wrong, now)
                return
        self._say(wrong)
        next_at = later(now, source.every)
        await asyncio.to_thread(
            record_success, self._figures, source.name, self._clock(), outcome.taken, next_at, wrong
        )

    async def _trouble(self, reason: str, now: DateTime) -> None:
        self._say(reason)
        await asyncio.to_thread(record_failure, self._figures, self._source.name, now, reason, self._pause)

    def _pause(self, times: int) -> timedelta:
        """After the first failure its interval, then ever longer, up to five minutes."""
        every = self._source.every
        return min(max(LONGEST_INTERVAL, every), every * (1 << min(times - 1, 20)))

    def _say(self, reason: str) -> None:
        """In the log, once for each reason, and once when it is over."""
        if reason != self._said:
            if reason:
                log.warning("source %s: %s", self._source.name, reason)
            else:
                log.info("source %s answers again", self._source.name)
            self._said = reason
