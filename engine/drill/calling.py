"""Whoever our own rules call when they see the fault: a warning on record, marked DRILL, and when it is acknowledged.

The warning is raised as a live one is (`engine.warning.acting`), on a lane of the drill's own, which is what marks it.
The running installation carries it to its owner; where none runs, nobody is called, and that is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pendulum import DateTime

from domain.commands import Close
from domain.drill.plan import Plan
from domain.text import N_
from domain.warning.raised import Raised, Scene
from domain.warning.rule import Rule
from engine import commands
from engine.drill.simulated import SimulatedOwner
from engine.drill.watching import Fired
from engine.house import House
from engine.premises import is_running, read_state
from engine.rehearsal.sandbox import leading_out
from engine.warning.acting import Acting, Said
from playbooks.library import UnknownPlaybook
from storage import incidents, warnings
from storage.database import StorageError

_LOOK: Final = 0.5  # seconds between two looks whether somebody has it
NOT_RUNNING: Final = N_("no installation runs here (`tocsin up`): the rule saw it, and nobody was called")
NOBODY: Final = N_("the plan calls nobody")


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of the call by now. Times in seconds since 1970."""

    called: float | None = None
    matter: str = ""
    acknowledged: float | None = None
    by: str = ""
    why_not: str = ""


class Owner(Protocol):
    """Whoever is called."""

    heard: Heard

    def call(self, fired: Fired) -> None:
        """A rule saw the fault. Returns at once."""

    async def wait(self, seconds: float) -> None:
        """Until it is acknowledged, or for so long."""


class Nobody:
    """Where nobody is to be called."""

    def __init__(self, why: str = "") -> None:
        self.heard, self._why = Heard(), why

    def call(self, fired: Fired) -> None:  # noqa: ARG002
        """Nothing but the reason."""
        self.heard = Heard(why_not=self._why)

    async def wait(self, seconds: float) -> None:
        """Not at all."""


def lane_of(drill: str) -> str:
    """The lane of a drill's warnings: what marks them, and keeps them from the live ones."""
    return f"drill {drill}"


def owner_for(house: House, plan: Plan, drill: str, clock: Callable[[], DateTime], *, auto: bool) -> Owner | Caller:
    """Whom this drill calls. `auto`: a simulated owner answers; in the sandbox only."""
    if plan.call.reach == "nobody":
        return Nobody(NOBODY)
    if not is_running(house.settings.home):
        return Nobody(NOT_RUNNING)
    port = int((read_state(house.settings.home) or {}).get("port", house.settings.port))
    return Caller(house, plan, drill, clock, SimulatedOwner(port, plan.seed) if auto else None)


class Caller:
    """Raises the warning in a thread, and looks who has it: the drill's seconds wait for neither."""

    def __init__(
        self, house: House, plan: Plan, drill: str, clock: Callable[[], DateTime], simulated: SimulatedOwner | None
    ) -> None:
        self.heard = Heard()
        self._house, self._plan, self._drill, self._clock = house, plan, drill, clock
        self._simulated = simulated
        self._task: asyncio.Task[None] | None = None

    def call(self, fired: Fired) -> None:
        """Once a drill."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(fired))

    async def wait(self, seconds: float) -> None:
        """Until it is acknowledged, or for so long."""
        if self._task is not None and self.heard.acknowledged is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, 0.0)):
                    await asyncio.shield(self._task)

    async def end(self) -> None:
        """The drill is over: so is the warning, and nobody is called any more for it."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(call_off, self._house, self._drill, self._clock())

    async def _follow(self, fired: Fired) -> None:
        try:
            raised = await asyncio.to_thread(self._raise, fired)
        except StorageError as error:
            self.heard = Heard(why_not=str(error))
            return
        if isinstance(raised, str):
            self.heard = Heard(why_not=raised)
            return
        self.heard = Heard(called=self._clock().timestamp(), matter=await asyncio.to_thread(self._ref, raised.matter))
        while self.heard.acknowledged is None:
            with contextlib.suppress(StorageError):  # the next look tells
                await asyncio.to_thread(self._look, raised)
            await asyncio.sleep(_LOOK)

    def _raise(self, fired: Fired) -> Raised | str:
        """The warning on record, and its owner owed a call; or why not."""
        if why := self._forbidden(fired.rule):
            return why
        with self._house.database.write() as connection:
            acting = Acting(connection, self._house, lane_of(self._drill), self._clock())
            said = Said(fired.rule, fired.series, fired.standing)
            raised = acting.raise_(said, Scene(rules={fired.rule.id: fired.rule}))
        return raised if raised.matter else f"rule {fired.rule.id} starts nothing that calls anybody"

    def _forbidden(self, rule: Rule) -> str:
        """Why this drill must not call whom the rule would; empty where it may."""
        if rule.starts is None or (self._plan.call.reach == "owners" and self._simulated is None):
            return ""
        try:
            playbook = self._house.library.get(rule.starts.playbook)
        except UnknownPlaybook as unknown:
            return str(unknown)
        wrong = leading_out(playbook, self._house.roster(), self._house.channels())
        return f"the drill calls in the sandbox only, and {wrong[0]}" if wrong else ""

    def _ref(self, matter: str) -> str:
        with self._house.database.read() as connection:
            return incidents.load_incident(connection, matter).ref

    def _look(self, raised: Raised) -> None:
        if self._simulated is not None:
            self._simulated.act(self.heard.matter)
        with self._house.database.read() as connection:
            ids = incidents.responses_of(connection, raised.matter)
            snapshots = [incidents.load(connection, one, self._house.roster()) for one in ids]
        taken = [
            (state.acknowledged_at, state.holder)
            for snapshot in snapshots
            for state in snapshot.steps.values()
            if state.acknowledged_at is not None
        ]
        if taken:
            at, who = min(taken)
            self.heard = replace(self.heard, acknowledged=at.timestamp(), by=who)


def call_off(house: House, drill: str, now: DateTime) -> list[str]:
    """A drill's warnings are over, and their matters closed. Twice is once; what was closed now."""
    with house.database.read() as connection:
        rows = warnings.listed(connection, lane=lane_of(drill), standing_only=False)
        matters = [row.matter for row in rows if row.matter]
        left = [one.ref for matter in matters if (one := incidents.load_incident(connection, matter)).running]
    for ref in dict.fromkeys(left):
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"drill {drill} {ref}"))
        commands.carry_out(house, Close(id=name, incident=ref, reason="the drill is over"), now)
    with house.database.write() as connection:
        for raised in warnings.open_warnings(connection, lane_of(drill)):
            warnings.change_warning(connection, replace(raised, ended_at=now))
    return left
