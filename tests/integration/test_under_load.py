"""When the machine is short of time, what people wait for goes first."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from engine.process.child import ChildProcess, SupervisorTimings
from engine.process.children import StartCondition, default_children
from storage.settings import load_settings


def test_what_nobody_waits_for_gives_way(tmp_path: Path) -> None:
    children = {child.name: child for child in default_children(load_settings(home=tmp_path), {})}
    assert {name: child.nice for name, child in children.items() if child.nice} == {
        "figures": 5,
        "prefect-worker": 10,
        "prefect-setup": 15,
    }


def test_a_child_runs_with_its_niceness(tmp_path: Path) -> None:
    for folder in ("logs", "run"):
        (tmp_path / folder).mkdir()
    children = {child.name: child for child in default_children(load_settings(home=tmp_path), {})}
    sleeper = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
    calm = type(children["web"])(name="calm", command=sleeper, start=StartCondition.AT_ONCE, nice=7)
    watched = ChildProcess(calm, tmp_path, "mark-of-this-test", SupervisorTimings())
    watched.spawn(time.monotonic())
    try:
        assert watched.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, watched.pid) == 7
    finally:
        watched.kill()
