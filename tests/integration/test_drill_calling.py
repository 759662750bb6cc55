"""The rule that sees a drill's fault calls its owner: a real warning, marked, acknowledged, over with the drill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from domain.commands import Acknowledge
from domain.drill.judging import Second
from domain.drill.plan import Call, Plan
from engine.drill import running
from engine.drill.calling import NOBODY, NOT_RUNNING, Caller, call_off, lane_of, owner_for
from engine.drill.holding import drills_dir
from engine.drill.settling import settle_left
from engine.drill.simulated import SimulatedOwner
from engine.drill.watching import Fired, Watch
from playbooks.drill_file import read_plan
from storage import board, warnings
from tests.chains import ROOT, Chain, chain
from tests.houses import (
    Estate,
    estate,
    house_fixture,  # noqa: F401
    sqlite_house_fixture,  # noqa: F401
)
from tests.integration.test_drill_killed import short_plan


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
