"""Request context: authenticates, checks permission, and runs reads and commands in worker threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.access import AccessRole, permission_for
from domain.command_handlers import CommandRefused
from domain.commands import Begin, Declare, IncidentCommand, StepCommand
from engine.installation import Installation
from engine.process.clock import now
from engine.response import commands
from engine.response.commands import CommandResult
from web.app_state import state_of
from web.auth.authentication import (
    AccessDenied,
    NotAuthenticated,
    Principal,
    RequestCredentials,
    authenticate,
    read_credentials,
    require_permission,
    resolve_speaker,
)

T = TypeVar("T")
AnyCommand = StepCommand | IncidentCommand | Begin


class RequestContext:
    """Context of one request. `principal` is who asks, set before anything is read or carried out."""

    def __init__(self, request: Request) -> None:
        self._state = state_of(request)
        self.installation = self._state.installation
        self.principal = Principal()
        self._request = request
        try:
            self._asked: RequestCredentials = read_credentials(request, self.installation)
        except NotAuthenticated as refused:
            self._state.audit.record_refusal(request, self.principal, str(refused))
            raise

    async def read(self, look: Callable[[Installation, DateTime], T], need: AccessRole | str = AccessRole.VIEWER) -> T:
        """Run a read in a reader thread if the principal has the permission.

        Raises:
            NotAuthenticated: nobody asks whom we know.
            AccessDenied: their role is less than `need`, a role or a deed of `domain.access.NEEDS`.
        """

        def work() -> T:
            self._enter(need)
            return look(self.installation, now())

        return await asyncio.get_running_loop().run_in_executor(self._state.readers, work)

    async def write(
        self,
        act: Callable[[Installation, str, DateTime], T],
        said: str = "",
        need: AccessRole | str = AccessRole.RESPONDER,
        *,
        noted: bool = True,
    ) -> T:
        """Run a change in a writer thread in the principal's name; it is recorded in the audit log.

        `noted=False`: what is carried out writes there itself.

        Raises:
            NotAuthenticated: nobody asks whom we know.
            AccessDenied: their role is less than `need`.
        """

        def work() -> T:
            self._enter(need)
            by = self._speaker(said)
            done = act(self.installation, by, now())
            if noted:
                self._state.audit.record_change(self._request, self.principal, by)
            return done

        return await asyncio.get_running_loop().run_in_executor(self._state.writers, work)

    async def declare(self, make: Callable[[str], Declare]) -> CommandResult:
        """Declare in the principal's name, batched with other declarations of the moment."""
        if self._asked.token or self._asked.session:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._state.readers, self._enter, "declare")
        else:
            self._enter("declare")  # without a token nothing is looked up
        answer = await self._state.declarations.declare(make(self.principal.by))
        self._state.audit.record_change(self._request, self.principal, self.principal.by, answer.ref)
        return answer

    async def carry_out(self, make: Callable[[str], AnyCommand], said: str = "") -> JSONResponse:
        """Carry out a command on an incident; `domain.access.NEEDS` says which permission it takes."""
        need = permission_for(make(""))
        answer = await self.write(
            lambda installation, by, now: commands.carry_out_command(installation, make(by), now), said, need
        )
        return JSONResponse(command_result_document(answer))

    def _enter(self, need: AccessRole | str) -> None:
        try:
            self.principal = self._request.state.principal = authenticate(self.installation, self._asked, now())
            require_permission(self.principal, need)
        except (NotAuthenticated, AccessDenied) as refused:
            self._state.audit.record_refusal(self._request, self.principal, str(refused))
            raise
        self._state.audit.record_activity(self.principal)

    def _speaker(self, said: str) -> str:
        try:
            return resolve_speaker(self.installation, self.principal, said)
        except CommandRefused as refused:
            self._state.audit.record_refusal(self._request, self.principal, str(refused))
            raise


async def _request_context(request: Request) -> RequestContext:
    return RequestContext(request)


RequestContextDep = Annotated[RequestContext, Depends(_request_context)]


def command_result_document(answer: CommandResult) -> dict[str, Any]:
    """JSON document of a command's result."""
    return {
        "id": answer.incident_id,
        "ref": answer.ref,
        "status": answer.status,
        "changed": answer.changed,
    }
