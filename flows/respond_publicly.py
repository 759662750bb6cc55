"""Drive the four-hour public response: statement, compensation, briefing, updates."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import take_turn
from tasks.turns import Taken


@flow(name="respond-publicly")
async def respond_publicly(taken: list[Taken]) -> None:
    """Drive the four-hour public response: statement, compensation, briefing, updates."""
    await take_turn(taken)
