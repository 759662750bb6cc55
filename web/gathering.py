"""Declarations that arrive while a transaction is being written share the next one, and so its cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from pendulum import DateTime

from domain.commands import Declare
from engine import commands
from engine.commands import Answer, Refused
from engine.house import House
from storage.database import StorageError

MOST = 50  # declarations of one transaction: some 150 ms of work, and nobody waits longer for the lock than that


class Gathering:
    """The one way in for declarations over HTTP. For one event loop."""

    def __init__(self, house: House, writers: Executor, clock: Callable[[], DateTime]) -> None:
        self._house, self._writers, self._clock = house, writers, clock
        self._waiting: list[tuple[Declare, asyncio.Future[Answer | Refused]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def declare(self, command: Declare) -> Answer:
        """Declare, together with whoever declares at this moment.

        Raises:
            Refused: this one cannot be; the others are not touched by it.
            StorageError: the database cannot be written; none was begun.
        """
        answer: asyncio.Future[Answer | Refused] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        found = await answer
        if isinstance(found, Refused):
            raise found
        return found

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                answers = await self._together([command for command, _ in batch])
            except Exception as error:  # noqa: BLE001 - each caller is told; the next batch is tried all the same
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
                continue
            for (_, waiting), found in zip(batch, answers, strict=True):
                if not waiting.done():  # its caller may have gone away; the incident stands
                    waiting.set_result(found)

    async def _together(self, batch: Sequence[Declare]) -> list[Answer | Refused]:
        """One transaction for all; if something unforeseen spoils it, one for each, so that it spoils only its own."""
        loop = asyncio.get_running_loop()

        def write(some: Sequence[Declare]) -> list[Answer | Refused]:
            return commands.declare_together(self._house, some, self._clock())

        try:
            return await loop.run_in_executor(self._writers, write, batch)
        except StorageError:
            raise
        except Exception:
            if len(batch) == 1:
                raise
            return [answer for one in batch for answer in await self._together([one])]
