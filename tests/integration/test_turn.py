"""Turns: who may take one, what an old token is worth, and what the guarantor does about what is overdue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from domain.commands import Acknowledge, Note, Reassign
from engine.audit.alarms import check_share_without_prefect
from engine.installation import Installation
from engine.response.guarantor import Guarantor
from engine.response.turn import LEASE, lease_turns, take_turn
from storage.database import StorageError
from storage.incidents import turns
from storage.incidents.turns import TURN
from tests.installations import InstallationHarness, installation_fixture, sqlite_installation_fixture  # noqa: F401


@pytest.fixture(name="guarantor")
def guarantor_fixture(sqlite_installation: InstallationHarness) -> Iterator[Guarantor]:
    """The guarantor of an installation on SQLite, looking when the test says so."""
    made = Guarantor(sqlite_installation.installation, sqlite_installation.clock)
    yield made
    made._deliverer.close()


def turns_taken(installation: InstallationHarness) -> list[tuple[str, float]]:
    """(driver, seconds late) of every turn."""
    with installation.installation.database.read() as connection:
        rows = connection.execute(TURN.select().order_by(TURN.c.id)).all()
    return [(row.driver, (row.taken_at - row.due_at).total_seconds()) for row in rows]


# --- tokens ---


def test_a_turn_commits_facts_notices_and_the_next_wake_together(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5, seconds=1)
    (turned,) = installation.turn()
    assert (turned.ref, turned.late) == (ref, timedelta(seconds=1))
    assert [fact.data["to"] for fact in installation.facts(ref, "step-escalated")] == ["erik"]
    assert installation.row(ref, person="erik").purpose == "backup"
    assert turned.decision.wake_at == installation.now.add(minutes=5)
    assert installation.turn() == [], "nothing is due before that"
    assert installation.verified(ref) is None


def test_a_frozen_runner_that_wakes_up_with_an_old_token_changes_nothing(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    name = installation.snapshot(ref).response.id
    (old,) = lease_turns(installation.installation, [name], installation.now)
    installation.wait(seconds=1)
    (new,) = lease_turns(installation.installation, [name], installation.now)
    facts, rows, before = installation.facts(ref), installation.rows(ref), installation.snapshot(ref)
    installation.wait(hours=1)
    assert take_turn(installation.installation, old, installation.now, driver="prefect") is None
    assert (installation.facts(ref), installation.rows(ref), installation.snapshot(ref)) == (facts, rows, before)
    assert turns_taken(installation) == []
    assert take_turn(installation.installation, new, installation.now, driver="guarantor") is not None
    assert take_turn(installation.installation, old, installation.now, driver="prefect") is None


def test_a_lease_is_good_for_one_turn(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    (lease,) = lease_turns(installation.installation, [installation.snapshot(ref).response.id], installation.now)
    assert take_turn(installation.installation, lease, installation.now, driver="prefect") is not None
    installation.wait(minutes=5)
    assert take_turn(installation.installation, lease, installation.now, driver="prefect") is None
    assert len(installation.facts(ref, "step-escalated")) == 1


def test_of_eight_drivers_at_once_one_takes_the_turn(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    name, now = installation.snapshot(ref).response.id, installation.now

    def drive(number: int) -> bool:
        leases = lease_turns(installation.installation, [name], now)
        return any(
            take_turn(installation.installation, lease, now, driver="sweep", run_id=str(number)) for lease in leases
        )

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(drive, range(8)))
    assert won.count(True) >= 1
    assert len(installation.facts(ref, "step-escalated")) == 1
    assert len(installation.rows(ref, person="erik")) == 1
    assert installation.verified(ref) is None


def test_a_command_between_lease_and_turn_is_seen_by_the_turn(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    (lease,) = lease_turns(installation.installation, [installation.snapshot(ref).response.id], installation.now)
    installation.do(ref, Acknowledge, "erik", step="fix")
    take_turn(installation.installation, lease, installation.now, driver="prefect")
    assert installation.facts(ref, "step-escalated") == []


def test_commands_and_turns_at_once_lose_nothing(installation: InstallationHarness) -> None:
    """Whoever comes second waits for the incident, and sees what the first one did."""
    refs = [installation.declare() for _ in range(4)]
    installation.wait(minutes=5)
    stop = threading.Event()

    def drive() -> None:
        while not stop.is_set():
            installation.turn()

    driver = threading.Thread(target=drive)
    driver.start()
    with ThreadPoolExecutor(4) as pool:
        for round_ in range(8):
            list(pool.map(lambda ref: installation.do(ref, Note, "alice", text=f"{round_}"), refs))  # noqa: B023
            to = ("dora", "erik")[round_ % 2]
            list(pool.map(lambda ref: installation.do(ref, Reassign, "alice", step="fix", to=to), refs))  # noqa: B023
    stop.set()
    driver.join()
    installation.turn()
    for ref in refs:
        assert installation.verified(ref) is None
        assert len(installation.facts(ref, "noted")) == 8
        assert len(installation.facts(ref, "step-reassigned")) == 8
        assert installation.snapshot(ref).steps["s/fix"].holder == "erik"


def test_the_run_is_on_the_timeline_of_what_it_decided(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    (lease,) = lease_turns(installation.installation, [installation.snapshot(ref).response.id], installation.now)
    take_turn(installation.installation, lease, installation.now, driver="prefect", run_id="9f0a")
    assert {fact.run_id for fact in installation.facts(ref, "step-escalated")} == {"9f0a"}
    assert installation.facts(ref, "turn-without-prefect") == []


# --- the guarantor ---


def test_what_is_overdue_is_taken_over_and_the_timeline_says_so(
    sqlite_installation: InstallationHarness, guarantor: Guarantor
) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    installation.wait(minutes=5)
    assert guarantor.take_overdue() == 0, "the runner has half a second"
    installation.wait(seconds=0.5)
    assert guarantor.take_overdue() == 1
    assert [fact.data for fact in installation.facts(ref, "turn-without-prefect")] == [{"late_seconds": 0.5}]
    assert installation.row(ref, person="erik").purpose == "backup"
    assert turns_taken(installation) == [("guarantor", 0.5)]
    assert guarantor.take_overdue() == 0


def test_a_turn_that_someone_leased_and_never_committed_is_taken_over(
    sqlite_installation: InstallationHarness, guarantor: Guarantor
) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    installation.wait(minutes=5)
    (lease,) = lease_turns(installation.installation, [installation.snapshot(ref).response.id], installation.now)
    installation.wait(seconds=1)
    assert installation.now < lease.due_at + LEASE
    assert guarantor.take_overdue() == 1
    assert take_turn(installation.installation, lease, installation.now, driver="prefect") is None
    assert len(installation.facts(ref, "step-escalated")) == 1


def test_messages_that_nobody_took_are_sent(sqlite_installation: InstallationHarness, guarantor: Guarantor) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    guarantor.send_waiting()
    assert installation.receiver.received == [], "the runner has half a second"
    installation.wait(seconds=0.5)
    guarantor.send_waiting()
    installation.receiver.wait_for(len)
    guarantor._deliverer._pool.shutdown(wait=True)
    assert installation.row(ref).state == "sent"


def test_a_look_that_failed_is_repeated_though_nothing_else_was_written(
    sqlite_installation: InstallationHarness, guarantor: Guarantor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was full for a moment puts off nobody's page until somebody writes again."""
    installation = sqlite_installation
    installation.declare()
    installation.wait(seconds=1)

    def full(**_: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(guarantor._deliverer, "deliver", full)
        with pytest.raises(StorageError):
            guarantor.send_waiting()
    guarantor.send_waiting()
    installation.receiver.wait_for(len)


def test_the_guarantor_runs_says_trouble_in_one_line_and_goes_on(
    sqlite_installation: InstallationHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Its roster is broken from the start; the moment it is mended, what is owed goes out."""
    installation = sqlite_installation
    ref = installation.declare()
    installation.wait(minutes=6)
    path = installation.installation.settings.roster_file
    good = path.read_text(encoding="utf-8")
    path.write_text("people: [", encoding="utf-8")
    broken = Installation(installation.installation.settings)
    begun = time.monotonic()
    guarantor = Guarantor(broken, lambda: installation.now + timedelta(seconds=time.monotonic() - begun))
    running = threading.Thread(target=guarantor.run)
    with caplog.at_level(logging.ERROR):
        running.start()
        try:
            for _ in range(200):
                if any("roster.yaml" in record.getMessage() for record in caplog.records):
                    break
                threading.Event().wait(0.05)
            lines = [record.getMessage() for record in caplog.records if "roster.yaml" in record.getMessage()]
            assert lines
            assert not any(record.exc_info for record in caplog.records), "one clear line, no traceback"
            assert "\n" not in lines[0]
            path.write_text(good, encoding="utf-8")
            installation.receiver.wait_for(lambda got: [r for r in got if "erik" in r.path], timeout=15)
        finally:
            guarantor.stop()
            running.join()
    assert installation.facts(ref, "turn-without-prefect")
    broken.close()


# --- the share of turns without Prefect ---


def taken(installation: InstallationHarness, driver: str, count: int) -> None:
    row = {"response_id": "r", "due_at": installation.now, "taken_at": installation.now, "driver": driver, "run_id": ""}
    with installation.installation.database.write() as connection:
        turns.record_turns(connection, [row] * count)


def alarms(installation: InstallationHarness) -> list[str]:
    return [title for title in installation.titles("wangjie") if "Prefect" in title]


def test_over_five_percent_without_prefect_the_last_resort_is_told_once_an_hour(
    sqlite_installation: InstallationHarness,
) -> None:
    installation = sqlite_installation
    taken(installation, "prefect", 95)
    taken(installation, "guarantor", 5)
    assert not check_share_without_prefect(installation.installation, installation.now), (
        "five percent is not over five percent"
    )
    taken(installation, "guarantor", 1)
    assert check_share_without_prefect(installation.installation, installation.now)
    assert not check_share_without_prefect(installation.installation, installation.now)
    installation.wait(minutes=59)
    assert not check_share_without_prefect(installation.installation, installation.now)
    assert len(alarms(installation)) == 1
    installation.wait(minutes=1)
    taken(installation, "guarantor", 20)
    assert check_share_without_prefect(installation.installation, installation.now)
    assert len(alarms(installation)) == 2


def test_a_few_turns_say_nothing_and_those_of_the_sweep_are_with_prefect(
    sqlite_installation: InstallationHarness,
) -> None:
    taken(sqlite_installation, "guarantor", 19)
    assert not check_share_without_prefect(sqlite_installation.installation, sqlite_installation.now)
    taken(sqlite_installation, "sweep", 500)
    assert not check_share_without_prefect(sqlite_installation.installation, sqlite_installation.now)


def test_whoever_could_not_be_told_is_tried_again_soon(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    taken(installation, "guarantor", 20)
    installation.receiver.script("/inbox/wangjie", status=403)
    assert not check_share_without_prefect(installation.installation, installation.now)
    installation.receiver.clear()
    installation.wait(seconds=59)
    assert not check_share_without_prefect(installation.installation, installation.now)
    installation.wait(seconds=1)
    assert check_share_without_prefect(installation.installation, installation.now)
    assert len(alarms(installation)) == 1


# --- the clock ---


def test_a_clock_stepped_back_an_hour_loses_no_wake_up_and_repeats_nothing(
    sqlite_installation: InstallationHarness, guarantor: Guarantor
) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    installation.wait(minutes=5, seconds=1)
    assert guarantor.take_overdue() == 1
    installation.now -= timedelta(hours=1)
    assert guarantor.take_overdue() == 0
    installation.do(ref, Note, "alice", text="the clock is wrong")
    installation.turn()
    assert len(installation.rows(ref)) == 2, "nobody is called twice"
    for _ in range(3):  # until it has caught up, and on to the next rung
        installation.wait(minutes=22)
        guarantor.take_overdue()
    assert [fact.data["to"] for fact in installation.facts(ref, "step-escalated")][:2] == ["erik", "alice"]
    keys = [row.key for row in installation.rows(ref)]
    assert len(keys) == len(set(keys))
    assert installation.verified(ref) is None
