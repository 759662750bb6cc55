"""Declaration batcher: declarations that arrive during a transaction share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from pendulum import DateTime

from domain.commands import Declare
from engine.installation import Installation
from engine.response import commands
from engine.response.commands import CommandRefused, CommandResult
from storage.database import StorageError

MOST = 50  # declarations of one transaction: some 150 ms of work, and nobody waits longer for the lock than that


class DeclareBatcher:
    """Single entrance for declarations over HTTP. For one event loop."""

    def __init__(self, installation: Installation, writers: Executor, clock: Callable[[], DateTime]) -> None:
        self._installation, self._writers, self._clock = installation, writers, clock
        self._waiting: list[tuple[Declare, asyncio.Future[Any]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def declare(self, command: Declare) -> CommandResult:
        """Declare, batched with the other declarations of the moment.

        Raises:
            Refused: this one cannot be; the others are not touched by it.
            StorageError: the database cannot be written; none was begun.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        found: CommandResult | CommandRefused = await answer
        if isinstance(found, CommandRefused):
            raise found
        return found

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            answers = await self._together([command for command, _ in batch])
            for (_, waiting), found in zip(batch, answers, strict=True):
                if waiting.done():  # its caller has gone away; the incident stands
                    continue
                if isinstance(found, Exception) and not isinstance(found, CommandRefused):
                    waiting.set_exception(found)
                else:
                    waiting.set_result(found)

    async def _together(self, batch: Sequence[Declare]) -> Sequence[CommandResult | CommandRefused | Exception]:
        """One transaction for all; if something unforeseen spoils it, one for each, so that it spoils only its own."""

        def write() -> Sequence[CommandResult | CommandRefused]:
            return commands.declare_batch(self._installation, batch, self._clock())

        try:
            return await asyncio.get_running_loop().run_in_executor(self._writers, write)
        except Exception as error:  # noqa: BLE001 - whoever declared is told
            if len(batch) == 1 or isinstance(error, StorageError):
                return [error] * len(batch)
        return [answer for one in batch for answer in await self._together([one])]
