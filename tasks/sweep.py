"""Prefect tasks of the sweep, besides the turns: leases, crashed runs, stuck work, drills, old records."""

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

from engine.response.turn import lease_turns
from storage import outbox
from storage.incidents import incidents, turns
from tasks import process_context
from tasks.turns import LeasedTurn

OVERDUE_AFTER = timedelta(seconds=5)  # runner and guarantor had their turn
CRASHED_AFTER = timedelta(minutes=10)  # no run of ours takes as long
CHUNK = 100
KEEP_TURNS = timedelta(days=35)
KEEP_TEXTS = timedelta(days=90)
RUN_TAG = "tocsin"


@task(name="lease-overdue", cache_policy=NO_CACHE)
async def lease_overdue() -> list[LeasedTurn]:
    """Lease a chunk of turns that are long overdue."""

    def look() -> list[LeasedTurn]:
        now = process_context.now()
        with process_context.get_installation().database.read() as connection:
            rows = incidents.list_due_responses(connection, now - OVERDUE_AFTER, limit=CHUNK, taken_too=True)
        leases = lease_turns(process_context.get_installation(), [row.id for row in rows], now) if rows else []
        return [LeasedTurn(response=one.response_id, token=one.token, due=one.due_at.isoformat()) for one in leases]

    return await asyncio.to_thread(look)


@task(name="mark-crashed-runs", cache_policy=NO_CACHE)
async def mark_crashed_runs() -> int:
    """Mark our runs that a kill left running for ever as crashed, so that Prefect's UI stays true."""
    before = pendulum.now("UTC") - CRASHED_AFTER
    stuck = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[RUN_TAG]),
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
async def report_stuck_work() -> list[str]:
    """Report stuck work to the last resort: the engine may be dead. Also polls the on-call schedule."""

    def look() -> list[str]:
        from engine.audit.auditor import alert_last_resort, find_faults  # noqa: PLC0415 - only the sweep's runs need it
        from engine.oncall import poll  # noqa: PLC0415

        installation, now = process_context.get_installation(), process_context.now()
        with installation.database.read() as connection:
            found = {name: reason for name, reason in find_faults(connection, now).items() if name != "sweep"}
        for name, reason in found.items():
            alert_last_resort(installation, name, reason, now)
        poll.hand_over_due(installation, now)
        return sorted(found)

    return await asyncio.to_thread(look)


@task(name="settle-drills", cache_policy=NO_CACHE)
async def recover_orphaned_drills() -> list[str]:
    """Recover drills that ended with their machine: revert the fault, remove what they made, report."""

    def settle() -> list[str]:
        from engine.drill.recover_orphan import recover_orphans  # noqa: PLC0415 - only the sweep's runs need it

        return recover_orphans(process_context.get_installation(), process_context.now())

    return await asyncio.to_thread(settle)


@task(name="thin-figures", cache_policy=NO_CACHE)
async def delete_old_records() -> None:
    """Delete old turns and the texts of old messages."""

    def thin() -> None:
        now = process_context.now()
        with process_context.get_installation().database.write() as connection:
            turns.delete_old_turns(connection, now - KEEP_TURNS)
            outbox.clear_sent_payloads(connection, now - KEEP_TEXTS)
            turns.save_installation_fact(connection, "sweep", {}, now)

    await asyncio.to_thread(thin)
