"""The supervisor with Prefect's real server and worker: our schedules are applied and become runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.process.children import POOL, PREFECT_SERVER, PREFECT_SETUP, PREFECT_WORKER
from engine.process.reaper import find_marked, kill_marked
from engine.process.startup_checks import read_state

ROOT = Path(__file__).parents[2]
UP = f"""
from engine.process.children import default_children
from engine.process.supervisor import Supervisor
from storage.settings import load_settings
settings = load_settings()
names = {(PREFECT_SERVER, PREFECT_WORKER, PREFECT_SETUP)!r}
Supervisor(settings, [child for child in default_children(settings) if child.name in names]).run()
"""


def ask(port: int, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = httpx.post(f"http://127.0.0.1:{port}/api/{path}", json=body, timeout=10, trust_env=False)
    return list(answer.raise_for_status().json())


def until(found: Callable[[], list[Any]], seconds: float) -> list[Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.25)
    raise AssertionError(f"nothing within {seconds} s")


@pytest.mark.timeout(240)
def test_the_schedules_become_runs_on_our_pool(
    home: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("TOCSIN_PORT", str(free_port()))
    monkeypatch.setenv("TOCSIN_PREFECT_PORT", str(port))
    up = subprocess.Popen([sys.executable, "-c", UP], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert up.stdout
    mark = ""
    try:
        said = iter(up.stdout)
        for ending in ("ready", "Prefect has our schedules"):
            assert any(ending in line for line in said), (home / "logs" / f"{PREFECT_SETUP}.log").read_text()
        mark = (read_state(home) or {})["mark"]
        runs = until(lambda: ask(port, "flow_runs/filter", {"limit": 5}), 60)
        assert {run["work_pool_name"] for run in runs} == {POOL}
        assert {run["state_type"] for run in runs} <= {"SCHEDULED", "PENDING", "RUNNING", "COMPLETED"}
        assert ask(port, f"work_pools/{POOL}/workers/filter", {})[0]["status"] == "ONLINE"
        # What the server writes is where we said, and nothing of it is in the user's own Prefect folder.
        assert (home / "prefect" / "prefect.db").exists()
        up.terminate()
        assert up.wait(10) == 0
        assert find_marked(mark) == []
    finally:
        up.kill()
        up.wait()
        up.stdout.close()
        if mark:
            kill_marked(mark)
