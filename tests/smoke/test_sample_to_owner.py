"""From a sample that breaches a rule to the owner's phone, on a real installation: ten seconds and a tick at most."""

from __future__ import annotations

import time
from pathlib import Path

import pendulum
import pytest

from tests.smoke.stack import Stack, until

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

pytestmark = pytest.mark.xdist_group("stack")


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


def test_a_sample_reaches_its_owner_within_ten_seconds_and_a_tick(tmp_path: Path) -> None:
    stack = Stack(tmp_path, second_channels=False)
    (stack.home / "rules").mkdir()
    (stack.home / "rules" / "jammed.yaml").write_text(RULE, encoding="utf-8")
    with stack:
        until(stack.all_up, 60, "everything is up")
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
    assert stack.tracebacks() == []


def wait_into_tick(seconds: float) -> None:
    """Until so far into a tick of ten seconds: where a sample comes in decides how long it waits."""
    until(lambda: 0 <= time.time() % 10 - seconds < 0.5, 15, "that moment of a tick", 0.02)
