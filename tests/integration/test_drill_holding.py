"""When a drill may begin, once a month, and what a failed one leaves on record."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pendulum
import pytest

from domain.commands import Close
from domain.drill.measurement import DrillSecond
from engine.drill import lifecycle
from engine.drill.monthly_drill import PLAN, run_monthly
from engine.drill.preflight import DrillNotAllowed, check_time
from engine.drill.record import DrillRecord, DrillStage
from engine.drill.run_drill import drills_dir, find_peak_rate, require_drill_allowed, run_drill, save_result
from playbooks.drill_file import parse_drill_plan, read_drill_plan
from storage import documents
from storage.reviews import review_records
from tests.chains import ROOT, free_port
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
    sqlite_installation_fixture,  # noqa: F401
)
from web.schemas import schema

SHIPPED = ROOT / "examples" / "drill.yaml"


def test_no_drill_beside_something_real(installation: InstallationHarness) -> None:
    require_drill_allowed(installation.installation, installation.now)
    ref = installation.declare()
    with pytest.raises(DrillNotAllowed, match=ref):
        require_drill_allowed(installation.installation, installation.now)
    installation.do(ref, Close, "alice", reason="over")
    require_drill_allowed(installation.installation, installation.now)
    installation.declare(drill=True)
    require_drill_allowed(installation.installation, installation.now)


def test_a_campaign_locks_drills(sqlite_installation: InstallationHarness) -> None:
    (sqlite_installation.installation.settings.home / "campaigns.yaml").write_text(
        "campaigns:\n  - {id: singles-day, title: Singles Day, start: '2026-11-01T00:00:00+08:00', "
        "end: '2026-11-13T00:00:00+08:00'}\n"
    )
    with pytest.raises(DrillNotAllowed, match="singles-day"):
        require_drill_allowed(sqlite_installation.installation, sqlite_installation.now)


def test_windows_and_blackout() -> None:
    text = SHIPPED.read_text()
    window = "windows:\n  - {days: [sat], from: '22:00', to: '04:00', timezone: Asia/Shanghai}\n"
    plan = parse_drill_plan(text + window, "p")

    there = "Asia/Shanghai"
    check_time(plan, pendulum.datetime(2026, 11, 21, 23, tz=there))  # Saturday night
    check_time(plan, pendulum.datetime(2026, 11, 22, 3, tz=there))  # still that night
    for hour in (21, 5):
        with pytest.raises(DrillNotAllowed, match="windows"):
            check_time(plan, pendulum.datetime(2026, 11, 21 if hour == 21 else 22, hour, tz=there))
    dark = parse_drill_plan(text + "blackout: [{from: '2026-11-09', to: '2026-11-12'}]\n", "p")
    with pytest.raises(DrillNotAllowed, match="blackout"):
        check_time(dark, pendulum.datetime(2026, 11, 12, 23))
    check_time(dark, pendulum.datetime(2026, 11, 13))


@pytest.mark.slow
def test_one_drill_at_a_time(sqlite_installation: InstallationHarness) -> None:
    drills = drills_dir(sqlite_installation.installation)
    with (
        lifecycle.drill_lock(drills),
        pytest.raises(DrillNotAllowed, match="another drill"),
        lifecycle.drill_lock(drills),
    ):
        pass
    with lifecycle.drill_lock(drills):
        pass


def test_a_peak_of_which_nothing_is_known_is_said(sqlite_installation: InstallationHarness, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(SHIPPED.read_text().replace("peak: {rate: 6}", "peak: {metric: contacts}"))
    shutil.copy(ROOT / "examples" / "drill-rule.yaml", tmp_path)
    assert find_peak_rate(sqlite_installation.installation, "contacts", sqlite_installation.now) is None
    with pytest.raises(DrillNotAllowed, match="no samples of contacts"):
        asyncio.run(run_drill(sqlite_installation.installation, plan, sqlite_installation.clock))


def lay_plan(installation: InstallationHarness, port: int) -> None:
    home = installation.installation.settings.home
    (home / PLAN).write_text(SHIPPED.read_text().replace("7790", str(port)))
    shutil.copy(ROOT / "examples" / "drill-rule.yaml", home)


def test_a_month_that_could_not_be_drilled_is_tried_again(installation: InstallationHarness) -> None:
    assert asyncio.run(run_monthly(installation.installation, installation.clock)) is None, "no plan, no drill"
    lay_plan(installation, free_port())
    for _ in range(2):  # given back: the next firing tries again, and says the same
        with pytest.raises(DrillNotAllowed, match="does not answer"):
            asyncio.run(run_monthly(installation.installation, installation.clock))
        installation.wait(minutes=1)
    with installation.installation.database.read() as connection:
        assert review_records.list_runs(connection, kind="drill") == []


def test_a_month_is_drilled_once_and_a_missed_one_is_said_once(installation: InstallationHarness) -> None:
    lay_plan(installation, free_port())
    claimed = {
        "matter": "",
        "ends_at": installation.now,
        "made_at": installation.now,
        "late": False,
        "trouble": "begun",
    }
    with installation.installation.database.write() as connection:
        assert review_records.claim_period(connection, "drill", "2026-11", document="", **claimed)
    assert asyncio.run(run_monthly(installation.installation, installation.clock)) is None, "another server has it"
    installation.wait(days=30)  # December: that one never came to a report
    for _ in range(2):
        with pytest.raises(DrillNotAllowed):
            asyncio.run(run_monthly(installation.installation, installation.clock))
    installation.deliver()
    said = [title for title in installation.titles("erik") if "2026-11" in title]
    assert len(said) == 1


def test_a_failed_drill_leaves_actions_and_is_kept_once(installation: InstallationHarness) -> None:
    plan = read_drill_plan(SHIPPED)
    record = DrillRecord("20261102-030000", plan.id, 1_793_588_400.0, 6.0, ended=1_793_588_430.0)
    record.stages = [DrillStage("100 %", "level", 100, 6.0, record.begun, record.ended)]
    second = DrillSecond(0, "100 %", 6.0, 6, 6, 0, 30, 0, 0, 9.0, 6, 5.0, 1.0, 0.1, {"wait": [30, 0, 0.2]}, 6.0)
    record.seconds = [replace(second, at=record.begun + number) for number in range(1, 31)]
    record.stopped = "guard-rail: error_rate beyond 0.6 for 8 s"
    verdict = lifecycle.judge_record(plan, record)
    held = save_result(installation.installation, plan, record, verdict, installation.now)
    assert held.document.data["verdict"] == "FAIL"
    assert len(held.actions) == len(verdict.reasons) + 1, "each reason mended, and the drill again"
    jsonschema.validate(dict(held.document.data), schema("drill"))
    again = save_result(installation.installation, plan, record, verdict, installation.now)
    assert again.actions == ()
    assert again.matter == ""
    with installation.installation.database.read() as connection:
        kept = documents.load_document(connection, "drill/20261102-030000")
    assert kept is not None
    assert json.loads(json.dumps(kept.data))["reasons"][0]["zh"]
    lifecycle.save_record(record, drills_dir(installation.installation) / record.id)
    assert lifecycle.load_record(drills_dir(installation.installation) / record.id) == record


def cli(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cli.main import main; main()", "drill", *arguments]
    environment = {**os.environ, "TOCSIN_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_commands_answer_by_their_schemas(sqlite_installation: InstallationHarness) -> None:
    home = sqlite_installation.installation.settings.home
    lint = cli("lint", str(SHIPPED), "--json", home=home)
    jsonschema.validate(json.loads(lint.stdout), schema("drill-lint"))
    for number in (1, 2):
        name = f"2026110{number}-030000"
        record = DrillRecord(name, "example-chain", 1_793_588_400.0, 6.0, ended=1_793_588_430.0)
        record.stages = [DrillStage("100 %", "level", 100, 6.0, record.begun, record.ended)]
        second = DrillSecond(
            0, "100 %", 6.0, 6, 6, 0, 30, 0, 0, 9.0, 6, 5.0, 1.0, 0.1, {"wait": [30, 0, 0.2 * number]}, 6.0
        )
        record.seconds = [replace(second, at=record.begun + place) for place in range(1, 31)]
        folder = drills_dir(sqlite_installation.installation) / name
        folder.mkdir(parents=True)
        shutil.copy(SHIPPED, folder / "plan.yaml")
        lifecycle.save_record(record, folder)
    both = cli("compare", "20261101-030000", "20261102-030000", "--json", home=home)
    found = json.loads(both.stdout)
    jsonschema.validate(found, schema("drill-compare"))
    assert [row["says"] for row in found["figures"]] == ["worse", "same"]
    shown = cli("show", "20261102-030000", "--json", home=home)
    jsonschema.validate(json.loads(shown.stdout), schema("drill"))
    wrong = cli("show", "20200101-000000", home=home)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "`tocsin drill list`" in wrong.stderr
    save_result(
        sqlite_installation.installation,
        read_drill_plan(SHIPPED),
        record,
        lifecycle.judge_record(read_drill_plan(SHIPPED), record),
        sqlite_installation.now,
    )
    listed = json.loads(cli("list", "--json", home=home).stdout)
    jsonschema.validate(listed, schema("drill-list"))
    assert (listed["running"], [one["id"] for one in listed["drills"]]) == (None, ["20261102-030000"])
    idle = cli("abort", home=home)
    assert "no drill runs here" in idle.stderr
    (drills_dir(sqlite_installation.installation) / "20261102-030000" / "alive").write_text("1")
    stopped = cli("abort", "--json", home=home)
    jsonschema.validate(json.loads(stopped.stdout), schema("drill-abort"))
    assert (drills_dir(sqlite_installation.installation) / "20261102-030000" / "abort").exists()
