"""The chain check as Prefect tasks."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from engine.check.finding import Found
from engine.check.run import Order, hand_over, run
from tasks import place


@task(name="check-chain", cache_policy=NO_CACHE)
async def check_chain() -> list[Found]:
    """Everything that can be checked, test messages included."""
    return await asyncio.to_thread(lambda: list(run(place.house(), place.now(), Order())))


@task(name="hand-over-broken", cache_policy=NO_CACHE)
async def hand_over_broken(found: list[Found]) -> list[str]:
    """An action for each broken thing; the table as an artifact of this run."""
    rows = [{"what": one.what, "ok": one.ok, "reason": one.reason.en, "owner": one.owner} for one in found]
    await acreate_table_artifact(rows, key="chain-check", description="Every link of the response chain.")
    return await asyncio.to_thread(lambda: hand_over(place.house(), found, place.now()))
