"""What the sweep does beside taking turns."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pendulum
from prefect import get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)  # fmt: skip
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed

from engine.turn import take_turns
from storage import incidents, outbox, turns
from tasks import place
from tasks.turns import Taken

OVERDUE = timedelta(seconds=5)  # runner and guarantor had their turn
LONG = timedelta(minutes=10)  # no run of ours takes as long
CHUNK = 100
KEEP_TURNS = timedelta(days=35)
KEEP_TEXTS = timedelta(days=90)
MARK = "tocsin"


@task(name="lease-overdue", cache_policy=NO_CACHE)
async def lease_overdue() -> list[Taken]:
    """Lease a chunk of what is long overdue."""

    def look() -> list[Taken]:
        now = place.now()
        with place.house().database.read() as connection:
            rows = incidents.due(connection, now - OVERDUE, limit=CHUNK, taken_too=True)
        leases = take_turns(place.house(), [row.id for row in rows], now) if rows else []
        return [Taken(response=one.response_id, token=one.token, due=one.due_at.isoformat()) for one in leases]

    return await asyncio.to_thread(look)


@task(name="mark-crashed-runs", cache_policy=NO_CACHE)
async def mark_crashed_runs() -> int:
    """Runs of ours that a kill left running for ever are marked crashed, so that Prefect's UI stays true."""
    before = pendulum.now("UTC") - LONG
    stuck = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[MARK]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])),
        start_time=FlowRunFilterStartTime(before_=before),
    )
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=stuck, limit=200)
        for run in runs:
            crashed: State[None] = Crashed(
                message="Its process ended before it could say so; the work went on elsewhere."
            )
            await client.set_flow_run_state(run.id, crashed, force=True)
    return len(runs)


@task(name="audit", cache_policy=NO_CACHE)
async def look_for_what_is_stuck() -> list[str]:
    """What should have happened and did not, said to the last resort: the engine may be dead."""

    def look() -> list[str]:
        from engine.auditor import audit, tell  # noqa: PLC0415 - only the sweep's runs need it
        from engine.rotation import looking  # noqa: PLC0415

        house, now = place.house(), place.now()
        with house.database.read() as connection:
            found = {name: reason for name, reason in audit(connection, now).items() if name != "sweep"}
        for name, reason in found.items():
            tell(house, name, reason, now)
        looking.look(house, now)
        return sorted(found)

    return await asyncio.to_thread(look)


@task(name="settle-drills", cache_policy=NO_CACHE)
async def settle_drills() -> list[str]:
    """A drill that ended with its machine is brought to its end: fault put right, what it made removed, reported."""

    def settle() -> list[str]:
        from engine.drill.settling import settle_orphans  # noqa: PLC0415 - only the sweep's runs need it

        return settle_orphans(place.house(), place.now())

    return await asyncio.to_thread(settle)


@task(name="thin-figures", cache_policy=NO_CACHE)
async def thin_figures() -> None:
    """Nothing grows for ever: old turns and the texts of old messages are forgotten."""

    def thin() -> None:
        now = place.now()
        with place.house().database.write() as connection:
            turns.thin(connection, now - KEEP_TURNS)
            outbox.thin(connection, now - KEEP_TEXTS)
            turns.keep(connection, "sweep", {}, now)

    await asyncio.to_thread(thin)
