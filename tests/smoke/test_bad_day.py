"""A bad day of a service desk, replayed on a real installation: who is called, when by the figures, and nobody else.

The times stand in `examples/bad_day.expected.yaml`, worked out by hand.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pendulum
import pytest
import yaml

from tests.smoke.count import MARKS
from tests.smoke.stack import ROOT, Stack, until

DAY = ROOT / "examples" / "bad_day.csv"
EXPECTED = yaml.safe_load((ROOT / "examples" / "bad_day.expected.yaml").read_text(encoding="utf-8"))
TICK_SECONDS = 10
LANE = "replay-bad-day"
STARTED = {"tier-1-response-time": "WRN", "tier-2-satisfaction": "WRN", "tier-3-complaints": "INC"}

pytestmark = pytest.mark.xdist_group("stack")


def replay(stack: Stack, speed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli.main", "samples", "replay", str(DAY), "--speed", str(speed), "--lane", LANE]
    return subprocess.Popen(command, cwd=ROOT, env=stack.environment, stdout=subprocess.DEVNULL)


def listed(stack: Stack) -> list[dict[str, Any]]:
    answer = stack.client.get("/api/warnings", params={"lane": LANE, "status": "all"}).raise_for_status()
    return list(answer.json()["warnings"])


def figures_time(clock: str) -> pendulum.DateTime:
    return pendulum.parse(f"{EXPECTED['day']}T{clock}", tz="Asia/Shanghai")  # type: ignore[return-value]


def near(text: str, clock: str) -> bool:
    moment = pendulum.parse(text)
    assert isinstance(moment, pendulum.DateTime)
    return abs((moment - figures_time(clock)).total_seconds()) <= TICK_SECONDS


def check(stack: Stack) -> None:
    """Each tier fired, called and recovered at its time; nothing else did; nobody was called twice for it."""
    found = {one["rule"]: one for one in listed(stack)}
    assert len(found) == len(listed(stack)), "one warning of each"
    for wanted in EXPECTED["warnings"]:
        one = found.pop(wanted["rule"])
        assert near(one["began_at"], wanted["fires"]), one
        assert near(one["ended_at"], wanted["ends"]), one
        assert (one["worst"], one["labels"], one["course"]) == (wanted["level"], wanted["series"], "called")
        assert one["ref"].startswith(STARTED[wanted["rule"]]), one
        assert calls(stack, one["ref"]), "somebody was called"
    for also in EXPECTED["also"]:
        one = found.pop(also["rule"])
        since, until_ = map(figures_time, also["between"])
        assert since <= pendulum.parse(one["began_at"]) <= until_, one  # type: ignore[operator]
    assert not found, "quiet figures start nothing"


def calls(stack: Stack, ref: str) -> Counter[str]:
    """How often each message of that matter arrived, those that say that they may be repeats left out."""
    mine = [one["json"] for one in stack.receiver.received() if str(one["json"]["key"]).startswith(f"{ref}/")]
    assert all("DRILL" in one["title"] for one in mine), "a replay is an exercise"
    return Counter(str(one["key"]) for one in mine if not any(mark in one["title"] for mark in MARKS))


def replayed(stack: Stack, speed: int, *, kill: bool) -> None:
    process = replay(stack, speed)
    try:
        if kill:
            until(lambda: listed(stack), 60, "the first tier fired", 0.1)
            stack.signal(stack.pids()["figures"], signal.SIGKILL)
        assert process.wait(180) == 0
    finally:
        process.kill()
        process.wait()
    until(lambda: all(one["ended_at"] for one in listed(stack)), 30, "every warning is over", 0.5)


def test_a_bad_day_at_an_hour_a_second_with_the_evaluation_killed(tmp_path: Path) -> None:
    with Stack(tmp_path, second_channels=False) as stack:
        until(stack.all_up, 60, "everything is up")
        replayed(stack, 3_600, kill=True)
        refs = {one["ref"] for one in listed(stack)}
        until(lambda: all(calls(stack, ref) for ref in refs), 20, "everybody was called", 0.2)
        check(stack)
        for ref in refs:
            assert max(calls(stack, ref).values()) == 1, "once each"
    assert stack.tracebacks() == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_bad_day_at_ten_minutes_a_second(tmp_path: Path) -> None:
    with Stack(tmp_path, second_channels=False) as stack:
        until(stack.all_up, 60, "everything is up")
        replayed(stack, 600, kill=False)
        check(stack)
        without = {one["rule"]: sorted(calls(stack, one["ref"])) for one in listed(stack)}
    with Stack(tmp_path / "again", second_channels=False) as stack:
        until(stack.all_up, 60, "everything is up")
        replayed(stack, 600, kill=True)
        check(stack)
        assert {one["rule"]: sorted(calls(stack, one["ref"])) for one in listed(stack)} == without
