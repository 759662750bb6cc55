"""The sweep: even with runner and engine both dead, incidents move on, driven by a Prefect worker."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import take_turn
from tasks.learning import learn
from tasks.sweeping import lease_overdue, look_for_what_is_stuck, mark_crashed_runs, settle_drills, thin_figures


@flow(name="sweep-overdue")
async def sweep_overdue() -> None:
    """Take every overdue turn, send what waits, and keep Prefect's own record true."""
    while taken := await lease_overdue():
        await take_turn(taken)
    await take_turn([])
    await learn()
    await look_for_what_is_stuck()
    await settle_drills()
    await mark_crashed_runs()
    await thin_figures()
