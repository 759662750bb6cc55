"""A drill whole, against the example chain, whose capacity it cannot see: knee, recovery, verdict, report, traces."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml

from domain.drill.verdict import DrillOutcome
from engine.drill.run_drill import DrillResult, run_drill
from engine.process.clock import now
from storage.incidents import board
from tests.chains import ROOT, Chain, chain
from tests.installations import InstallationHarness, installation_harness
from web.schemas import schema


def plan_for(there: Chain, folder: Path, **changes: Any) -> Path:
    """The shipped plan on this chain's port, with shorter stages."""
    text = (ROOT / "examples" / "drill.yaml").read_text().replace("7790", str(there.port))
    data = yaml.safe_load(text)
    data["baseline"] = "4s"
    data["levels"] = [
        {"percent": percent, "hold": f"{seconds}s"} for percent, seconds in ((10, 4), (100, 6), (200, 10), (500, 20))
    ]
    data["fault"]["hold"] = "12s"
    data |= changes
    file = folder / "plan.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True))
    (folder / "drill-rule.yaml").write_text((ROOT / "examples" / "drill-rule.yaml").read_text())
    return file


def drill(
    folder: Path, installation: InstallationHarness, *arguments: str, **changes: Any
) -> tuple[DrillResult, Chain]:
    with chain(folder, *arguments) as there:
        held = asyncio.run(run_drill(installation.installation, plan_for(there, folder, **changes), now))
    return held, there


def drawn(seed: int) -> tuple[list[str], float]:
    """Agents and their time for a chat: a capacity from 230 to 350 % of the plan's peak of 6 a second."""
    dice = random.Random(seed)
    agents, capacity = dice.randint(6, 14), dice.uniform(14, 21)
    return ["--agents", str(agents), "--handle", f"{agents / capacity:.4f}", "--seed", str(seed)], capacity


def check_truth(held: DrillResult, there: Chain, capacity: float) -> None:
    knee, recovery = held.verdict.knee, held.verdict.recovery
    assert knee is not None
    assert knee.rate == pytest.approx(capacity, rel=0.15)
    fault = there.truth["faults"][-1]
    assert recovery is not None
    assert recovery.rto is not None
    assert recovery.rto == pytest.approx(fault["calm"] - fault["began"], abs=2.0)
    assert recovery.detected is not None, "no rule saw it"
    assert "ended" in fault


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_chain_is_drilled_and_the_truth_found(tmp_path: Path, home: Path) -> None:
    arguments, capacity = drawn(7)
    with installation_harness(home) as installation:
        held, there = drill(tmp_path, installation, *arguments)
        check_truth(held, there, capacity)
        assert held.verdict.outcome is DrillOutcome.PASS, held.document.data["reasons"]
        assert held.record.cleaned.made > 100
        assert held.record.cleaned.made == held.record.cleaned.gone
        assert held.record.requests > 1_000
        assert held.matter.startswith("REV-")
        installation.deliver()
        assert any("drill" in title.lower() for title in installation.titles("erik")), "the owner got no report"
        for language in ("en", "zh"):
            page = held.document.pages[language]
            assert "<svg" in page
            assert "http://" not in page.replace("http://www.w3.org/2000/svg", ""), "a report loads nothing"
        with installation.installation.database.read() as connection:
            assert board.count_open(connection) == 0, "a drill is no alarm"
        json.dumps(held.document.data)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_chains_of_unseen_capacity(tmp_path: Path, home: Path) -> None:
    with installation_harness(home) as installation:
        for seed in range(100, 110):
            folder = tmp_path / str(seed)
            folder.mkdir()
            arguments, capacity = drawn(seed)
            held, there = drill(folder, installation, *arguments)
            knee = held.verdict.knee
            print(f"{seed}: {capacity:.2f} a second, found {knee.rate if knee else 0:.2f}")
            check_truth(held, there, capacity)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bug_that_shows_under_load_fails_by_name(tmp_path: Path, home: Path) -> None:
    with installation_harness(home) as installation:
        held, _ = drill(tmp_path, installation, "--bug")
        assert held.verdict.outcome is DrillOutcome.FAIL
        first = held.verdict.reasons[0]
        assert first.values["step"] == "ticket"
        assert first.values["percent"] in (100, 200)
        assert held.actions, "a failed drill asks for something"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_running_installation_calls_the_owner_and_the_acknowledgement_is_part_of_recovery(
    tmp_path: Path, home: Path, free_port: Callable[[], int]
) -> None:
    arguments, _ = drawn(7)
    port = free_port()
    away = f"http://127.0.0.1:{free_port()}/api"  # Prefect is; the guarantor carries the call
    environment = {**os.environ, "TOCSIN_HOME": str(home), "PYTHONPATH": str(ROOT), "PREFECT_API_URL": away}
    up = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up", "--port", str(port)], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with chain(tmp_path, *arguments) as there:
            plan = plan_for(there, tmp_path, levels=[{"percent": 100, "hold": "6s"}, {"percent": 200, "hold": "6s"}])
            data = yaml.safe_load(plan.read_text())
            data["fault"]["hold"] = "20s"
            data["call"] = {"reach": "sandbox", "wait": "30s"}
            plan.write_text(yaml.safe_dump(data, allow_unicode=True))
            deadline = time.monotonic() + 60
            while not answers(port):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            done = subprocess.run(
                [sys.executable, "-m", "cli.main", "drill", "run", str(plan), "--auto", "--json"],
                cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False,
            )  # fmt: skip
            found = json.loads(done.stdout)
    finally:
        up.terminate()
        up.wait(20)
    jsonschema.validate(found, schema("drill"))
    assert (found["called"], found["acknowledged_by"], found["not_called"]) == ("WRN-1", "hana", ""), done.stderr
    parts = found["rto_parts"]
    assert parts["detect"] > 0
    assert parts["acknowledge"] > 0
    assert sum(parts.values()) == pytest.approx(found["rto_seconds"]), "the four parts are the whole"
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert "WRN-1 was raised, marked DRILL; hana acknowledged it" in page
    assert found["verdict"] == "PASS", found["reasons"]


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
