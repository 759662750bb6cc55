"""Hold a review: what the calendar asks for, from the figures to the decision."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="hold-review", flow_run_name=run_name)
async def hold_review(taken: list[Taken]) -> None:
    """Hold a review: its figures are sent, it is held, its decisions get owners and dates."""
    await take_turn(taken)
