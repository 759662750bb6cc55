"""Holding a drill: whether it may begin, its run, its report; somebody beside it who brings it to its end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from pendulum import DateTime
from sqlalchemy import select

from channels.wording import reason_in
from engine.drill import running
from engine.drill.calling import Caller, owner_for
from engine.drill.conduct import Conductor, Heard, unwritten
from engine.drill.crew import heir_beside
from engine.drill.journal import Journal
from engine.drill.keeping import Held, keep
from engine.drill.places import ALIVE, KIND, drills_dir
from engine.drill.preflight import NotNow, check_time
from engine.drill.running import Drill
from engine.drill.running import Step as Phase
from engine.drill.settling import clear_away
from engine.house import House
from engine.review.desk import desk_of
from playbooks.rulebook import Rulebook
from storage.database import StorageError
from storage.figures import LIVE
from storage.figures_history import course
from storage.incidents import INCIDENT

__all__ = ["KIND", "SOON", "Held", "check_free", "drills_dir", "hold", "keep", "peak_of"]

SERIOUS = ("critical", "major")
_LOOKED_AT = timedelta(days=28)  # for the measured peak
SOON = timedelta(days=7)  # for what is asked about a drill that was missed


def check_free(house: House, now: DateTime) -> None:
    """No drill while something real happens, and none in a campaign that locks them.

    Raises:
        NotNow: which one.
    """
    query = select(INCIDENT.c.ref, INCIDENT.c.title).where(
        INCIDENT.c.status.in_(("open", "mitigated")), INCIDENT.c.nature == "incident",
        INCIDENT.c.drill.is_(False), INCIDENT.c.severity.in_(SERIOUS),
    )  # fmt: skip
    with house.database.read() as connection:
        found = connection.execute(query.limit(1)).first()
    if found is not None:
        raise NotNow(f"{found.ref} is open ({found.title[:60]}): no drill beside the real thing; close it first")
    for campaign in Rulebook(house.settings.home).calendar().running(now):
        if campaign.lock_drills:
            raise NotNow(f"campaign {campaign.id} runs until {campaign.end.isoformat()}, and locks drills")


def peak_of(house: House, metric: str, now: DateTime) -> float | None:
    """The highest hour of a volume in the last 28 days, as so many a second; None where there is none."""
    hours: dict[int, float] = {}
    figures = desk_of(house).figures
    for one in course(figures, LIVE, metric, now - _LOOKED_AT, now, timedelta(hours=1)):
        hours[one.bucket] = hours.get(one.bucket, 0.0) + one.total
    return max(hours.values()) / 3600 if hours else None


async def hold(
    house: House, source: Path, clock: Callable[[], DateTime], heard: Heard = lambda *_: None,
    begun: Callable[[Conductor], None] = lambda _: None, step: Phase = running.directly, *, auto: bool = False,
) -> Held:  # fmt: skip
    """One drill from the first check to the call of its owner. What a killed one left is settled first.

    `auto`: whoever the warning calls is simulated.

    Raises:
        BadFile: the plan.
        NotNow: it must not begin.
        StorageError: what it found could not be kept; the record is in its folder.
    """
    now = clock()
    await asyncio.to_thread(check_free, house, now)
    drills = drills_dir(house)
    with ExitStack() as lock:
        await asyncio.to_thread(lock.enter_context, running.alone(drills))
        await asyncio.to_thread(clear_away, house, now)
        name = f"{now.in_timezone('UTC').format('YYYYMMDD-HHmmss')}"
        drill = running.prepare(source, drills, name, lambda metric: peak_of(house, metric, now))
        try:
            check_time(drill.plan, now)
            async with heir_beside(house, drill.folder):
                return await _held(house, drill, clock, heard, begun, step, auto=auto)
        except NotNow:
            shutil.rmtree(drill.folder)  # nothing was sent
            raise
        finally:
            (drill.folder / ALIVE).unlink(missing_ok=True)


async def _held(
    house: House, drill: Drill, clock: Callable[[], DateTime], heard: Heard, begun: Callable[[Conductor], None],
    step: Phase, *, auto: bool,
) -> Held:  # fmt: skip
    owner = await asyncio.to_thread(owner_for, house, drill.plan, drill.id, clock, auto=auto)
    try:
        record, verdict = await running.run(drill, heard, begun, step, owner)
    finally:
        if isinstance(owner, Caller):
            await owner.end()
    journal, held = Journal(drill.folder), None

    async def report() -> None:
        nonlocal held
        held = await asyncio.to_thread(keep, house, drill.plan, record, verdict, clock())
        journal.ended(str(verdict.outcome))

    try:
        await running.noted(journal, step)("report", report)
    except OSError as error:
        why = "; ".join(reason_in(reason, "en") for reason in verdict.reasons)
        raise StorageError(f"{verdict.outcome} ({why}), and {unwritten(error)}: make room, and drill again") from None
    assert held is not None  # noqa: S101 - the phase sets it
    return held
