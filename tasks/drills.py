"""The phases of a drill as Prefect tasks: preflight, baseline, stages, rest, fault, recovery, clean."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from engine.drill.holding import Held
from engine.drill.monthly import hold_monthly
from engine.drill.running import Work
from tasks import place


async def phase(name: str, work: Work) -> None:
    """One phase, known to Prefect by its name. Never retried: load that failed half-way is not sent again."""

    async def carried_out() -> None:
        await work()

    await task(name=name, task_run_name=name, cache_policy=NO_CACHE, retries=0)(carried_out)()


async def hold_drill() -> Held | None:
    """The drill of the month by phases; None where it is not due."""
    house = await asyncio.to_thread(place.house)
    return await hold_monthly(house, place.now, step=phase)


@task(name="report", cache_policy=NO_CACHE)
async def report(document: str, verdict: str, markdown: str) -> None:
    """The report as an artifact of this run; it is on record already."""
    link = f"{place.house().settings.links_url}/documents/{document}"
    await acreate_markdown_artifact(f"[{verdict}]({link})\n\n{markdown}", key="drill", description=verdict)
