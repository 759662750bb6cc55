"""Drive the recovery of a service: switch to the standby channel, mitigate, confirm."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, run_turns
from tasks.turns import LeasedTurn


@flow(name="restore-service", flow_run_name=run_name)
async def restore_service(taken: list[LeasedTurn]) -> None:
    """Drive the recovery of a service: switch to the standby channel, mitigate, confirm."""
    await run_turns(taken)
