"""Follow up affected customers: one run a batch of surveys, and the steps that people are called for."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.surveys import enqueue_surveys
from tasks.turns import LeasedTurn


@flow(name="follow-up-customers", flow_run_name=run_name)
async def follow_up_customers(taken: list[LeasedTurn]) -> None:
    """Follow up affected customers: enqueue the due batches, take the turns, send."""
    await enqueue_surveys()
    await run_turns(taken)
