"""Prefect drives, but cannot silence: its server frozen and away, and a runner that wakes up with an old right."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pendulum
import pytest

from domain.commands import Declare
from engine.home import prepare_home
from engine.installation import Installation
from engine.process.children import ChildSpec, default_children
from engine.response import commands
from engine.response.turn import lease_turns, take_turn
from storage.settings import Settings, load_settings
from tests.smoke.count import Books, percentile
from tests.smoke.stack import ROOT, Stack, clean_environment, free_ports, until

DRUMBEAT = (ROOT / "tests" / "data" / "drumbeat.yaml").read_text(encoding="utf-8")
INCIDENTS = 5
_MICRO = 1_000_000

pytestmark = pytest.mark.timeout(240)


# --- the server is frozen in the middle of a turn, and stays away -----------------------------------


def keep_away(stack: Stack, seconds: float) -> int:
    """Freeze Prefect's server, and each that the supervisor starts in its place; how many there were."""
    frozen: set[int] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid = stack.pids().get("prefect-server")
        if pid and pid not in frozen and stack.signal(pid, signal.SIGSTOP):
            frozen.add(pid)
        time.sleep(0.1)
    last = stack.pids().get("prefect-server")
    if last in frozen:
        stack.signal(last, signal.SIGCONT)
    return len(frozen)


def in_the_middle_of_a_turn(stack: Stack) -> bool:
    """Whether the runner holds a lease now, so that its run is under way."""
    now = time.time() * _MICRO
    return any((row["leased_until"] or 0) > now for row in Books(stack.home / "tocsin.db").responses)


def nothing_is_late_without_the_server(folder: Path, seconds: float, limit: float) -> None:
    with Stack(folder, playbooks={"drumbeat": DRUMBEAT}) as stack:
        until(stack.all_up, 90, "everything is up")
        for number in range(INCIDENTS):
            stack.declare(f"number {number}", playbook="drumbeat", drill=True, pace={"declared": 20})
        until(lambda: in_the_middle_of_a_turn(stack), 30, "a turn is being taken", 0.005)
        begun = time.time()
        servers = keep_away(stack, seconds)
        ended = time.time()
        books = Books(stack.home / "tocsin.db")
        turns = [row for row in books.turns if begun <= row["due_at"] / _MICRO <= ended - 2]
        late = [(row["taken_at"] - row["due_at"]) / _MICRO for row in turns]
        without = [fact for fact in books.facts if fact["kind"] == "turn-without-prefect"]
        print(f"{len(turns)} turns, late p50 {percentile(late, 0.5):.2f} s, p99 {percentile(late, 0.99):.2f} s")
        assert len(turns) > seconds / 4
        assert percentile(late, 0.99) <= limit
        assert any(fact["at"] / _MICRO > begun for fact in without), "the timeline says so"
        assert servers > 1, "the supervisor puts another in its place"
        until(lambda: _driven_since(stack, ended), 60, "Prefect drives again", 0.5)
    assert stack.tracebacks() == []


def _driven_since(stack: Stack, moment: float) -> bool:
    turns = Books(stack.home / "tocsin.db").turns
    return any(row["driver"] == "prefect" and row["taken_at"] / _MICRO > moment for row in turns)


def test_a_frozen_prefect_delays_nothing(tmp_path: Path) -> None:
    # Beside other tests a second is not always a second; the promise itself is measured by the slow form.
    nothing_is_late_without_the_server(tmp_path, 20.0, 2.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_prefect_away_for_two_minutes_delays_nothing(tmp_path: Path) -> None:
    nothing_is_late_without_the_server(tmp_path, 120.0, 1.0)


# --- a runner wakes up with an old token --------------------------------------------------------------


@contextmanager
def running(child: ChildSpec, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One child alone, without a supervisor."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            child.command, cwd=child.folder, env=dict(child.environment), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """A home whose people are reached nowhere: only turns count here."""
    port, prefect_port = free_ports(2)
    settings = load_settings(home=tmp_path / "home", port=port, prefect_port=prefect_port)
    prepare_home(settings)
    return settings


def everything(database: Path) -> dict[str, Any]:
    """What a turn writes, whole; not what became of the messages, which is the senders' business."""
    books = Books(database)
    return {
        "facts": books.facts,
        "steps": books.steps,
        "responses": books.responses,
        "turns": books.turns,
        "messages": [row["key"] for row in books.outbox],
    }


@pytest.mark.slow
def test_a_runner_that_wakes_up_with_an_old_token_changes_nothing(alone: Settings, tmp_path: Path) -> None:
    children = {child.name: child for child in default_children(alone, clean_environment())}
    api = f"http://127.0.0.1:{alone.prefect_port}/api"
    database = alone.home / "tocsin.db"
    with running(children["prefect-server"], tmp_path / "prefect.log"):
        until(lambda: _answers(f"{api}/health"), 90, "Prefect's server answers", 0.2)
        with running(children["runner"], tmp_path / "runner.log") as runner:
            installation = Installation(alone).open()
            # The draft's deadline passes in a moment: a turn that has something to say.
            since = pendulum.now("UTC").subtract(minutes=25).add(seconds=12)
            command = Declare(id="i", title="t", playbook="four-hour-response", since=since)
            ref = commands.declare(installation, command, pendulum.now("UTC")).ref
            response = Books(database).responses[0]["id"]
            until(lambda: _leased(database), 60, "the runner has leased the turn", 0.002)
            os.kill(runner.pid, signal.SIGSTOP)
            assert Books(database).turns == [], "frozen before its commit"
            token = Books(database).responses[0]["token"]
            lease = lease_turns(installation, [response], pendulum.now("UTC"))[0]
            assert lease.token == token + 1
            assert take_turn(installation, lease, pendulum.now("UTC"), driver="guarantor") is not None
            before = everything(database)
            os.kill(runner.pid, signal.SIGCONT)
            until(lambda: _finished(api, ref), 60, "its run came to its end", 0.2)
            assert everything(database) == before
            installation.close()
    assert [row["driver"] for row in before["turns"]] == ["guarantor"]
    assert "deadline-missed" in {fact["kind"] for fact in before["facts"]}
    assert "Traceback" not in (tmp_path / "runner.log").read_text()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _leased(database: Path) -> bool:
    return bool(Books(database).responses[0]["leased_until"])


def _finished(api: str, ref: str) -> bool:
    document = {"flow_runs": {"tags": {"all_": [f"incident:{ref}"]}, "state": {"type": {"any_": ["COMPLETED"]}}}}
    answer = httpx.post(f"{api}/flow_runs/filter", json=document, timeout=5, trust_env=False)
    return bool(answer.json())
