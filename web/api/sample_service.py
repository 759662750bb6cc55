"""Sample service of the web process: bodies that arrive during a transaction share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.warning.metrics import METRICS
from engine.installation import Installation
from engine.process.clock import now
from engine.samples.alerts import AlertHandler
from engine.samples.intake import IntakeResult, SampleIntake
from engine.samples.parser import UnreadableBatch
from engine.samples.text_analysis import TextAnalyzer
from playbooks.sources_file import SourcesFile
from playbooks.words_file import WordsFile
from storage.database import StorageError
from storage.samples.sample_store import SampleStore, open_sample_store

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

    def close(self) -> None:
        """Finish the work begun, and close the store."""
        self.thread.shutdown(wait=True, cancel_futures=True)
        self.figures.close()
