"""Hold a review of the calendar, from the figures to the decision."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="hold-review", flow_run_name=run_name)
async def hold_review(taken: list[LeasedTurn]) -> None:
    """Hold a review: its figures are sent, it is held, its decisions get owners and dates."""
    await run_turns(taken)
