"""Drive the response to public opinion: monitoring, service steps in, customers are calmed."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="calm-public-opinion", flow_run_name=run_name)
async def calm_public_opinion(taken: list[LeasedTurn]) -> None:
    """Drive the response to public opinion: monitoring, service steps in, customers are calmed."""
    await run_turns(taken)
