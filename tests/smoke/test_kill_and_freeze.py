"""Any process killed or frozen at any moment: nothing is lost, nothing is said twice unmarked, nothing is late."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.smoke.chaos import CHILDREN, Chaos
from tests.smoke.count import Books, Count, beyond, count
from tests.smoke.owners import Owners
from tests.smoke.stack import ROOT, Stack, as_json, until

DRUMBEAT = (ROOT / "tests" / "data" / "drumbeat.yaml").read_text(encoding="utf-8")
PACE = 20
INCIDENTS = 20
PROMISE_SECONDS = 5.0  # real seconds after the engine is back by which every deadline has been met
SETTLE_SECONDS = 45.0


@contextmanager
def shown_on_failure(stack: Stack, chaos: Chaos, seed: int) -> Iterator[None]:
    """What a person needs to understand a failure, and to have it again."""
    try:
        yield
    except BaseException:
        print(f"KILL_TEST_SEED={seed}", *chaos.blows, stack.logs(), sep="\n")
        raise


def seed_of_this_run() -> int:
    """`KILL_TEST_SEED`, or a new one."""
    return int(os.environ.get("KILL_TEST_SEED") or secrets.randbelow(10**6))


def settled(stack: Stack, moment: float, database: Path | str = "") -> bool:
    """Whether all that was owed and due before that moment has come to an end."""
    books = Books(database or stack.home / "tocsin.db")
    before = moment * 1_000_000
    open_states = ("pending", "retry", "leased")
    unsent = [row for row in books.outbox if row["created_at"] <= before and row["state"] in open_states]
    overdue = [row for row in books.responses if row["wake_at"] is not None and row["wake_at"] <= before]
    return not unsent and not overdue


def survive(stack: Stack, blows: int, pause: tuple[float, float], seed: int) -> tuple[Count, Chaos]:
    """Declare, strike, let it settle, count."""
    chaos = Chaos(stack, seed)
    until(stack.all_up, 60, "everything is up")
    # Taken at once, answered late: so a sender is often struck between its send and its record.
    stack.receiver.script("/person/", delay=0.1)
    stack.receiver.script("/public/", delay=0.4)
    with shown_on_failure(stack, chaos, seed), Owners(stack) as owners:
        refs = [
            stack.declare(f"seed {seed} number {n}", playbook="drumbeat", drill=True, pace={"declared": PACE})
            for n in range(INCIDENTS)
        ]
        chaos.run(blows, pause)
        moment = time.time()
        until(lambda: settled(stack, moment), SETTLE_SECONDS, "everything owed so far has come to an end", 0.5)
        away = max((blow.back - blow.at for blow in chaos.blows if blow.name == "engine"), default=0.0)
        limit = PROMISE_SECONDS + away
        found = count(stack.home / "tocsin.db", stack.receiver.received(), until=moment, limit=limit)
        print(f"seed {seed}: {found}", f"owners: {owners.done} deeds, {owners.refused} refused", *chaos.blows, sep="\n")
        until(stack.all_up, 30, "everything is up again")
        judge(stack, found, chaos, refs)
        assert owners.failures == []
    return found, chaos


def judge(stack: Stack, found: Count, chaos: Chaos, refs: list[str]) -> None:
    """Every promise."""
    assert found.complaints == [], as_json(found.complaints)
    outages = [(blow.at, blow.back) for blow in chaos.blows if blow.name == "engine"]
    late = beyond(found, PROMISE_SECONDS, outages)
    assert late == [], as_json([f"{one.what}: {one.seconds:.2f} s" for one in late])
    for ref in refs:
        verified = stack.client.get(f"/api/incidents/{ref}/timeline/verify").json()
        assert verified["ok"], verified
    # It happened: people were called, and some did not answer.
    for kind in ("step-opened", "step-acknowledged", "step-escalated"):
        assert found.facts[kind] > 0, kind
    assert found.owed > INCIDENTS * 3


def test_a_few_blows_lose_nothing(tmp_path: Path) -> None:
    seed = seed_of_this_run()
    with Stack(tmp_path, playbooks={"drumbeat": DRUMBEAT}) as stack:
        _, chaos = survive(stack, len(CHILDREN), (1.0, 4.0), seed)
    assert stack.tracebacks() == []
    assert {blow.name for blow in chaos.blows} == set(CHILDREN)


@pytest.mark.slow
def test_senders_killed_between_send_and_record(tmp_path: Path) -> None:
    """The message is out, and nobody has written it down: the page comes again, marked; the publication does not."""
    seed = seed_of_this_run()
    slower = DRUMBEAT.replace("repeat: 6m", "repeat: 30m")
    with Stack(tmp_path, playbooks={"drumbeat": slower}) as stack:
        until(stack.all_up, 60, "everything is up")
        chaos = Chaos(stack, seed)
        with shown_on_failure(stack, chaos, seed), Owners(stack, deaf=0.0) as owners:
            stack.receiver.script("/person/fenglei", delay=4.0, times=1)
            stack.receiver.script("/public/weibo", delay=4.0, times=1)
            ref = stack.declare("one", playbook="drumbeat", drill=True, pace={"declared": PACE})
            for path in ("/person/fenglei", "/public/weibo"):
                until(lambda path=path: arrived(stack, path), 60, f"something is at {path}", 0.02)  # type: ignore[misc]
                kill_the_senders(chaos)
            until(lambda: arrived(stack, "/person/fenglei") > 1, 20, "the page came again")
            paged = f"{ref}/drumbeat/words/publish/publication-in-doubt"
            until(lambda: [k for k in keys(stack) if k.startswith(paged)], 20, "the commander was paged")
            moment = time.time()
            until(lambda: settled(stack, moment), SETTLE_SECONDS, "all has come to an end", 0.5)
            found = count(stack.home / "tocsin.db", stack.receiver.received(), until=moment, limit=PROMISE_SECONDS)
            print(found)
            assert found.complaints == [], as_json(found.complaints)
            assert found.repeats > 0
            assert found.doubts > 0
            assert owners.failures == []
    assert stack.tracebacks() == []


def arrived(stack: Stack, path: str) -> int:
    """How many messages came to that path."""
    return sum(one["path"] == path for one in stack.receiver.received())


def keys(stack: Stack) -> list[str]:
    """The key of every message that came."""
    return [str(one["json"]["key"]) for one in stack.receiver.received()]


def kill_the_senders(chaos: Chaos) -> None:
    """Runner and engine at one moment, and wait until both are back."""
    for name in ("runner", "engine"):
        chaos.strike(name, "kill", 0.0)
    until(chaos.all_back, 20, "both are back", 0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_blows_lose_nothing(tmp_path: Path) -> None:
    seed = seed_of_this_run()
    with Stack(tmp_path, playbooks={"drumbeat": DRUMBEAT}) as stack:
        found, chaos = survive(stack, 24, (0.5, 8.0), seed)
    assert stack.tracebacks() == []
    kinds = {(blow.name, blow.kind) for blow in chaos.blows}
    assert len(kinds) == len(CHILDREN) * 2, "each child was killed and frozen"
    assert found.publications > 0
    for fact in ("step-reminded", "deadline-missed"):
        assert found.facts[fact] > 0, fact
