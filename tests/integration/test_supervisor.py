"""The supervisor on real processes: what dies or hangs is started again, what ends leaves nobody."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.process import reaper
from engine.process.heartbeat import Heartbeat, read_beat_age
from engine.process.startup_checks import is_running, read_state
from tests.integration.supervised import BOTH, Up, until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_leaves_nobody(up: Callable[..., Up], number: signal.Signals) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    until(lambda: len(reaper.find_marked(mark)) == 3)
    begun = time.monotonic()
    assert one.stop(number) == 0
    assert time.monotonic() - begun < 5
    assert reaper.find_marked(mark) == []
    assert one.process.stdout
    said = one.output + one.process.stdout.read()
    assert said.endswith("\nstopping everything\neverything has stopped\n")
    assert read_state(one.home) is None
    assert not is_running(one.home)


def test_a_child_that_will_not_stop_is_killed(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "stubborn"}, TERMINATE="1").ready()
    mark = one.mark
    assert one.stop(seconds=4) == 0
    assert reaper.find_marked(mark) == []


def test_a_frozen_child_is_no_obstacle_to_stopping(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    mark = one.mark
    os.kill(one.pids()["engine"], signal.SIGSTOP)
    assert one.stop(seconds=10) == 0
    assert reaper.find_marked(mark) == []


def test_nobody_outlives_a_killed_supervisor(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    until(lambda: len(reaper.find_marked(mark)) == 3)
    one.process.kill()
    until(lambda: reaper.find_marked(mark) == [], 5)


def test_up_again_after_supervisor_and_reaper_were_killed(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    before = one.pids()
    state = read_state(one.home) or {}
    os.kill(one.process.pid, signal.SIGSTOP)
    os.kill(state["reaper"], signal.SIGKILL)
    one.process.kill()
    one.process.wait()
    assert reaper.find_marked(mark) != []
    one.process = one.start()
    one.output = ""
    one.ready()
    assert reaper.find_marked(mark) == []
    assert set(one.pids().values()).isdisjoint(before.values())


def test_a_killed_child_is_back_at_once_and_what_it_started_is_gone(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark, pids = one.mark, one.pids()
    until(lambda: len(reaper.find_marked(mark, "engine")) == 2)
    old = set(reaper.find_marked(mark, "engine"))
    begun = time.monotonic()
    os.kill(pids["engine"], signal.SIGKILL)
    one.new_pid("engine", pids["engine"])
    assert time.monotonic() - begun < 1.5
    until(lambda: old.isdisjoint(reaper.find_marked(mark)))
    assert one.pids()["web"] == pids["web"]
    one.says(r"engine ended \(SIGKILL\), starting it again")


def test_a_frozen_child_is_killed_and_started_again(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    old = one.pids()["engine"]
    os.kill(old, signal.SIGSTOP)
    begun = time.monotonic()
    one.new_pid("engine", old)
    assert 0.7 < time.monotonic() - begun < 3
    one.says("engine gave no sign of life for 1")


def test_a_supervisor_that_slept_does_not_kill_the_well(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    before = one.pids()
    os.kill(one.process.pid, signal.SIGSTOP)
    time.sleep(2.5)  # longer than any limit: the time itself is what is tested
    os.kill(one.process.pid, signal.SIGCONT)
    time.sleep(1.0)
    assert one.pids() == before


def test_a_prefect_server_that_does_not_answer_is_started_again(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-worker": "well"}).ready()
    old = until(lambda: "prefect-worker" in one.pids() and one.pids())
    os.kill(old["prefect-server"], signal.SIGSTOP)
    one.new_pid("prefect-server", old["prefect-server"])
    assert one.pids()["engine"] == old["engine"]
    one.says("prefect-server did not answer for")


def test_a_stopped_worker_is_started_again(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-worker": "well"}).ready()
    old = until(lambda: one.pids().get("prefect-worker"))
    os.kill(old, signal.SIGSTOP)
    one.new_pid("prefect-worker", old)
    one.says("prefect-worker was stopped for 1")


def test_the_schedules_are_tried_until_they_are_applied(up: Callable[..., Up], tmp_path: Path) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-setup": "broken"}).ready()
    one.says(r"prefect-setup ended \(exit 1\)")
    child = tmp_path / "child.py"
    child.write_text(child.read_text().replace('sys.exit("the', 'sys.exit(0 and "the'))
    one.says("Prefect has our schedules")
    assert "prefect-setup" not in until(lambda: "prefect-setup" not in one.pids() and one.pids())


def test_logs_are_rotated(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "chatty"}).ready()
    log = one.home / "logs" / "engine.log"
    until(lambda: (one.home / "logs" / "engine.log.1").exists() and log.stat().st_size < 10_000)


def test_a_heartbeat_is_fresh_until_it_stops(tmp_path: Path) -> None:
    assert read_beat_age(tmp_path, "engine") is None
    beat = Heartbeat(tmp_path, "engine", interval=0.05).start()
    pid, began = (tmp_path / "run" / "engine.beat").read_text().split()
    assert (int(pid), abs(float(began) - time.time()) < 5) == (os.getpid(), True)
    first = (tmp_path / "run" / "engine.beat").stat().st_mtime_ns
    until(lambda: (tmp_path / "run" / "engine.beat").stat().st_mtime_ns > first)
    (tmp_path / "run" / "engine.beat").unlink()
    until(lambda: read_beat_age(tmp_path, "engine") is not None)
    beat.stop()
    until(lambda: (read_beat_age(tmp_path, "engine") or 0) > 0.3)
