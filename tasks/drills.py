"""Prefect tasks of a drill: preflight, baseline, stages, rest, fault, recovery, clean-up, report."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from engine.drill.lifecycle import PhaseWork
from engine.drill.monthly_drill import run_monthly
from engine.drill.run_drill import DrillResult
from tasks import process_context


async def run_phase(name: str, work: PhaseWork) -> None:
    """Run one phase as a Prefect task of that name. Never retried: half-sent load is not sent again."""

    async def carried_out() -> None:
        await work()

    await task(name=name, task_run_name=name, cache_policy=NO_CACHE, retries=0)(carried_out)()


async def hold_monthly_drill() -> DrillResult | None:
    """Hold the drill of the month by phases; None where it is not due."""
    installation = await asyncio.to_thread(process_context.get_installation)
    return await run_monthly(installation, process_context.now, step=run_phase)


@task(name="report", cache_policy=NO_CACHE)
async def publish_report(document: str, verdict: str, markdown: str) -> None:
    """Publish the report as an artifact of this run; the database already holds it."""
    link = f"{process_context.get_installation().settings.links_url}/documents/{document}"
    await acreate_markdown_artifact(f"[{verdict}]({link})\n\n{markdown}", key="drill", description=verdict)
