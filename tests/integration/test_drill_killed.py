"""A drill that is killed, has no disk, or loses its target: nothing left broken or running, and a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.drill.measurement import DrillSecond
from domain.drill.verdict import DrillOutcome
from engine.drill import lifecycle, read_model
from engine.drill.journal import PROGRESS, is_over, read_lines, restore_record
from engine.drill.owner_call import drill_feed
from engine.drill.record import DrillRecord
from engine.drill.recover_orphan import recover_orphans, recover_unfinished
from engine.drill.run_drill import drills_dir, run_drill
from engine.process.clock import now
from storage import documents
from storage.incidents import warnings
from tests.chains import ROOT, Chain, chain, free_port
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
    installation_harness,
    sqlite_installation_fixture,  # noqa: F401
)

HOLDS = """
import asyncio, sys
from pathlib import Path
from engine.process.clock import now
from engine.drill.run_drill import run_drill
from engine.installation import Installation
from storage.settings import load_settings
held = asyncio.run(run_drill(Installation(load_settings()).open(), Path(sys.argv[1]), now))
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
def conducting(plan: Path, installation: InstallationHarness, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the drill."""
    home = str(installation.installation.settings.home)
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


def the_drill(installation: InstallationHarness) -> Path | None:
    return next((file.parent for file in drills_dir(installation.installation).glob(f"*/{PROGRESS}")), None)


def has_come_to(folder: Path | None, phase: str) -> bool:
    """Whether it is in that phase, and where load is sent, a second of it was measured."""
    if folder is None:
        return False
    seen = False
    for line in read_lines(folder):
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
    with installation_harness(home) as installation, chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        with conducting(plan, installation) as process:
            until(lambda: has_come_to(the_drill(installation), phase), said=f"never came to {phase}")
            if phase == "fault":  # on record before it is done: a blow between the two breaks nothing
                until(lambda: there.truth["faults"], said="nothing was broken")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        folder = the_drill(installation)
        assert folder is not None
        until(lambda: is_over(folder), 40, "nobody took over")
        until(lambda: not of_the_drill(folder), 20, "something still runs")
        assert all("ended" in fault for fault in there.truth["faults"]), "the fault is put right"
        assert bool(there.truth["faults"]) == (PHASES.index(phase) >= PHASES.index("fault"))
        assert chats(there) == 0, "what was made is gone"
        with installation.installation.database.read() as connection:
            kept = documents.list_documents(connection, kind="drill")
            assert len(kept) == 1
            document = documents.load_document(connection, kept[0].id)
            assert warnings.list_warnings(connection, feed=drill_feed(folder.name)) == []
        assert document is not None
        if phase == "report":  # everything was known: the verdict is the drill's own
            assert document.data["verdict"] in ("PASS", "FAIL")
        else:
            assert document.data["verdict"] == "INVALID"
            assert f"killed in the phase {phase}" in document.data["reasons"][0]["en"]
        record = lifecycle.load_record(folder)
        assert record is not None
        assert bool(record.seconds) == (phase != "preflight"), "what was measured is kept"
        assert record.cleaned.made == record.cleaned.gone
        with lifecycle.drill_lock(drills_dir(installation.installation), patience=0):
            assert recover_unfinished(installation.installation, now()) == [], "and nothing is left to settle"


def test_what_nobody_took_over_the_next_drill_settles(sqlite_installation: InstallationHarness, tmp_path: Path) -> None:
    """The machine itself went down: the journal is all that is left, and its last line was cut."""
    with chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        drill = lifecycle.prepare(plan, drills_dir(sqlite_installation.installation), "20261102-030000", lambda _: None)
        (drill.folder / "alive").write_text("999999999")
        with (drill.folder / PROGRESS).open("a") as file:
            file.write('{"line":"phase","at":1793588410.0,"phase":"baseline"}\n{"line":"second","second":{"at"')
        request = urllib.request.Request(f"http://127.0.0.1:{there.port}/chats", b"", method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            name = json.load(answer)["id"]
        (drill.folder / lifecycle.LEDGER).write_text(json.dumps({"kind": "chat", "name": str(name)}) + "\n")
        assert chats(there) == 1
        found = restore_record(drill.folder)
        assert found is not None
        assert found[1] == "baseline"
        (drill.folder / "alive").write_text(str(os.getpid()))
        live = read_model.read_running(sqlite_installation.installation)
        assert live is not None
        assert (live["id"], live["phase"], live["fault"], live["seconds"]) == (drill.id, "baseline", "desk-stalls", [])
        assert [one["percent"] for one in live["course"]] == [50, 50, 200]
        json.dumps(live)
        with lifecycle.drill_lock(drills_dir(sqlite_installation.installation)):
            assert recover_orphans(sqlite_installation.installation, sqlite_installation.now) == [], "somebody is at it"
        assert recover_orphans(sqlite_installation.installation, sqlite_installation.now) == [drill.id]
        assert read_model.read_running(sqlite_installation.installation) is None
        (past,) = read_model.list_history(sqlite_installation.installation)
        assert (past["id"], past["verdict"], past["document"]) == (drill.id, "INVALID", f"drill/{drill.id}")
        json.dumps(past)
        assert "killed in the phase baseline" in past["reasons"][0]["en"]
        assert (past["made"], past["gone"], chats(there)) == (1, 1, 0)
        assert not (drill.folder / "alive").exists()
        assert recover_unfinished(sqlite_installation.installation, sqlite_installation.now) == [], "once"


# --- what the drill stands on fails ---


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_target_that_dies_in_the_middle_ends_it(tmp_path: Path, home: Path) -> None:
    with installation_harness(home) as installation, chain(tmp_path) as there:
        plan = short_plan(
            there, tmp_path, levels=[{"percent": 50, "hold": "60s"}],
            guards=[{"figure": "error_rate", "limit": "60%", "for": "4s"}],
        )  # fmt: skip

        def die(record: DrillRecord, _: DrillSecond) -> None:
            if len(record.stages) > 1 and len(record.seconds_of(record.stages[-1])) == 2:
                there.process.kill()

        held = asyncio.run(run_drill(installation.installation, plan, now, die))
        assert held.verdict.outcome is DrillOutcome.FAIL
        said = [reason["en"] for reason in held.document.data["reasons"]]
        assert "it was stopped: guard-rail: error_rate beyond 0.6 for 4 s" in said
        assert any("not proved to be gone" in reason for reason in said), "what may still be there is said"
        assert held.record.moments.injected is None
        assert len(held.record.seconds) < 25
        assert of_the_drill(drills_dir(installation.installation) / held.record.id) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_target_that_answers_nothing_any_more_ends_it_though_no_error_is_counted(tmp_path: Path, home: Path) -> None:
    with installation_harness(home) as installation, chain(tmp_path) as there:
        plan = short_plan(
            there, tmp_path, levels=[{"percent": 100, "hold": "60s"}],
            guards=[{"figure": "error_rate", "limit": "60%", "for": "5s"}],
        )  # fmt: skip

        def freeze(record: DrillRecord, _: DrillSecond) -> None:
            if len(record.stages) > 1 and len(record.seconds_of(record.stages[-1])) == 2:
                os.kill(there.process.pid, signal.SIGSTOP)

        try:
            held = asyncio.run(run_drill(installation.installation, plan, now, freeze))
        finally:
            os.kill(there.process.pid, signal.SIGCONT)
        assert held.verdict.outcome is DrillOutcome.FAIL
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
    with (
        small_disk(tmp_path / "disk", "24m") as disk,
        installation_harness(disk / "home") as installation,
        chain(tmp_path) as there,
    ):
        plan = short_plan(there, tmp_path)
        with conducting(plan, installation) as process:
            until(lambda: has_come_to(the_drill(installation), phase), said=f"never came to {phase}")
            ballast = disk / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"x" * 4096):
                    pass
            out, said = process.communicate(timeout=90)
        folder = the_drill(installation)
        assert folder is not None
        assert process.returncode == 1, out
        assert "cannot be written down: No space left on device" in said
        assert "make room" in said
        assert all("ended" in fault for fault in there.truth["faults"]), "the fault is put right"
        assert chats(there) == 0, "what was made is gone, though the ledger took no more of it"
        until(lambda: not of_the_drill(folder), 20, "something still runs")
        ballast.unlink()
        with lifecycle.drill_lock(drills_dir(installation.installation), patience=0):
            (held,) = recover_unfinished(installation.installation, now())
        assert held.document.data["verdict"] in ("FAIL", "INVALID")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_while_its_proxy_harms_the_chain_is_whole_and_what_it_made_is_gone(tmp_path: Path, home: Path) -> None:
    """Every request leads through the proxy, and the proxy ends with the drill."""
    with installation_harness(home) as installation, chain(tmp_path) as there:
        listen = free_port()
        text = short_plan(there, tmp_path).read_text().replace(str(there.port), str(listen))
        data = yaml.safe_load(text)
        del data["fault"]["inject"], data["fault"]["revert"]
        upstream = f"127.0.0.1:{there.port}"
        data["fault"] |= {
            "hold": "20s",
            "proxy": {"listen": f"127.0.0.1:{listen}", "upstream": upstream, "latency": "2s"},
        }
        plan = tmp_path / "plan.yaml"
        plan.write_text(yaml.safe_dump(data))
        with conducting(plan, installation) as process:
            until(lambda: has_come_to(the_drill(installation), "fault"), said="never came to the fault")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        folder = the_drill(installation)
        assert folder is not None
        until(lambda: is_over(folder), 40, "nobody took over")
        until(lambda: not of_the_drill(folder), 20, "something still runs")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", listen)) != 0, "the proxy is gone"
        record = lifecycle.load_record(folder)
        assert record is not None
        assert record.cleaned.made == record.cleaned.gone > 0
        # Asked for through the proxy, made, and the answer died with it: nobody knows their names, and that is said.
        assert chats(there) <= record.cleaned.doubtful
        assert record.cleaned.doubtful < 60


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["abort", "ctrl-c"])
def test_stopped_by_hand_in_the_middle_of_the_fault_it_ends_in_order(tmp_path: Path, home: Path, how: str) -> None:
    with installation_harness(home) as installation, chain(tmp_path) as there:
        plan = short_plan(there, tmp_path)
        data = yaml.safe_load(plan.read_text())
        data["fault"]["hold"] = "60s"
        plan.write_text(yaml.safe_dump(data))
        tocsin = [sys.executable, "-c", "from cli.main import main; main()", "drill"]
        environment = {**os.environ, "TOCSIN_HOME": str(home), "PYTHONPATH": str(ROOT)}
        run = subprocess.Popen(
            [*tocsin, "run", str(plan), "--json"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        until(lambda: has_come_to(the_drill(installation), "fault"), said="never came to the fault")
        until(lambda: there.truth["faults"], said="nothing was broken")
        begun = time.monotonic()
        if how == "abort":
            subprocess.run([*tocsin, "abort"], cwd=ROOT, env=environment, check=True, capture_output=True)
        else:
            run.send_signal(signal.SIGINT)
        until(lambda: "ended" in there.truth["faults"][-1], 10, "the fault is not put right")
        out, _ = run.communicate(timeout=60)
        assert time.monotonic() - begun < 30
        found = json.loads(out)
        assert (run.returncode, found["verdict"]) == (1, "FAIL")
        said = "aborted by `tocsin drill abort`" if how == "abort" else "stopped by hand"
        assert found["reasons"][0]["en"] == f"it was stopped: {said}"
        assert found["made"] == found["gone"] > 0
        assert chats(there) == 0
        folder = the_drill(installation)
        assert folder is not None
        assert of_the_drill(folder) == [], "nothing runs any more"
        assert not (folder / "alive").exists()
