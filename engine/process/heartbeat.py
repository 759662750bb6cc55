"""Heartbeat of a process: a file that grows old when the process is stopped or hangs.

Standard library alone, so that a process can beat before its heavy imports.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final, Self

INTERVAL_SECONDS: Final = 0.25


def beat_file(home: Path, name: str) -> Path:
    """Return the file whose modification time is the last sign of life of the child `name`."""
    return home / "run" / f"{name}.beat"


def read_beat_age(home: Path, name: str) -> float | None:
    """Return the seconds of wall time since the last beat, or None when there never was one."""
    try:
        return max(0.0, time.time() - beat_file(home, name).stat().st_mtime)
    except OSError:
        return None


class Heartbeat:
    """Beats from a daemon thread while the process lives: `Heartbeat(home, "engine").start()` in `main`."""

    def __init__(self, home: Path, name: str, interval: float = INTERVAL_SECONDS) -> None:
        self._file = beat_file(home, name)
        self._interval = interval
        self._stopped = threading.Event()

    def start(self) -> Self:
        """Beat once, then go on in the background; the file holds process id and start (epoch seconds)."""
        self._create()
        threading.Thread(target=self._run, name=f"heartbeat {self._file.stem}", daemon=True).start()
        return self

    def stop(self) -> None:
        """Beat no more; the file stays and grows old."""
        self._stopped.set()

    def _create(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{os.getpid()} {time.time():.3f}\n", encoding="ascii")

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                os.utime(self._file)
            except OSError:
                self._again()

    def _again(self) -> None:
        # The run folder was removed, or the disk is full: a missed beat must not end the beating.
        try:
            self._create()
        except OSError:
            return
