"""Warnings on a real installation: from a sample to its owner's phone, and a bad day of a service desk replayed.

The times of the bad day stand in `examples/bad_day.expected.yaml`, worked out by hand.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
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

PROMISE_SECONDS = 20.0  # ten, and one tick
SERVICES = ("orders", "returns", "search")
RULE = """
id: jammed
title: {en: The line is jammed, zh: 线路拥堵}
metric: backlog
by: [service]
aggregate: last
window: 1m
above: 100
recover: 80
starts: standby-agents
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("warnings"), second_channels=False)
    (made.home / "rules").mkdir()
    (made.home / "rules" / "jammed.yaml").write_text(RULE, encoding="utf-8")
    with made:
        until(made.all_up, 60, "everything is up")
        yield made


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


def push(stack: Stack, service: str, value: float) -> float:
    """One sample of now; when it was accepted."""
    sample = {
        "metric": "backlog",
        "time": pendulum.now("UTC").isoformat(),
        "value": value,
        "labels": {"service": service},
    }
    stack.client.post("/api/samples", json=[sample]).raise_for_status()
    return time.time()


def called(stack: Stack, service: str) -> float:
    """When the first call for that service arrived; 0.0 while none has."""
    mine = [one for one in stack.receiver.received() if f"service={service}" in one["json"]["message"]]
    return min((float(one["at"]) for one in mine), default=0.0)


def wait_into_tick(seconds: float) -> None:
    """Until so far into a tick of ten seconds: where a sample comes in decides how long it waits."""
    until(lambda: 0 <= time.time() % 10 - seconds < 0.5, 15, "that moment of a tick", 0.02)


def test_a_sample_reaches_its_owner_within_ten_seconds_and_a_tick(stack: Stack) -> None:
    for service in SERVICES:
        push(stack, service, 5)
    took = []
    for number, service in enumerate(SERVICES):
        wait_into_tick(number * 3.0 + 0.5)  # early, in the middle, late in a tick
        accepted = push(stack, service, 500)
        until(lambda service=service: called(stack, service), 40, f"the owner of {service} is called", 0.05)  # type: ignore[misc]
        took.append(called(stack, service) - accepted)
    print("seconds from sample to owner:", [round(one, 2) for one in took])
    assert max(took) <= PROMISE_SECONDS
    standing = stack.client.get("/api/warnings").json()["warnings"]
    assert sorted(one["labels"]["service"] for one in standing) == sorted(SERVICES)
    assert {one["rule"] for one in standing} == {"jammed"}


def test_a_bad_day_at_an_hour_a_second_with_the_evaluation_killed(stack: Stack) -> None:
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
