"""Drive the response to a warning: standby agents, a retrospective, the executive, resources."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="handle-warning", flow_run_name=run_name)
async def handle_warning(taken: list[LeasedTurn]) -> None:
    """Drive the response to a warning: standby agents, a retrospective, the executive, resources."""
    await run_turns(taken)
