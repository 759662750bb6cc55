"""Drive promised actions: measures, actions and proposals, from the promise to its proof."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="keep-promises", flow_run_name=run_name)
async def keep_promises(taken: list[LeasedTurn]) -> None:
    """Drive promised actions: remind their owners, escalate what is late."""
    await run_turns(taken)
