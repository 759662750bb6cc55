"""Keep promises: measures, actions and proposals, from the promise to its proof."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="keep-promises", flow_run_name=run_name)
async def keep_promises(taken: list[Taken]) -> None:
    """Keep promises: remind of what was promised, escalate what is late."""
    await take_turn(taken)
