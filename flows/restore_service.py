"""Drive the recovery of a service: switch to the standby channel, mitigate, confirm."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_name, take_turn
from tasks.turns import Taken


@flow(name="restore-service", flow_run_name=run_name)
async def restore_service(taken: list[Taken]) -> None:
    """Drive the recovery of a service: switch to the standby channel, mitigate, confirm."""
    await take_turn(taken)
