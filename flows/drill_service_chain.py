"""Drill the service chain: preflight, baseline, stages, fault, recovery, report; once a month."""

from __future__ import annotations

from prefect import flow

from tasks.drills import hold_monthly_drill, publish_report


@flow(name="drill-service-chain")
async def drill_service_chain() -> str:
    """Hold the drill of the month, if it is due; its verdict."""
    held = await hold_monthly_drill()
    if held is None:
        return "not due"
    await publish_report(held.document.id, str(held.verdict.outcome), held.document.texts["en"])
    return str(held.verdict.outcome)
