"""Where a request's command is carried out: in a few threads of its own, where writers wait in line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.access import Role, deed_of
from domain.commands import Begin, Declare, IncidentCommand, StepCommand
from domain.handle import Refused
from engine import commands
from engine.clock import now
from engine.commands import Answer
from engine.house import House
from web.asking import Asker, Asking, NotAllowed, NotKnown, asking, demand, speaker, who
from web.gathering import Gathering
from web.trail import Trail

T = TypeVar("T")
AnyCommand = StepCommand | IncidentCommand | Begin


class Desk:
    """One request's way to the house. `asker` is who asks: set before anything is looked up or carried out."""

    def __init__(self, request: Request) -> None:
        self.house: House = request.app.state.house
        self.asker = Asker()
        self._request = request
        self._trail: Trail = request.app.state.trail
        self._writers: ThreadPoolExecutor = request.app.state.writers
        self._readers: ThreadPoolExecutor = request.app.state.readers
        self._gathering: Gathering = request.app.state.gathering
        try:
            self._asked: Asking = asking(request)
        except NotKnown as refused:
            self._trail.refused(request, self.asker, str(refused))
            raise

    async def read(self, look: Callable[[House, DateTime], T], need: Role | str = Role.VIEWER) -> T:
        """Look something up, for whoever may.

        Raises:
            NotKnown: nobody asks whom we know.
            NotAllowed: their role is less than `need`, a role or a deed of `domain.access.NEEDS`.
        """

        def work() -> T:
            self._enter(need)
            return look(self.house, now())

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def write(
        self,
        act: Callable[[House, str, DateTime], T],
        said: str = "",
        need: Role | str = Role.RESPONDER,
        *,
        noted: bool = True,
    ) -> T:
        """Carry something out in the name of whoever asks; it stands in the audit log.

        `noted=False`: what is carried out writes there itself.

        Raises:
            NotKnown: nobody asks whom we know.
            NotAllowed: their role is less than `need`.
        """

        def work() -> T:
            self._enter(need)
            by = self._speaker(said)
            done = act(self.house, by, now())
            if noted:
                self._trail.done(self._request, self.asker, by)
            return done

        return await asyncio.get_running_loop().run_in_executor(self._writers, work)

    async def declare(self, make: Callable[[str], Declare]) -> Answer:
        """Declare in the name of whoever asks, together with whoever declares at this moment."""
        if self._asked.token or self._asked.session:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._readers, self._enter, "declare")
        else:
            self._enter("declare")  # without a token nothing is looked up
        answer = await self._gathering.declare(make(self.asker.by))
        self._trail.done(self._request, self.asker, self.asker.by, answer.ref)
        return answer

    async def carry_out(self, make: Callable[[str], AnyCommand], said: str = "") -> JSONResponse:
        """A command on an incident, and its answer; what it takes is said by `domain.access.NEEDS`."""
        need = deed_of(make(""))
        answer = await self.write(lambda house, by, now: commands.carry_out(house, make(by), now), said, need)
        return JSONResponse(plain(answer))

    def _enter(self, need: Role | str) -> None:
        try:
            self.asker = self._request.state.asker = who(self.house, self._asked, now())
            demand(self.asker, need)
        except (NotKnown, NotAllowed) as refused:
            self._trail.refused(self._request, self.asker, str(refused))
            raise
        self._trail.alive(self.asker)

    def _speaker(self, said: str) -> str:
        try:
            return speaker(self.house, self.asker, said)
        except Refused as refused:
            self._trail.refused(self._request, self.asker, str(refused))
            raise


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
