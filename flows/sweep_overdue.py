"""Sweep: with runner and engine both dead, a Prefect worker still moves incidents on."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_turns
from tasks.learning import update_learning
from tasks.sweep import delete_old_records, lease_overdue, mark_crashed_runs, recover_orphaned_drills, report_stuck_work


@flow(name="sweep-overdue")
async def sweep_overdue() -> None:
    """Take every overdue turn, send waiting messages, and keep Prefect's own record true."""
    while taken := await lease_overdue():
        await run_turns(taken)
    await run_turns([])
    await update_learning()
    await report_stuck_work()
    await recover_orphaned_drills()
    await mark_crashed_runs()
    await delete_old_records()
