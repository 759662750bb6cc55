"""Senders killed in the middle of a batch: nobody is asked twice, nobody is forgotten."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pendulum

from tests.customers import FollowUp, customer_installation, plan_text, row
from tests.receivers import Received

ROOT = Path(__file__).parents[2]
SENDER = """
import time
import pendulum
from engine.delivery.deliver import Deliverer
from engine.installation import Installation
from storage.settings import load_settings
sender = Deliverer(Installation(load_settings()).open(), "victim", lambda: pendulum.now("UTC"))
while True:
    sender.deliver(seconds=1)
    time.sleep(0.02)
"""
CUSTOMERS, KILLS = 90, 3


def at_least(count: int) -> Callable[[list[Received]], bool]:
    return lambda got: len(got) >= count


def test_senders_killed_in_the_middle_ask_nobody_twice_and_forget_nobody(home: Path) -> None:
    (home / "followup.yaml").write_text(plan_text(**{"every: 1m": "every: 1s", "per_batch: 120": "per_batch: 40"}))
    with customer_installation(home) as installation:
        installation.now = pendulum.now("UTC")
        follow = FollowUp(installation)
        follow.take([row(n) for n in range(CUSTOMERS)])
        follow.close()
        installation.receiver.script("/mail/", delay=0.05)
        for _kill in range(KILLS):
            seen = len(follow.asked())
            victim = subprocess.Popen([sys.executable, "-c", SENDER], cwd=ROOT)
            try:
                installation.receiver.wait_for(at_least(seen + 12), timeout=60)
            finally:
                victim.kill()
                victim.wait()
        assert len(follow.asked()) < CUSTOMERS, "killed in the middle, not at the end"
        for _ in range(20):
            installation.now = max(installation.now.add(seconds=2), pendulum.now("UTC"))
            follow.step()
        counts = Counter(follow.asked())
        assert [address for address, count in counts.items() if count > 1] == []
        found = follow.customers()
        assert {one.state for one in found.values()} == {"asked"}, "each of them is on record as asked"
        doubtful = {f"c{name[1:]}@example.com" for name, one in found.items() if one.reached == "unknown"}
        everybody = {f"c{n}@example.com" for n in range(CUSTOMERS)}
        assert everybody - set(counts) <= doubtful, "whoever got nothing is known to be in doubt"
        assert len(doubtful) <= KILLS, "of each killed sender the one survey that it had begun"
        assert all(one.remind_at for one in found.values()), "and the reminder reaches them"


def test_a_look_taken_twice_or_by_two_at_once_asks_once(home: Path) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        follow.take([row(n) for n in range(10)])
        follow.close()
        assert [follow.tick() for _ in range(4)] == [True, False, False, False]
        follow.step()
        assert sorted(Counter(follow.asked()).values()) == [1] * 10
