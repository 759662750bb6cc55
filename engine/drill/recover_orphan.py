"""`python -m engine.drill.recover_orphan FOLDER`: recovers a drill whose conductor was killed.

The fault is put right, its processes are ended, what it made is removed, what is known is reported. Done by
the watchdog beside a drill (`engine.drill.drill_watchdog`) as soon as the conductor is gone, and by the
next drill and by the sweep, where even the watchdog died. Idempotent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from pendulum import DateTime

from domain.drill.plan import DrillPlan
from engine.drill import lifecycle
from engine.drill.cleanup import remove_created
from engine.drill.drill_records import DrillResult, save_result
from engine.drill.fault_injection import NOTE, FaultFailed, revert_fault, revert_left_faults
from engine.drill.folders import ALIVE, drills_dir
from engine.drill.journal import PROGRESS, DrillJournal, child_pids, is_over, restore_record
from engine.drill.owner_call import close_drill_warnings
from engine.drill.preflight import DrillNotAllowed
from engine.drill.processes import ProxyProcess
from engine.drill.record import CleanupResult
from engine.installation import Installation
from engine.process.clock import now as clock
from playbooks.drill_file import read_drill_plan
from storage.settings import load_settings

_DRAIN: Final = 8.0  # seconds that processes get which end by themselves when their conductor is gone
_LOOK: Final = 0.1
_TRIES, _PAUSE = 30, 2.0


def recover_before_start(installation: Installation, now: DateTime) -> None:
    """Recover killed drills before a new one begins.

    Raises:
        DrillNotAllowed: the chain is still broken by the fault of an earlier one.
    """
    try:
        revert_left_faults(drills_dir(installation))
        recover_unfinished(installation, now)
    except FaultFailed as error:
        raise DrillNotAllowed(f"the fault of an earlier drill is not put right yet: {error}") from None


def recover_orphans(installation: Installation, now: DateTime) -> list[str]:
    """Recover drills that ended with their machine, for the sweep; the names of those recovered now.

    Nothing is done while a drill runs.
    """
    if not any(not is_over(file.parent) for file in drills_dir(installation).glob(f"*/{PROGRESS}")):
        return []
    try:
        with lifecycle.drill_lock(drills_dir(installation), patience=0):
            return [held.record.id for held in recover_unfinished(installation, now)]
    except (
        DrillNotAllowed,
        FaultFailed,
    ):  # somebody is at it, or the chain is not there: tried again with the next sweep
        return []


def recover_unfinished(installation: Installation, now: DateTime) -> list[DrillResult]:
    """Recover every drill that never came to its end. The caller has the lock of the drills.

    Raises:
        FaultFailed: a fault cannot be put right yet.
    """
    drills = drills_dir(installation)
    folders = [file.parent for file in sorted(drills.glob(f"*/{PROGRESS}"))]
    return [held for folder in folders if not is_over(folder) and (held := recover_drill(installation, folder, now))]


def recover_drill(installation: Installation, folder: Path, now: DateTime) -> DrillResult | None:
    """Recover one drill; None where nothing is known but that it was about to begin.

    Raises:
        FaultFailed: its fault cannot be put right yet.
    """
    revert_fault(folder / NOTE)
    _end(child_pids(folder))
    close_drill_warnings(installation, folder.name, now)
    found, plan = restore_record(folder), read_drill_plan(folder / lifecycle.PLAN)
    if found is None:
        return None
    record, phase = found
    written = lifecycle.load_record(folder)
    if written is not None:  # killed while it was being reported: everything is known
        record = written
    else:
        record.invalid = f"whoever conducted it was killed in the phase {phase}"
        record.cleaned = asyncio.run(_clean(plan, record.id, folder))
        if record.moments.injected is not None and record.moments.reverted is None:
            record.moments.reverted = time.time()
        lifecycle.save_record(record, folder)
    held = save_result(installation, plan, record, lifecycle.judge_record(plan, record), now)
    (folder / ALIVE).unlink(missing_ok=True)
    DrillJournal(folder).write_ended(str(held.verdict.outcome))
    return held


async def _clean(plan: DrillPlan, drill: str, folder: Path) -> CleanupResult:
    """Its requests may lead through the fault proxy, which ended with the drill: a harmless one stands in for it."""
    fault = plan.fault
    proxy = await ProxyProcess.start(fault) if fault is not None and fault.proxy else None
    try:
        return await remove_created(plan, drill, folder / lifecycle.LEDGER)
    finally:
        if proxy is not None:
            await proxy.kill()


def _end(processes: list[int]) -> None:
    """Wait until they have ended by themselves, as they do; else end them."""
    ends = time.monotonic() + _DRAIN
    left = [pid for pid in processes if _ours(pid)]
    while left and time.monotonic() < ends:
        time.sleep(_LOOK)
        left = [pid for pid in left if _ours(pid)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _ours(pid: int) -> bool:
    """Whether the number is still that of a child of a drill, and not of somebody else's process by now."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"engine.load" in command or b"engine.faults" in command


def main(folder: Path) -> int:
    """Recover one drill under the lock, again and again where that fails. 0 when nothing is left to do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(_TRIES):
        try:
            installation = Installation(load_settings()).open()
            try:
                with lifecycle.drill_lock(folder.parent):
                    if not is_over(folder):
                        recover_drill(installation, folder, clock())
                return 0
            finally:
                installation.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again, and the next drill tries too
            sys.stderr.write(f"the drill {folder.name} is not settled yet: {type(error).__name__}: {error}\n")
            time.sleep(_PAUSE)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
