"""One drill from permission to report, with a watchdog beside it that brings it to its end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from pendulum import DateTime

from channels.notice_wording import localize_reason
from domain.incident import CaseType
from engine.drill import lifecycle
from engine.drill.conductor import DrillConductor, SecondListener, describe_write_failure
from engine.drill.drill_records import DrillResult, save_result
from engine.drill.folders import ALIVE, KIND, drills_dir
from engine.drill.journal import DrillJournal
from engine.drill.lifecycle import PhaseRunner as Phase
from engine.drill.lifecycle import PreparedDrill
from engine.drill.owner_call import WarningOwnerCall, choose_owner_call
from engine.drill.preflight import DrillNotAllowed, check_time
from engine.drill.processes import watchdog_beside
from engine.drill.recover_orphan import recover_before_start
from engine.installation import Installation
from playbooks.rulebook import Rulebook
from storage.database import StorageError
from storage.incidents.board import list_open_cases
from storage.samples.rollups import read_history
from storage.samples.sample_store import LIVE_FEED

__all__ = [
    "FOLLOW_UP_WITHIN",
    "KIND",
    "DrillResult",
    "drills_dir",
    "find_peak_rate",
    "require_drill_allowed",
    "run_drill",
    "save_result",
]

BLOCKING_SEVERITIES = ("critical", "major")
_LOOKED_AT = timedelta(days=28)  # for the measured peak
FOLLOW_UP_WITHIN = timedelta(days=7)  # for what is asked about a drill that was missed


def require_drill_allowed(installation: Installation, now: DateTime) -> None:
    """Refuse a drill while a real incident is open, or in a campaign that locks drills.

    Raises:
        DrillNotAllowed: which one.
    """
    with installation.database.read() as connection:
        blocking = list_open_cases(connection, CaseType.INCIDENT, drill=False, severities=BLOCKING_SEVERITIES, limit=1)
    if blocking:
        found = blocking[0]
        raise DrillNotAllowed(
            f"{found['ref']} is open ({found['title'][:60]}): no drill beside the real thing; close it first"
        )
    for campaign in Rulebook(installation.settings.home).calendar().running(now):
        if campaign.lock_drills:
            raise DrillNotAllowed(f"campaign {campaign.id} runs until {campaign.end.isoformat()}, and locks drills")


def find_peak_rate(installation: Installation, metric: str, now: DateTime) -> float | None:
    """Find the highest hour of a volume in the last 28 days, as a rate a second; None where there is none."""
    hours: dict[int, float] = {}
    figures = installation.reviews.figures
    for one in read_history(figures, LIVE_FEED, metric, now - _LOOKED_AT, now, timedelta(hours=1)):
        hours[one.bucket] = hours.get(one.bucket, 0.0) + one.total
    return max(hours.values()) / 3600 if hours else None


async def run_drill(
    installation: Installation,
    source: Path,
    clock: Callable[[], DateTime],
    heard: SecondListener = lambda *_: None,
    begun: Callable[[DrillConductor], None] = lambda _: None,
    step: Phase = lifecycle.run_directly,
    *,
    auto: bool = False,
) -> DrillResult:
    """Run one drill from the first check to the call of its owner; killed drills are recovered first.

    `auto`: the owner whom the warning calls is simulated.

    Raises:
        BadFile: the plan.
        DrillNotAllowed: it must not begin.
        StorageError: what it found could not be kept; the record is in its folder.
    """
    now = clock()
    await asyncio.to_thread(require_drill_allowed, installation, now)
    drills = drills_dir(installation)
    with ExitStack() as lock:
        await asyncio.to_thread(lock.enter_context, lifecycle.drill_lock(drills))
        await asyncio.to_thread(recover_before_start, installation, now)
        name = f"{now.in_timezone('UTC').format('YYYYMMDD-HHmmss')}"
        drill = lifecycle.prepare(source, drills, name, lambda metric: find_peak_rate(installation, metric, now))
        try:
            check_time(drill.plan, now)
            async with watchdog_beside(installation, drill.folder):
                return await _held(installation, drill, clock, heard, begun, step, auto=auto)
        except DrillNotAllowed:
            shutil.rmtree(drill.folder)  # nothing was sent
            raise
        finally:
            (drill.folder / ALIVE).unlink(missing_ok=True)


async def _held(
    installation: Installation,
    drill: PreparedDrill,
    clock: Callable[[], DateTime],
    heard: SecondListener,
    begun: Callable[[DrillConductor], None],
    step: Phase,
    *,
    auto: bool,
) -> DrillResult:
    owner = await asyncio.to_thread(choose_owner_call, installation, drill.plan, drill.id, clock, auto=auto)
    try:
        record, verdict = await lifecycle.run_phases(drill, heard, begun, step, owner)
    finally:
        if isinstance(owner, WarningOwnerCall):
            await owner.end()
    journal, held = DrillJournal(drill.folder), None

    async def report() -> None:
        nonlocal held
        held = await asyncio.to_thread(save_result, installation, drill.plan, record, verdict, clock())
        journal.write_ended(str(verdict.outcome))

    try:
        await lifecycle.with_journal(journal, step)("report", report)
    except OSError as error:
        why = "; ".join(localize_reason(reason, "en") for reason in verdict.reasons)
        raise StorageError(
            f"{verdict.outcome} ({why}), and {describe_write_failure(error)}: make room, and drill again"
        ) from None
    assert held is not None  # noqa: S101 - the phase sets it
    return held
