"""`python -m engine.drill.settling FOLDER`: what a killed drill left is settled.

The fault put right, its processes ended, what it made removed, what is known reported.
Done by whoever waits beside a drill (`engine.drill.heir`) as soon as its conductor is gone, and by the next drill, and
by the sweep, where even that one died. Doing it twice is doing it once.
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

from domain.drill.plan import Plan
from engine.clock import now as clock
from engine.drill import running
from engine.drill.calling import call_off
from engine.drill.cleaning import clean
from engine.drill.crew import Proxy
from engine.drill.faults import NOTE, FaultFailed, mend, mend_all
from engine.drill.journal import PROGRESS, Journal, children, is_over, restored
from engine.drill.keeping import Held, keep
from engine.drill.places import ALIVE, drills_dir
from engine.drill.preflight import NotNow
from engine.drill.record import Cleaned
from engine.house import House
from playbooks.drill_file import read_plan
from storage.settings import load_settings

_DRAIN: Final = 8.0  # seconds that processes get which end by themselves when their conductor is gone
_LOOK: Final = 0.1
_TRIES, _PAUSE = 30, 2.0


def clear_away(house: House, now: DateTime) -> None:
    """The same before a drill begins.

    Raises:
        NotNow: the chain is still broken by the fault of an earlier one.
    """
    try:
        mend_all(drills_dir(house))
        settle_left(house, now)
    except FaultFailed as error:
        raise NotNow(f"the fault of an earlier drill is not put right yet: {error}") from None


def settle_orphans(house: House, now: DateTime) -> list[str]:
    """What the sweep does: drills that ended with their machine, unless one runs; the names of those settled now."""
    if not any(not is_over(file.parent) for file in drills_dir(house).glob(f"*/{PROGRESS}")):
        return []
    try:
        with running.alone(drills_dir(house), patience=0):
            return [held.record.id for held in settle_left(house, now)]
    except (NotNow, FaultFailed):  # somebody is at it, or the chain is not there: tried again with the next sweep
        return []


def settle_left(house: House, now: DateTime) -> list[Held]:
    """Every drill that was never brought to its end. Whoever calls it has the lock of the drills.

    Raises:
        FaultFailed: a fault cannot be put right yet.
    """
    drills = drills_dir(house)
    folders = [file.parent for file in sorted(drills.glob(f"*/{PROGRESS}"))]
    return [held for folder in folders if not is_over(folder) and (held := settle(house, folder, now))]


def settle(house: House, folder: Path, now: DateTime) -> Held | None:
    """One of them; None where nothing is known but that it began to begin.

    Raises:
        FaultFailed: its fault cannot be put right yet.
    """
    mend(folder / NOTE)
    _end(children(folder))
    call_off(house, folder.name, now)
    found, plan = restored(folder), read_plan(folder / running.PLAN)
    if found is None:
        return None
    record, phase = found
    written = running.read(folder)
    if written is not None:  # killed while it was being reported: everything is known
        record = written
    else:
        record.invalid = f"whoever conducted it was killed in the phase {phase}"
        record.cleaned = asyncio.run(_clean(plan, record.id, folder))
        if record.moments.injected is not None and record.moments.reverted is None:
            record.moments.reverted = time.time()
        running.keep(record, folder)
    held = keep(house, plan, record, running.verdict_on(plan, record), now)
    (folder / ALIVE).unlink(missing_ok=True)
    Journal(folder).ended(str(held.verdict.outcome))
    return held


async def _clean(plan: Plan, drill: str, folder: Path) -> Cleaned:
    """Its requests may lead through the fault proxy, which ended with the drill: a harmless one stands in for it."""
    fault = plan.fault
    proxy = await Proxy.start(fault) if fault is not None and fault.proxy else None
    try:
        return await clean(plan, drill, folder / running.LEDGER)
    finally:
        if proxy is not None:
            await proxy.end()


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
    """Settle one, under the lock; again and again where that fails. 0 when nothing is left to do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(_TRIES):
        try:
            house = House(load_settings()).open()
            try:
                with running.alone(folder.parent):
                    if not is_over(folder):
                        settle(house, folder, clock())
                return 0
            finally:
                house.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again, and the next drill tries too
            sys.stderr.write(f"the drill {folder.name} is not settled yet: {type(error).__name__}: {error}\n")
            time.sleep(_PAUSE)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
