"""The drill of the month: claimed once however many servers fire it, and said where one was missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pendulum import DateTime
from sqlalchemy import Connection

from domain.action import Action, ActionKind
from domain.drill.plan import Plan
from domain.text import Text
from engine.actions import promise
from engine.drill.conduct import Heard
from engine.drill.holding import KIND, SOON, Held, hold
from engine.drill.preflight import NotNow
from engine.drill.running import Step
from engine.house import House
from engine.review.desk import desk_of
from playbooks.drill_file import read_plan
from playbooks.errors import BadFile
from storage import reviews

PLAN = "drill.yaml"  # in the home: what is drilled every month; without it nothing is


def plan_file(house: House) -> Path:
    """Where the plan of the monthly drill is."""
    return Path(house.settings.home) / PLAN


async def hold_monthly(
    house: House, clock: Callable[[], DateTime], heard: Heard = lambda *_: None, step: Step | None = None
) -> Held | None:
    """The drill of this month, if nobody has begun it; None where it is held, or there is no plan.

    A drill that must not begin now is given back to the month: the next firing tries again.

    Raises:
        NotNow: why it did not begin.
        BadFile: the plan.
    """
    source, now = plan_file(house), clock().in_timezone(desk_of(house).plan.zone)
    if not source.exists():
        return None
    plan, month = read_plan(source), now.format("YYYY-MM")
    with house.database.write() as connection:
        _miss(connection, house, plan, now)
        ends = now.start_of("month").add(months=1)
        if not reviews.claim(
            connection, KIND, month, matter="", ends_at=ends, made_at=now, late=False, document="", trouble="begun"
        ):
            return None
    try:
        held = await (hold(house, source, clock, heard, step=step) if step else hold(house, source, clock, heard))
    except (NotNow, BadFile):
        with house.database.write() as connection:
            reviews.give_back(connection, KIND, month)
        raise
    with house.database.write() as connection:
        reviews.note_run(connection, KIND, month, matter=held.matter, document=held.document.id, trouble="")
    return held


def _miss(connection: Connection, house: House, plan: Plan, now: DateTime) -> None:
    """The month before: a drill that was begun and never came to a report, or was never begun, is said once."""
    before = now.start_of("month").subtract(days=1).format("YYYY-MM")
    runs = {row.period: row for row in reviews.runs(connection, kind=KIND)}
    if not runs:
        return  # the first month of all
    if before in runs and runs[before].document:
        return
    title = Text(f"The drill of {before} was not held: find out why", f"{before} 的压测未执行：查明原因")
    action = Action(title, plan.owner, SOON, ActionKind.DRILL, origin=f"{KIND}/{before}")
    promise(connection, house.roster(), {f"drill:missed:{before}": action}, now)
