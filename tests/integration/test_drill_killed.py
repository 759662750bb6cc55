"""A drill that is killed, has no disk, or loses its target: nothing left broken or running, and a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.commands import Acknowledge
from domain.drill.judging import Second
from domain.drill.plan import Call, Plan
from domain.drill.verdict import Outcome
from engine.clock import now
from engine.drill import running, showing
from engine.drill.calling import NOBODY, NOT_RUNNING, Caller, call_off, lane_of, owner_for
from engine.drill.holding import drills_dir, hold
from engine.drill.journal import PROGRESS, is_over, lines, restored
from engine.drill.record import Record
from engine.drill.settling import settle_left, settle_orphans
from engine.drill.simulated import SimulatedOwner
from engine.drill.watching import Fired, Watch
from playbooks.drill_file import read_plan
from storage import board, documents, warnings
from tests.chains import ROOT, Chain, chain
from tests.houses import (
    Estate,
    estate,
    house_fixture,  # noqa: F401
    sqlite_house_fixture,  # noqa: F401
)

HOLDS = """
import asyncio, sys
from pathlib import Path
from engine.clock import now
from engine.drill.holding import hold
from engine.house import House
from storage.settings import load_settings
held = asyncio.run(hold(House(load_settings()).open(), Path(sys.argv[1]), now))
print(held.document.data["verdict"], flush=True)
"""
PHASES = ("preflight", "baseline", "stages", "fault", "recovery", "clean", "report")
_SIGN = {"fault": "moments"}  # the line by which a phase is known to be under way: the fault is there


def short_plan(there: Chain, folder: Path, **changes: Any) -> Path:
    """The shipped plan in its phases, each as short as it can be told apart."""
    data = yaml.safe_load((ROOT / "examples" / "drill.yaml").read_text().replace("7790", str(there.port)))
    data["baseline"] = "3s"
    data["levels"] = [{"percent": 50, "hold": "3s"}, {"percent": 200, "hold": "3s"}]
    data["fault"] |= {"hold": "4s", "horizon": "6s"}
    data |= changes
    file = folder / "plan.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    (folder / "drill-rule.yaml").write_text((ROOT / "examples" / "drill-rule.yaml").read_text())
    return file


@contextmanager
def conducting(plan: Path, house: Estate, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the drill."""
    home = str(house.house.settings.home)
    environment = {**os.environ, "TOCSIN_HOME": home, "PYTHONPATH": str(ROOT), **more}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(plan)], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Callable[[], Any], seconds: float = 60, said: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def the_drill(house: Estate) -> Path | None:
    return next((file.parent for file in drills_dir(house.house).glob(f"*/{PROGRESS}")), None)


def has_come_to(folder: Path | None, phase: str) -> bool:
    """Whether it is in that phase, and where load is sent, a second of it was measured."""
    if folder is None:
        return False
    seen = False
    for line in lines(folder):
        seen = seen or (line["line"] == "phase" and line["phase"] == phase)
        if seen and (phase in ("preflight", "clean", "report") or line["line"] == _SIGN.get(phase, "second")):
            return True
    return False


def of_the_drill(folder: Path) -> list[str]:
    """Processes that belong to it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def chats(there: Chain) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{there.port}/health", timeout=5) as answer:
        return int(json.load(answer)["chats"])


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_any_phase_it_leaves_nothing(tmp_path: Path, home: Path, phase: str) -> None:
    with estate(home) as house, chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        with conducting(plan, house) as process:
            until(lambda: has_come_to(the_drill(house), phase), said=f"never came to {phase}")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        folder = the_drill(house)
        assert folder is not None
        until(lambda: is_over(folder), 40, "nobody took over")
        until(lambda: not of_the_drill(folder), 20, "something still runs")
        assert all("ended" in fault for fault in there.truth["faults"]), "the fault is put right"
        assert bool(there.truth["faults"]) == (PHASES.index(phase) >= PHASES.index("fault"))
        assert chats(there) == 0, "what was made is gone"
        with house.house.database.read() as connection:
            kept = documents.listing(connection, kind="drill")
            assert len(kept) == 1
            document = documents.load(connection, kept[0].id)
            assert warnings.listed(connection, lane=lane_of(folder.name)) == []
        assert document is not None
        if phase == "report":  # everything was known: the verdict is the drill's own
            assert document.data["verdict"] in ("PASS", "FAIL")
        else:
            assert document.data["verdict"] == "INVALID"
            assert f"killed in the phase {phase}" in document.data["reasons"][0]["en"]
        record = running.read(folder)
        assert record is not None
        assert bool(record.seconds) == (phase != "preflight"), "what was measured is kept"
        assert record.cleaned.made == record.cleaned.gone
        with running.alone(drills_dir(house.house), patience=0):
            assert settle_left(house.house, now()) == [], "and nothing is left to settle"


def test_what_nobody_took_over_the_next_drill_settles(sqlite_house: Estate, tmp_path: Path) -> None:
    """The machine itself went down: the journal is all that is left, and its last line was cut."""
    with chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        drill = running.prepare(plan, drills_dir(sqlite_house.house), "20261102-030000", lambda _: None)
        (drill.folder / "alive").write_text("999999999")
        with (drill.folder / PROGRESS).open("a") as file:
            file.write('{"line":"phase","at":1793588410.0,"phase":"baseline"}\n{"line":"second","second":{"at"')
        request = urllib.request.Request(f"http://127.0.0.1:{there.port}/chats", b"", method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            name = json.load(answer)["id"]
        (drill.folder / running.LEDGER).write_text(json.dumps({"kind": "chat", "name": str(name)}) + "\n")
        assert chats(there) == 1
        found = restored(drill.folder)
        assert found is not None
        assert found[1] == "baseline"
        (drill.folder / "alive").write_text(str(os.getpid()))
        live = showing.running(sqlite_house.house)
        assert live is not None
        assert (live["id"], live["phase"], live["fault"], live["seconds"]) == (drill.id, "baseline", "desk-stalls", [])
        assert [one["percent"] for one in live["course"]] == [50, 50, 200]
        json.dumps(live)
        with running.alone(drills_dir(sqlite_house.house)):
            assert settle_orphans(sqlite_house.house, sqlite_house.now) == [], "somebody is at it"
        assert settle_orphans(sqlite_house.house, sqlite_house.now) == [drill.id]
        assert showing.running(sqlite_house.house) is None
        (past,) = showing.history(sqlite_house.house)
        assert (past["id"], past["verdict"], past["document"]) == (drill.id, "INVALID", f"drill/{drill.id}")
        json.dumps(past)
        assert "killed in the phase baseline" in past["reasons"][0]["en"]
        assert (past["made"], past["gone"], chats(there)) == (1, 1, 0)
        assert not (drill.folder / "alive").exists()
        assert settle_left(sqlite_house.house, sqlite_house.now) == [], "once"


def fired(house: Estate, there: Chain, folder: Path) -> Fired:
    """The shipped rule, as it fires on too many customers."""
    return next(iter(watched(house, there, folder).firing(1_793_588_430.0)))


def watched(house: Estate, there: Chain, folder: Path) -> Watch:
    drill = running.prepare(short_plan(there, folder), drills_dir(house.house), "20261102-030000", lambda _: None)
    watch = Watch(drill.rules)
    for at in range(1_793_588_400, 1_793_588_430):
        watch.take(Second(float(at), "fault", 9.0, 9, 0, 0, 9, 0, 0, 900.0, 120, 900.0, 1.0, 0.1, peak=6.0))
    return watch


def test_the_warning_is_real_marked_and_its_acknowledgement_known(house: Estate, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    with chain(tmp_path) as there:
        found, plan = fired(house, there, folder), read_plan(folder / "plan.yaml")

        async def course() -> Caller:
            caller = Caller(house.house, plan, "20261102-030000", house.clock, None)
            caller.call(found)
            caller.call(found)  # it goes on firing: nobody is called twice
            await reached(lambda: caller.heard.called is not None)
            house.deliver()
            assert [title for title in house.titles("hana") if "DRILL" in title], "the supervisor is called"
            assert caller.heard.acknowledged is None
            house.wait(seconds=7)
            house.do(caller.heard.matter, Acknowledge, "hana", step="look/read")
            await caller.wait(10)
            await caller.end()
            return caller

        caller = asyncio.run(course())
    heard = caller.heard
    assert (heard.matter, heard.by, heard.why_not) == ("WRN-1", "hana", "")
    assert heard.acknowledged is not None
    assert heard.called is not None
    assert heard.acknowledged - heard.called == pytest.approx(7.0)
    with house.house.database.read() as connection:
        (row,) = warnings.listed(connection, lane=lane_of("20261102-030000"), standing_only=False)
        assert row.ended_at is not None
        assert warnings.listed(connection, standing_only=False) == [], "no live warning"
        assert board.count_open(connection) == 0
    incident = house.snapshot("WRN-1").incident
    assert (incident.drill, incident.running) == (True, False)
    assert house.verified("WRN-1") is None
    assert call_off(house.house, "20261102-030000", house.now) == []


def test_a_killed_drill_s_warning_calls_nobody_any_more(sqlite_house: Estate, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    with chain(tmp_path) as there:
        found, plan = fired(sqlite_house, there, folder), read_plan(folder / "plan.yaml")

        async def killed() -> None:
            caller = Caller(sqlite_house.house, plan, "20261102-030000", sqlite_house.clock, None)
            caller.call(found)
            await reached(lambda: caller.heard.called is not None)

        asyncio.run(killed())
        assert sqlite_house.snapshot("WRN-1").incident.running
        settle_left(sqlite_house.house, sqlite_house.now)
    assert not sqlite_house.snapshot("WRN-1").incident.running
    sqlite_house.wait(minutes=30)
    sqlite_house.turn()
    sqlite_house.deliver()
    assert not [title for title in sqlite_house.titles("erik") if "WRN-1" in title], "no escalation after its end"


def test_nobody_real_is_called_unless_the_plan_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    channels = (
        (ROOT / "playbooks" / "sample" / "channels.yaml")
        .read_text()
        .replace("json://127.0.0.1:{port}/inbox/hana", "json://example.invalid/inbox/hana")
    )
    with chain(tmp_path) as there, estate(tmp_path / "home", channels=channels) as house:
        found, plan = fired(house, there, folder), read_plan(folder / "plan.yaml")

        async def course(plan: Plan, *, auto: bool) -> str:
            caller = Caller(house.house, plan, "20261102-030000", house.clock, SimulatedOwner(1, 1) if auto else None)
            caller.call(found)
            await reached(lambda: bool(caller.heard.why_not or caller.heard.called))
            await caller.end()
            return caller.heard.why_not

        assert "channel hana of hana leads elsewhere" in asyncio.run(course(plan, auto=False))
        owners = replace(plan, call=Call("owners"))
        assert "leads elsewhere" in asyncio.run(course(owners, auto=True)), "nobody simulated acts beside real people"
        with house.house.database.read() as connection:
            assert warnings.listed(connection, lane=None, standing_only=False) == []
        assert asyncio.run(course(owners, auto=False)) == ""
        off = owner_for(house.house, replace(plan, call=Call("nobody")), "d", house.clock, auto=False)
        off.call(found)
        assert off.heard.why_not == NOBODY
        idle = owner_for(house.house, plan, "d", house.clock, auto=False)
        idle.call(found)
        assert idle.heard.why_not == NOT_RUNNING


async def reached(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - it is a thread's work that is waited for
            await asyncio.sleep(0.02)


# --- what the drill stands on fails ---


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_target_that_dies_in_the_middle_ends_it(tmp_path: Path, home: Path) -> None:
    with estate(home) as house, chain(tmp_path) as there:
        plan = short_plan(
            there, tmp_path, levels=[{"percent": 50, "hold": "60s"}],
            guards=[{"figure": "error_rate", "limit": "60%", "for": "4s"}],
        )  # fmt: skip

        def die(record: Record, _: Second) -> None:
            if len(record.stages) > 1 and len(record.of(record.stages[-1])) == 2:
                there.process.kill()

        held = asyncio.run(hold(house.house, plan, now, die))
        assert held.verdict.outcome is Outcome.FAIL
        said = [reason["en"] for reason in held.document.data["reasons"]]
        assert "it was stopped: guard-rail: error_rate beyond 0.6 for 4 s" in said
        assert any("not proved to be gone" in reason for reason in said), "what may still be there is said"
        assert held.record.moments.injected is None
        assert len(held.record.seconds) < 25
        assert of_the_drill(drills_dir(house.house) / held.record.id) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_target_that_answers_nothing_any_more_ends_it_though_no_error_is_counted(tmp_path: Path, home: Path) -> None:
    with estate(home) as house, chain(tmp_path) as there:
        plan = short_plan(
            there, tmp_path, levels=[{"percent": 100, "hold": "60s"}],
            guards=[{"figure": "error_rate", "limit": "60%", "for": "5s"}],
        )  # fmt: skip

        def freeze(record: Record, _: Second) -> None:
            if len(record.stages) > 1 and len(record.of(record.stages[-1])) == 2:
                os.kill(there.process.pid, signal.SIGSTOP)

        try:
            held = asyncio.run(hold(house.house, plan, now, freeze))
        finally:
            os.kill(there.process.pid, signal.SIGCONT)
        assert held.verdict.outcome is Outcome.FAIL
        said = [reason["en"] for reason in held.document.data["reasons"]]
        assert "it was stopped: guard-rail: nothing to judge error_rate by for 5 s" in said


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own; the test is skipped where none may be mounted."""
    folder.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("phase", ["stages", "fault"])
def test_a_disk_that_is_full_stops_it_safely(tmp_path: Path, phase: str) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk, estate(disk / "home") as house, chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        with conducting(plan, house) as process:
            until(lambda: has_come_to(the_drill(house), phase), said=f"never came to {phase}")
            ballast = disk / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"x" * 4096):
                    pass
            out, said = process.communicate(timeout=90)
        folder = the_drill(house)
        assert folder is not None
        assert process.returncode == 1, out
        assert "cannot be written down: No space left on device" in said
        assert "make room" in said
        assert all("ended" in fault for fault in there.truth["faults"]), "the fault is put right"
        assert chats(there) == 0, "what was made is gone, though the ledger took no more of it"
        until(lambda: not of_the_drill(folder), 20, "something still runs")
        ballast.unlink()
        with running.alone(drills_dir(house.house), patience=0):
            (held,) = settle_left(house.house, now())
        assert held.document.data["verdict"] in ("FAIL", "INVALID")
