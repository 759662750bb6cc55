"""Several homes with one database: each takes what is free, and none another's work or life."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from domain.text import Reason
from engine.audit.auditor import alert_last_resort
from engine.delivery.deliver import Deliverer
from engine.delivery.sender_liveness import SenderLock, is_sender_dead, read_home_id
from engine.installation import Installation
from engine.process.children import default_children, select_children
from engine.response.guarantor import Guarantor
from engine.response.turn import LEASE, lease_turns, take_turn
from storage import outbox
from storage.settings import load_settings
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401 - a fixture


@pytest.fixture(name="other")
def other_fixture(installation: InstallationHarness, tmp_path: Path) -> Iterator[Installation]:
    """A second home with the same database, on the same machine."""
    home = tmp_path / "other"
    settings = load_settings(
        home=home, database_url=installation.installation.settings.database, port=installation.receiver.port
    )
    (home / "playbooks").mkdir(parents=True)
    for name in ("roster.yaml", "channels.yaml", "secret.key"):
        (home / name).write_bytes((installation.installation.settings.home / name).read_bytes())
    opened = Installation(settings, clock=installation.clock).open()
    yield opened
    opened.close()


def test_a_sender_of_another_home_of_this_machine_is_not_taken_for_dead(
    installation: InstallationHarness, other: Installation
) -> None:
    """Its lock is in a folder that we do not see: only its lease says something."""
    theirs = Deliverer(other, "engine", installation.clock)
    ref = installation.declare()
    with installation.installation.database.write() as connection:
        lease = f"{theirs._sender.name}/x"
        until = installation.now + outbox.LEASE
        outbox.claim_messages(connection, installation.now, until, limit=9, lease=lease, ready_since=installation.now)
    installation.deliver()
    assert installation.row(ref).state == "leased"
    assert installation.receiver.received == []
    installation.wait(seconds=31)
    installation.deliver()
    assert installation.row(ref).state == "sent", "its lease ran out"
    assert installation.row(ref).payload["possible_duplicate"]
    theirs.close()


def test_a_home_knows_its_own_dead_and_its_place_stays(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\nfrom engine.delivery.sender_liveness import SenderLock\n"
        "sender = SenderLock(pathlib.Path(sys.argv[1]), 'engine')\nprint(sender.name, flush=True)\ntime.sleep(60)"
    )
    run = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert name.startswith(f"{read_home_id(run)}:engine-{process.pid}-")
    assert not is_sender_dead(run, name)
    assert not is_sender_dead(tmp_path / "another" / "run", name)
    process.kill()
    process.wait()
    process.stdout.close()
    assert is_sender_dead(run, name)
    assert not is_sender_dead(tmp_path / "another" / "run", name), "of another home nothing is known"
    assert read_home_id(run) != read_home_id(tmp_path / "another" / "run")


def test_many_who_begin_at_once_agree_on_their_place(tmp_path: Path) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(read_home_id(tmp_path / "run"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    sender = SenderLock(tmp_path / "run", "engine")
    assert sender.name.startswith(names[0])
    lock = tmp_path / "run" / "senders" / f"{sender.name.replace(':', '_')}.lock"
    with lock.open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    sender.close()


def test_what_another_leased_just_now_is_theirs(installation: InstallationHarness, other: Installation) -> None:
    installation.declare()
    installation.wait(minutes=5, seconds=2)
    response = installation.snapshot("INC-1").response.id
    (theirs,) = lease_turns(other, [response], installation.now, spare=timedelta(seconds=0.5))
    engine = Guarantor(installation.installation, installation.clock)
    assert engine.take_overdue() == 0, "they have had no time for it"
    installation.wait(seconds=0.4)
    assert lease_turns(installation.installation, [response], installation.now, spare=timedelta(seconds=0.5)) == []
    assert lease_turns(installation.installation, [response], installation.now, spare=LEASE) == []
    assert take_turn(other, theirs, installation.now, driver="guarantor") is not None
    engine._deliverer.close()


def test_what_another_leased_and_forgot_is_taken_over(installation: InstallationHarness, other: Installation) -> None:
    installation.declare()
    installation.wait(minutes=5, seconds=2)
    response = installation.snapshot("INC-1").response.id
    (theirs,) = lease_turns(other, [response], installation.now, spare=timedelta(seconds=0.5))
    installation.wait(seconds=0.5)
    engine = Guarantor(installation.installation, installation.clock)
    assert engine.take_overdue() == 1
    assert take_turn(other, theirs, installation.now, driver="guarantor") is None
    engine._deliverer.close()


def test_engines_that_look_at_one_moment_do_each_turn_once(
    installation: InstallationHarness, other: Installation
) -> None:
    for n in range(12):
        installation.declare(title=f"Number {n}")
    installation.wait(minutes=5, seconds=2)
    engines = [Guarantor(one, installation.clock) for one in (installation.installation, other)]
    taken: list[int] = []
    threads = [threading.Thread(target=lambda e=engine: taken.append(e.take_overdue())) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 12
    for n in range(1, 13):
        assert len(installation.facts(f"INC-{n}", "step-escalated")) == 1
    for engine in engines:
        engine._deliverer.close()


def test_the_last_resort_is_told_once_by_however_many_engines(
    installation: InstallationHarness, other: Installation
) -> None:
    told: list[bool] = []
    threads = [
        threading.Thread(target=lambda h=one: told.append(alert_last_resort(h, "x", Reason("x"), installation.now)))
        for one in (installation.installation, other) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, False, True]
    assert len(installation.titles("wangjie")) == 1


def test_only_some_processes(tmp_path: Path) -> None:
    children = default_children(load_settings(home=tmp_path), {"PREFECT_API_URL": "http://first:4200/api"})
    assert [child.name for child in select_children(children, " engine, runner ")] == ["engine", "runner"]
    assert select_children(children, "") == children
    with pytest.raises(ValueError, match="no process 'enginee': one or more of web, engine"):
        select_children(children, "enginee")
    environment = {**os.environ, "TOCSIN_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "cli.main", "up", "--only", "king"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "no process 'king'" in done.stderr) == (1, True)
    assert not (tmp_path / "home" / "tocsin.db").exists(), "nothing was begun"
