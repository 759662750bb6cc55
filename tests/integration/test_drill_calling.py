"""The rule that sees a drill's fault calls its owner: a real warning, marked, acknowledged, over with the drill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from domain.commands import Acknowledge
from domain.drill.measurement import DrillSecond
from domain.drill.plan import DrillCall, DrillPlan
from engine.drill import lifecycle
from engine.drill.owner_call import (
    CALLS_NOBODY,
    NOT_RUNNING,
    WarningOwnerCall,
    choose_owner_call,
    close_drill_warnings,
    drill_feed,
)
from engine.drill.recover_orphan import recover_unfinished
from engine.drill.rule_watch import DrillRuleWatch, FiredRule
from engine.drill.run_drill import drills_dir
from engine.drill.simulated_owner import SimulatedOwner
from playbooks.drill_file import read_drill_plan
from storage.incidents import board, warnings
from tests.chains import ROOT, Chain, chain
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
    installation_harness,
    sqlite_installation_fixture,  # noqa: F401
)
from tests.integration.test_drill_killed import short_plan


def fired(installation: InstallationHarness, there: Chain, folder: Path) -> FiredRule:
    """The shipped rule, as it fires on too many customers."""
    return next(iter(watched(installation, there, folder).firing_rules(1_793_588_430.0)))


def watched(installation: InstallationHarness, there: Chain, folder: Path) -> DrillRuleWatch:
    drill = lifecycle.prepare(
        short_plan(there, folder), drills_dir(installation.installation), "20261102-030000", lambda _: None
    )
    watch = DrillRuleWatch(drill.rules)
    for at in range(1_793_588_400, 1_793_588_430):
        watch.add_second(DrillSecond(float(at), "fault", 9.0, 9, 0, 0, 9, 0, 0, 900.0, 120, 900.0, 1.0, 0.1, peak=6.0))
    return watch


def test_the_warning_is_real_marked_and_its_acknowledgement_known(
    installation: InstallationHarness, tmp_path: Path
) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    with chain(tmp_path) as there:
        found, plan = fired(installation, there, folder), read_drill_plan(folder / "plan.yaml")

        async def course() -> WarningOwnerCall:
            caller = WarningOwnerCall(installation.installation, plan, "20261102-030000", installation.clock, None)
            caller.call(found)
            caller.call(found)  # it goes on firing: nobody is called twice
            await reached(lambda: caller.state.called is not None)
            installation.deliver()
            assert [title for title in installation.titles("hana") if "DRILL" in title], "the supervisor is called"
            assert caller.state.acknowledged is None
            installation.wait(seconds=7)
            installation.do(caller.state.matter, Acknowledge, "hana", step="look/read")
            await caller.wait(10)
            await caller.end()
            return caller

        caller = asyncio.run(course())
    heard = caller.state
    assert (heard.matter, heard.by, heard.why_not) == ("WRN-1", "hana", "")
    assert heard.acknowledged is not None
    assert heard.called is not None
    assert heard.acknowledged - heard.called == pytest.approx(7.0)
    with installation.installation.database.read() as connection:
        (row,) = warnings.list_warnings(connection, feed=drill_feed("20261102-030000"), standing_only=False)
        assert row.ended_at is not None
        assert warnings.list_warnings(connection, standing_only=False) == [], "no live warning"
        assert board.count_open(connection) == 0
    incident = installation.snapshot("WRN-1").incident
    assert (incident.drill, incident.running) == (True, False)
    assert installation.verified("WRN-1") is None
    assert close_drill_warnings(installation.installation, "20261102-030000", installation.now) == []


def test_a_killed_drill_s_warning_calls_nobody_any_more(
    sqlite_installation: InstallationHarness, tmp_path: Path
) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    with chain(tmp_path) as there:
        found, plan = fired(sqlite_installation, there, folder), read_drill_plan(folder / "plan.yaml")

        async def killed() -> None:
            caller = WarningOwnerCall(
                sqlite_installation.installation, plan, "20261102-030000", sqlite_installation.clock, None
            )
            caller.call(found)
            await reached(lambda: caller.state.called is not None)

        asyncio.run(killed())
        assert sqlite_installation.snapshot("WRN-1").incident.running
        recover_unfinished(sqlite_installation.installation, sqlite_installation.now)
    assert not sqlite_installation.snapshot("WRN-1").incident.running
    sqlite_installation.wait(minutes=30)
    sqlite_installation.turn()
    sqlite_installation.deliver()
    assert not [title for title in sqlite_installation.titles("erik") if "WRN-1" in title], (
        "no escalation after its end"
    )


def test_nobody_real_is_called_unless_the_plan_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    channels = (
        (ROOT / "playbooks" / "sample" / "channels.yaml")
        .read_text()
        .replace("json://127.0.0.1:{port}/inbox/hana", "json://example.invalid/inbox/hana")
    )
    with chain(tmp_path) as there, installation_harness(tmp_path / "home", channels=channels) as installation:
        found, plan = fired(installation, there, folder), read_drill_plan(folder / "plan.yaml")

        async def course(plan: DrillPlan, *, auto: bool) -> str:
            caller = WarningOwnerCall(
                installation.installation,
                plan,
                "20261102-030000",
                installation.clock,
                SimulatedOwner(1, 1) if auto else None,
            )
            caller.call(found)
            await reached(lambda: bool(caller.state.why_not or caller.state.called))
            await caller.end()
            return caller.state.why_not

        assert "channel hana of hana leads elsewhere" in asyncio.run(course(plan, auto=False))
        owners = replace(plan, call=DrillCall("owners"))
        assert "leads elsewhere" in asyncio.run(course(owners, auto=True)), "nobody simulated acts beside real people"
        with installation.installation.database.read() as connection:
            assert warnings.list_warnings(connection, feed=None, standing_only=False) == []
        assert asyncio.run(course(owners, auto=False)) == ""
        off = choose_owner_call(
            installation.installation, replace(plan, call=DrillCall("nobody")), "d", installation.clock, auto=False
        )
        off.call(found)
        assert off.state.why_not == CALLS_NOBODY
        idle = choose_owner_call(installation.installation, plan, "d", installation.clock, auto=False)
        idle.call(found)
        assert idle.state.why_not == NOT_RUNNING


async def reached(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - it is a thread's work that is waited for
            await asyncio.sleep(0.02)
