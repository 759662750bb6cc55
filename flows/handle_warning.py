"""Drive what a warning starts: standby agents, a retrospective, the executive, resources."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="handle-warning", flow_run_name=run_name)
async def handle_warning(taken: list[Taken]) -> None:
    """Drive what a warning starts: standby agents, a retrospective, the executive, resources."""
    await take_turn(taken)
