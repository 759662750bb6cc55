"""Drive the response to public opinion: monitoring, service steps in, customers are calmed."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="calm-public-opinion", flow_run_name=run_name)
async def calm_public_opinion(taken: list[Taken]) -> None:
    """Drive the response to public opinion: monitoring, service steps in, customers are calmed."""
    await take_turn(taken)
