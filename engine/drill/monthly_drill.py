"""Monthly drill: claimed once however many servers fire it; a missed one is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pendulum import DateTime

from domain.action import Action, ActionKind
from domain.drill.plan import DrillPlan
from domain.text import Text
from engine.drill.conductor import SecondListener
from engine.drill.lifecycle import PhaseRunner
from engine.drill.preflight import DrillNotAllowed
from engine.drill.run_drill import FOLLOW_UP_WITHIN, KIND, DrillResult, run_drill
from engine.installation import Installation
from engine.response.actions import open_actions
from playbooks.drill_file import read_drill_plan
from playbooks.errors import BadFile
from storage.database import Connection
from storage.reviews import review_records

PLAN = "drill.yaml"  # in the home: what is drilled every month; without it nothing is


def plan_file(installation: Installation) -> Path:
    """Path of the monthly drill's plan."""
    return Path(installation.settings.home) / PLAN


async def run_monthly(
    installation: Installation,
    clock: Callable[[], DateTime],
    heard: SecondListener = lambda *_: None,
    step: PhaseRunner | None = None,
) -> DrillResult | None:
    """Run this month's drill unless it has begun already; None where it has, or there is no plan.

    A drill that must not begin now is given back to the month: the next firing tries again.

    Raises:
        DrillNotAllowed: why it did not begin.
        BadFile: the plan.
    """
    source, now = plan_file(installation), clock().in_timezone(installation.reviews.plan.zone)
    if not source.exists():
        return None
    plan, month = read_drill_plan(source), now.format("YYYY-MM")
    with installation.database.write() as connection:
        _miss(connection, installation, plan, now)
        ends = now.start_of("month").add(months=1)
        if not review_records.claim_period(
            connection, KIND, month, matter="", ends_at=ends, made_at=now, late=False, document="", trouble="begun"
        ):
            return None
    try:
        held = await (
            run_drill(installation, source, clock, heard, step=step)
            if step
            else run_drill(installation, source, clock, heard)
        )
    except (DrillNotAllowed, BadFile):
        with installation.database.write() as connection:
            review_records.release_period(connection, KIND, month)
        raise
    with installation.database.write() as connection:
        review_records.update_run(connection, KIND, month, matter=held.matter, document=held.document.id, trouble="")
    return held


def _miss(connection: Connection, installation: Installation, plan: DrillPlan, now: DateTime) -> None:
    """The month before: a drill that was begun and never came to a report, or was never begun, is said once."""
    before = now.start_of("month").subtract(days=1).format("YYYY-MM")
    runs = {row.period: row for row in review_records.list_runs(connection, kind=KIND)}
    if not runs:
        return  # the first month of all
    if before in runs and runs[before].document:
        return
    title = Text(f"The drill of {before} was not held: find out why", f"{before} 的压测未执行：查明原因")
    action = Action(title, plan.owner, FOLLOW_UP_WITHIN, ActionKind.DRILL, origin=f"{KIND}/{before}")
    open_actions(connection, installation.roster(), {f"drill:missed:{before}": action}, now)
