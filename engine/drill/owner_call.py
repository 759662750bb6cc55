"""Owner call of a drill: the warning our rules raise for the fault, and its acknowledgement.

The warning is marked DRILL and raised as a live one is (`engine.warning.effects`), on a feed of the drill's
own, which is what marks it. The running installation carries it to its owner; where none runs, nobody is
called, and that is said.
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
from domain.drill.plan import DrillPlan
from domain.text import N_
from domain.warning.disposition import RaisedWarning, WarningContext
from domain.warning.rule import Rule
from engine.drill.rule_watch import FiredRule
from engine.drill.simulated_owner import SimulatedOwner
from engine.installation import Installation
from engine.process.startup_checks import is_running, read_state
from engine.rehearsal.sandbox import find_outside_channels
from engine.response import commands
from engine.warning.effects import RuleReport, WarningEffects
from playbooks.playbook_library import UnknownPlaybook
from storage.database import StorageError
from storage.incidents import incidents, warnings

_LOOK: Final = 0.5  # seconds between two looks whether somebody has it
NOT_RUNNING: Final = N_("no installation runs here (`tocsin up`): the rule saw it, and nobody was called")
CALLS_NOBODY: Final = N_("the plan calls nobody")


@dataclass(frozen=True, slots=True)
class OwnerCallState:
    """State of the owner call so far. Times in seconds since 1970."""

    called: float | None = None
    matter: str = ""
    acknowledged: float | None = None
    by: str = ""
    why_not: str = ""


class OwnerCall(Protocol):
    """Call of the person whom the drill's warning reaches."""

    state: OwnerCallState

    def call(self, fired: FiredRule) -> None:
        """Call the owner because a rule saw the fault. Returns at once."""

    async def wait(self, seconds: float) -> None:
        """Wait until the call is acknowledged, for so many seconds at most."""


class NoOwnerCall:
    """Owner call of a drill that calls nobody."""

    def __init__(self, why: str = "") -> None:
        self.state, self._why = OwnerCallState(), why

    def call(self, fired: FiredRule) -> None:  # noqa: ARG002
        """Record only the reason why nobody is called."""
        self.state = OwnerCallState(why_not=self._why)

    async def wait(self, seconds: float) -> None:
        """Return at once."""


def drill_feed(drill: str) -> str:
    """Name the feed of a drill's warnings, which marks them and keeps them from the live ones."""
    return f"drill {drill}"


def choose_owner_call(
    installation: Installation, plan: DrillPlan, drill: str, clock: Callable[[], DateTime], *, auto: bool
) -> OwnerCall | WarningOwnerCall:
    """Choose whom this drill calls. `auto`: a simulated owner answers; in the sandbox only."""
    if plan.call.reach == "nobody":
        return NoOwnerCall(CALLS_NOBODY)
    if not is_running(installation.settings.home):
        return NoOwnerCall(NOT_RUNNING)
    port = int((read_state(installation.settings.home) or {}).get("port", installation.settings.port))
    return WarningOwnerCall(installation, plan, drill, clock, SimulatedOwner(port, plan.seed) if auto else None)


class WarningOwnerCall:
    """Owner call through a warning, raised and watched in a thread, so that the drill's seconds do not wait."""

    def __init__(
        self,
        installation: Installation,
        plan: DrillPlan,
        drill: str,
        clock: Callable[[], DateTime],
        simulated: SimulatedOwner | None,
    ) -> None:
        self.state = OwnerCallState()
        self._installation, self._plan, self._drill, self._clock = installation, plan, drill, clock
        self._simulated = simulated
        self._task: asyncio.Task[None] | None = None

    def call(self, fired: FiredRule) -> None:
        """Raise the warning and call its owner, once a drill."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(fired))

    async def wait(self, seconds: float) -> None:
        """Wait until the call is acknowledged, for so many seconds at most."""
        if self._task is not None and self.state.acknowledged is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, 0.0)):
                    await asyncio.shield(self._task)

    async def end(self) -> None:
        """End the warning of a drill that is over; nobody is called for it any more."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(close_drill_warnings, self._installation, self._drill, self._clock())

    async def _follow(self, fired: FiredRule) -> None:
        try:
            raised = await asyncio.to_thread(self._raise, fired)
        except StorageError as error:
            self.state = OwnerCallState(why_not=str(error))
            return
        if isinstance(raised, str):
            self.state = OwnerCallState(why_not=raised)
            return
        self.state = OwnerCallState(
            called=self._clock().timestamp(), matter=await asyncio.to_thread(self._ref, raised.matter)
        )
        while self.state.acknowledged is None:
            with contextlib.suppress(StorageError):  # the next look tells
                await asyncio.to_thread(self._look, raised)
            await asyncio.sleep(_LOOK)

    def _raise(self, fired: FiredRule) -> RaisedWarning | str:
        """The warning on record, and its owner owed a call; or why not."""
        if why := self._forbidden(fired.rule):
            return why
        with self._installation.database.write() as connection:
            acting = WarningEffects(connection, self._installation, drill_feed(self._drill), self._clock())
            said = RuleReport(fired.rule, fired.series, fired.rule_state)
            raised = acting.raise_warning(said, WarningContext(rules={fired.rule.id: fired.rule}))
        return raised if raised.matter else f"rule {fired.rule.id} starts nothing that calls anybody"

    def _forbidden(self, rule: Rule) -> str:
        """Why this drill must not call whom the rule would; empty where it may."""
        if rule.starts is None or (self._plan.call.reach == "owners" and self._simulated is None):
            return ""
        try:
            playbook = self._installation.library.get(rule.starts.playbook)
        except UnknownPlaybook as unknown:
            return str(unknown)
        wrong = find_outside_channels(playbook, self._installation.roster(), self._installation.channels())
        return f"the drill calls in the sandbox only, and {wrong[0]}" if wrong else ""

    def _ref(self, case: str) -> str:
        with self._installation.database.read() as connection:
            return incidents.load_incident(connection, case).ref

    def _look(self, raised: RaisedWarning) -> None:
        if self._simulated is not None:
            self._simulated.act(self.state.matter)
        with self._installation.database.read() as connection:
            ids = incidents.list_response_ids(connection, raised.matter)
            snapshots = [incidents.load_snapshot(connection, one, self._installation.roster()) for one in ids]
        taken = [
            (state.acknowledged_at, state.holder)
            for snapshot in snapshots
            for state in snapshot.steps.values()
            if state.acknowledged_at is not None
        ]
        if taken:
            at, who = min(taken)
            self.state = replace(self.state, acknowledged=at.timestamp(), by=who)


def close_drill_warnings(installation: Installation, drill: str, now: DateTime) -> list[str]:
    """End a drill's warnings and close their cases; the references closed now. Idempotent."""
    with installation.database.read() as connection:
        rows = warnings.list_warnings(connection, feed=drill_feed(drill), standing_only=False)
        cases = [row.matter for row in rows if row.matter]
        left = [one.ref for case in cases if (one := incidents.load_incident(connection, case)).running]
    for ref in dict.fromkeys(left):
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"drill {drill} {ref}"))
        commands.carry_out_command(installation, Close(id=name, incident=ref, reason="the drill is over"), now)
    with installation.database.write() as connection:
        for raised in warnings.list_open_warnings(connection, drill_feed(drill)):
            warnings.update_warning(connection, replace(raised, ended_at=now))
    return left
