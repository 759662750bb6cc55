"""Prefect tasks of the response chain check."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from engine.check.chain_check import CheckScope, open_repair_actions, run_checks
from engine.check.finding import CheckFinding
from tasks import process_context


@task(name="check-chain", cache_policy=NO_CACHE)
async def check_chain() -> list[CheckFinding]:
    """Check the whole response chain, test messages included."""
    return await asyncio.to_thread(
        lambda: list(run_checks(process_context.get_installation(), process_context.now(), CheckScope()))
    )


@task(name="hand-over-broken", cache_policy=NO_CACHE)
async def create_repair_actions(found: list[CheckFinding]) -> list[str]:
    """Create an action for each broken thing; the table becomes an artifact of this run."""
    rows = [{"what": one.what, "ok": one.ok, "reason": one.reason.en, "owner": one.owner} for one in found]
    await acreate_table_artifact(rows, key="chain-check", description="Every link of the response chain.")
    return await asyncio.to_thread(
        lambda: open_repair_actions(process_context.get_installation(), found, process_context.now())
    )
