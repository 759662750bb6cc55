"""Drive the four-hour public response: statement, compensation, briefing, updates."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="respond-publicly", flow_run_name=run_name)
async def respond_publicly(taken: list[Taken]) -> None:
    """Drive the four-hour public response: statement, compensation, briefing, updates."""
    await take_turn(taken)
