"""`python -m engine.drill.drill_watchdog FOLDER`: ends a drill whose conductor cannot.

Its stdin is held open by the conductor, which writes `done` to it. Closed without that word, the conductor
was killed. It stays light while it waits: what it takes to recover a drill is loaded only then, in its
place.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

DONE: Final = b"done\n"


def main(folder: str) -> int:
    """Wait for the conductor's end; 0 when nothing is left to do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C in the terminal is meant for the conductor
    if sys.stdin.buffer.read() == DONE:
        return 0
    return os.execv(sys.executable, [sys.executable, "-m", "engine.drill.recover_orphan", folder])  # noqa: S606 - ourselves


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
