"""Where a request's command is carried out: in a few threads of its own, where writers wait in line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.commands import Begin, Declare, IncidentCommand, StepCommand
from engine import commands
from engine.clock import now
from engine.commands import Answer
from engine.house import House
from web.asking import Asking, asking, person, speaker
from web.gathering import Gathering

T = TypeVar("T")
AnyCommand = StepCommand | IncidentCommand | Begin


class Desk:
    """One request's way to the house."""

    def __init__(self, request: Request) -> None:
        self.house: House = request.app.state.house
        self._asked: Asking = asking(request)
        self._writers: ThreadPoolExecutor = request.app.state.writers
        self._readers: ThreadPoolExecutor = request.app.state.readers
        self._gathering: Gathering = request.app.state.gathering

    async def read(self, look: Callable[[House, DateTime], T]) -> T:
        """Look something up, for whoever may."""

        def work() -> T:
            person(self.house, self._asked)
            return look(self.house, now())

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def write(self, act: Callable[[House, str, DateTime], T], said: str = "") -> T:
        """Carry something out in the name of whoever asks."""

        def work() -> T:
            by = speaker(self.house, self._asked, said)
            return act(self.house, by, now())

        return await asyncio.get_running_loop().run_in_executor(self._writers, work)

    async def declare(self, make: Callable[[str], Declare]) -> Answer:
        """Declare in the name of whoever asks, together with whoever declares at this moment."""
        if self._asked.token:
            loop = asyncio.get_running_loop()
            by = await loop.run_in_executor(self._readers, person, self.house, self._asked)
        else:
            by = person(self.house, self._asked)  # without a token nothing is looked up
        return await self._gathering.declare(make(by))

    async def carry_out(self, make: Callable[[str], AnyCommand], said: str = "") -> JSONResponse:
        """A command on an incident, and its answer."""
        answer = await self.write(lambda house, by, now: commands.carry_out(house, make(by), now), said)
        return JSONResponse(plain(answer))


async def _desk(request: Request) -> Desk:
    return Desk(request)


AtDesk = Annotated[Desk, Depends(_desk)]


def plain(answer: Answer) -> dict[str, Any]:
    """The answer to a command."""
    return {
        "id": answer.incident_id,
        "ref": answer.ref,
        "status": answer.status,
        "changed": answer.changed,
    }
