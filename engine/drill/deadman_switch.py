"""`python -m engine.drill.deadman_switch NOTE SECONDS`: reverts a fault whose drill is gone, or too late.

Its stdin is held open by the drill. It closes when that is killed; then, or after SECONDS, what the note
says is done.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from pathlib import Path

from engine.drill.fault_injection import FaultFailed, revert_fault

_TRIES, _PAUSE = 60, 2.0


def main(note: Path, seconds: float) -> int:
    """Wait, then revert the fault; 0 when nothing is broken any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C in the terminal is no reason to leave it broken
    select.select([sys.stdin], [], [], seconds)
    for _ in range(_TRIES):
        try:
            revert_fault(note)
        except FaultFailed:
            time.sleep(_PAUSE)
        else:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
