"""Quiet hours hold what can wait, never a page; what waits together is told together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pendulum
import pytest

from domain.quiet_hours import QuietHours, parse_quiet_hours
from tests.installations import (  # noqa: F401
    InstallationHarness,
    installation_fixture,
    installation_harness,
    sqlite_installation_fixture,
)

pytestmark = pytest.mark.calendar

ROSTER = (Path(__file__).parents[2] / "playbooks" / "sample" / "roster.yaml").read_text(encoding="utf-8")
# It is 3 UTC, 11 o'clock in Shanghai: a night worker's quiet hours, until 5 UTC.
AGENTS = "channels: [agents], language: zh_CN, timezone: Asia/Shanghai"


@pytest.mark.parametrize(
    ("written", "zone", "now", "until"),
    [
        ("22:00-07:00", "Europe/Berlin", "2026-11-02T23:00", "2026-11-03T06:00"),
        ("22:00-07:00", "Europe/Berlin", "2026-11-03T05:59", "2026-11-03T06:00"),
        ("22:00-07:00", "Europe/Berlin", "2026-11-03T06:00", None),
        ("22:00-07:00", "Europe/Berlin", "2026-11-02T20:59", None),
        ("12:00-14:00", "Asia/Shanghai", "2026-11-02T04:00", "2026-11-02T06:00"),
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T01:00", "2026-10-25T01:30"),  # ends at its last occurrence
        ("02:30-05:00", "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T03:00"),  # begins at the jump
    ],
)
def test_quiet_until(written: str, zone: str, now: str, until: str | None) -> None:
    found = parse_quiet_hours(written).until(pendulum.parse(now), ZoneInfo(zone))  # type: ignore[arg-type]
    assert found == (pendulum.parse(until) if until else None)


@pytest.mark.parametrize("text", ["22-07", "22:00", "24:00-07:00", "07:00-07:00", "22:00-07:60", ""])
def test_what_is_no_span_of_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"span of a day|begins when"):
        parse_quiet_hours(text)
    assert parse_quiet_hours("22:00-07:00") == QuietHours(time(22), time(7))


@pytest.fixture(name="quiet")
def quiet_fixture(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    """The agents and Feng Lei have quiet hours now."""
    text = ROSTER.replace(AGENTS, f'{AGENTS}, quiet: "10:00-13:00"')
    text = text.replace("channels: [fenglei],", 'channels: [fenglei], quiet: "10:00-13:00",')
    with installation_harness(home, database_url, roster=text) as opened:
        yield opened


def test_a_page_goes_at_any_hour(quiet: InstallationHarness) -> None:
    quiet.declare()
    quiet.turn()
    quiet.deliver()
    assert any("Yours now" in title or "归您" in title or "请" in title for title in quiet.titles("fenglei"))
    assert len(quiet.titles("fenglei")) == 1


def test_what_can_wait_waits_and_comes_as_one_message(quiet: InstallationHarness) -> None:
    refs = [quiet.declare("inform", title=f"Number {n}") for n in range(3)]
    quiet.turn()
    quiet.deliver()
    assert quiet.titles("agents") == []
    assert {row.detail for ref in refs for row in quiet.rows(ref)} == {"held until the quiet hours are over"}
    quiet.wait(hours=1, minutes=59)
    quiet.deliver()
    assert quiet.titles("agents") == []
    quiet.wait(minutes=1)
    quiet.deliver()
    (title,) = quiet.titles("agents")
    assert refs[-1] in title
    assert "另有 2 条" in title
    (said,) = quiet.receiver.at("/inbox/agents")
    for ref, words in zip(refs, ("Number 0", "Number 1", "Number 2"), strict=True):
        assert words in said.json["message"]
        assert ref in said.json["message"] + title
    assert [quiet.row(ref).state for ref in refs] == ["coalesced", "coalesced", "sent"]
    assert quiet.row(refs[2]).key in quiet.row(refs[0]).detail


def test_a_drill_is_not_held(quiet: InstallationHarness) -> None:
    quiet.declare("inform", drill=True)
    quiet.turn()
    quiet.deliver()
    assert len(quiet.titles("agents")) == 1


def test_held_rows_hold_up_nobody_else(quiet: InstallationHarness) -> None:
    quiet.declare("inform")
    mine = quiet.declare()
    quiet.turn()
    quiet.deliver()
    assert quiet.row(mine, person="fenglei").state == "sent"


def test_what_goes_at_once_goes_by_itself(installation: InstallationHarness) -> None:
    for n in range(3):
        installation.declare("inform", title=f"Number {n}")
    installation.turn()
    installation.deliver()
    assert len(installation.titles("agents")) == 3


def test_what_a_failing_channel_held_up_comes_as_one_and_no_more_than_fits(
    sqlite_installation: InstallationHarness,
) -> None:
    installation = sqlite_installation
    installation.receiver.script("/inbox/agents", status=500)
    refs = [installation.declare("inform", title=f"Number {n} " + "这" * 150) for n in range(20)]
    installation.turn()
    installation.deliver()
    installation.receiver.script("/inbox/agents", status=200)
    installation.receiver._received.clear()
    installation.wait(minutes=10)
    installation.deliver()
    sizes = [len(request.json["message"].encode()) for request in installation.receiver.at("/inbox/agents")]
    assert 1 < len(sizes) < 5
    assert max(sizes) < 7_000
    states = [installation.row(ref).state for ref in refs]
    assert (states.count("sent"), states.count("coalesced")) == (len(sizes), 20 - len(sizes))
    for n in range(20):
        assert (
            sum(f"Number {n} " in request.json["message"] for request in installation.receiver.at("/inbox/agents")) == 1
        )


def test_one_that_may_have_arrived_is_not_hidden_in_another(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    installation.receiver.script("/inbox/agents", cut="after", times=1)
    first = installation.declare("inform", title="First")
    installation.turn()
    installation.deliver(seconds=0.2)
    for title in ("Second", "Third"):
        installation.declare("inform", title=title)
    installation.turn()
    installation.wait(minutes=5)
    installation.deliver()
    alone = [title for title in installation.titles("agents") if first in title]
    assert len(alone) == 2, "as it went, and again, marked"
    assert "可能重复" in alone[1]
    assert "另有" not in alone[1]
