"""Follow up affected customers: one run a batch of surveys, with what people are called for."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.surveys import owe_surveys
from tasks.turns import Taken


@flow(name="follow-up-customers", flow_run_name=run_name)
async def follow_up_customers(taken: list[Taken]) -> None:
    """Follow up affected customers: owe the batches that are due, take the turns, send."""
    await owe_surveys()
    await take_turn(taken)
