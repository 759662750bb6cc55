"""Reaper: no process outlives its supervisor, whatever killed it.

Each child of a supervisor carries the supervisor's mark in its environment, and so does every process
that a child starts, in whatever session or group (Prefect starts each flow run in a session of its own).
This file is also run as a process of its own, the reaper: it waits for the end of its input, which comes
when the supervisor is gone, and kills all that carries the mark. Standard library alone: the reaper runs
with `python -I -S` and stays small.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUPERVISOR_VARIABLE: Final = "TOCSIN_SUPERVISOR"
CHILD_VARIABLE: Final = "TOCSIN_CHILD"
_PASSES: Final = 20
_PASS_SECONDS: Final = 0.05


def find_marked(mark: str, name: str | None = None) -> list[int]:
    """Return ids of processes that carry a supervisor's mark, or only those that stem from its child `name`."""
    wanted = {f"{SUPERVISOR_VARIABLE}={mark}".encode()}
    if name is not None:
        wanted.add(f"{CHILD_VARIABLE}={name}".encode())
    return [pid for pid, environment in _environments() if wanted <= environment and pid != os.getpid()]


def kill_marked(mark: str, name: str | None = None) -> int:
    """Kill with SIGKILL all that carry the mark until none is left (a second at most); return how many."""
    killed: set[int] = set()
    for _ in range(_PASSES):
        left = find_marked(mark, name)
        if not left:
            break
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        killed.update(left)
        # A killed process stays listed until the kernel has taken it apart, and one may just have forked.
        time.sleep(_PASS_SECONDS)
    return len(killed)


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal one process; one that is gone already is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _environments() -> Iterator[tuple[int, set[bytes]]]:
    """Each readable process with its environment as it was started; nothing where there is no /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), set((folder / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue  # gone meanwhile, or another user's


def wait_and_kill() -> None:
    """Wait for the supervisor's end, then kill what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])


if __name__ == "__main__":
    wait_and_kill()
