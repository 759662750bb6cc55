"""Drive the four-hour public response: statement, compensation, briefing, updates."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="respond-publicly", flow_run_name=run_name)
async def respond_publicly(taken: list[LeasedTurn]) -> None:
    """Drive the four-hour public response: statement, compensation, briefing, updates."""
    await run_turns(taken)
