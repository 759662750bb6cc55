"""By hand, and at the change of a shift: who is called, what they are told, which steps become theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.command_handlers import CommandRefused
from domain.commands import Acknowledge
from domain.durations import later
from domain.oncall import DutyOverride
from engine.audit.auditor import Auditor, find_coming_gaps
from engine.oncall import overrides, poll, read_model
from tests.installations import InstallationHarness, installation_fixture, sqlite_installation_fixture  # noqa: F401 - fixtures
from tests.integration.test_rotation_calendars import (
    FRAME,
    ROTA,
    daily,
    estate_of,
    fetch,
    lead,
    rota_fixture,  # noqa: F401 - a fixture
)

pytestmark = pytest.mark.calendar

ROLE = "technology-lead"


def by_hand(
    installation: InstallationHarness, person: str, start: float = 0, end: float = 2, **fields: str
) -> DutyOverride:
    """Put somebody on duty, from and until so many hours from now."""
    begins, ends = (later(installation.now, timedelta(hours=hours)) for hours in (start, end))
    given = {"id": f"{person}-{installation.now}", "role": ROLE, "reason": "swap", "by": "alice", **fields}
    made = DutyOverride(person=person, start=begins, end=ends, made_at=installation.now, **given)  # type: ignore[arg-type]
    overrides.add_override(installation.installation, made)
    return made


def look(installation: InstallationHarness) -> int:
    return poll.hand_over_due(installation.installation, installation.now)


def test_by_hand_is_in_force_at_once_and_over_in_time(installation: InstallationHarness) -> None:
    assert lead(installation) == ("fenglei", "erik")
    by_hand(installation, "dora")
    assert lead(installation) == ("dora", "erik")
    ref = installation.declare()
    installation.turn()
    assert installation.snapshot(ref).steps["s/fix"].owner == "dora"
    installation.wait(hours=2)
    assert lead(installation) == ("fenglei", "erik")


def test_by_hand_ends_early_and_stays_on_record(installation: InstallationHarness) -> None:
    made = by_hand(installation, "dora")
    installation.wait(hours=1)
    assert overrides.end_override(installation.installation, made.id, "bob", installation.now)
    assert not overrides.end_override(installation.installation, made.id, "bob", installation.now)
    assert lead(installation)[0] == "fenglei"
    assert read_model.list_overrides(installation.installation, installation.now) == []
    (row,) = read_model.list_overrides(installation.installation, installation.now, past=True)
    assert (row["person"], row["by"], row["ended_by"], row["reason"], row["state"]) == (
        "dora",
        "alice",
        "bob",
        "swap",
        "over",
    )
    assert row["until"] == installation.now.isoformat()


def test_the_same_id_again_changes_nothing(installation: InstallationHarness) -> None:
    made = by_hand(installation, "dora")
    assert not overrides.add_override(installation.installation, made)
    assert len(read_model.list_overrides(installation.installation, installation.now)) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"person": "zoe"}, "does not know 'zoe'"),
        ({"person": "dora", "role": "king"}, "no role 'king'"),
        ({"person": "dora", "start": 2, "end": 2}, "ends before it begins"),
        ({"person": "dora", "start": 0, "end": 24 * 93}, "longer than 92 days"),
        ({"person": "dora", "start": -3, "end": -1}, "over already"),
        ({"person": "dora", "start": -30, "end": 1}, "more than a day ago"),
        ({"person": "dora", "reason": " "}, "say why"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sqlite_installation: InstallationHarness, fields: dict[str, str], says: str
) -> None:
    with pytest.raises(CommandRefused, match=says):
        by_hand(sqlite_installation, **fields)  # type: ignore[arg-type]


def test_the_ladder_calls_whoever_is_on_duty_when_it_climbs(installation: InstallationHarness) -> None:
    """Resolved anew at each call: the backup of the role changed after the step was opened."""
    ref = installation.declare()
    installation.turn()
    by_hand(installation, "erik", 0, 9)  # the backup is on duty now: its primary stands in
    installation.wait(minutes=5)
    installation.turn()
    state = installation.snapshot(ref).steps["s/fix"]
    assert (state.owner, state.called) == ("fenglei", ("fenglei", "alice"))  # the primary was called: the commander


# --- hand-over ---------------------------------------------------------------------------------------------------


def test_a_change_of_shift_is_handed_over_once(installation: InstallationHarness) -> None:
    mine = installation.declare()
    other = installation.declare(title="Search is slow")
    installation.turn()
    installation.do(other, Acknowledge, "fenglei", step="s/fix")
    installation.wait(minutes=1)
    by_hand(installation, "dora")
    assert look(installation) == 1
    assert look(installation) == 0
    installation.turn()
    installation.deliver()
    # What nobody acknowledged is hers, and she is called for it; what he acknowledged stays with him.
    assert (installation.snapshot(mine).steps["s/fix"].holder, installation.snapshot(other).steps["s/fix"].holder) == (
        "dora",
        "fenglei",
    )
    (fact,) = installation.facts(mine, "step-reassigned")
    assert (fact.data["from"], fact.data["to"]) == ("fenglei", "dora")
    assert installation.facts(other, "step-reassigned") == []
    page, word = sorted(installation.titles("dora"), key=lambda title: "on duty" in title)
    assert "Handed to you" in page
    assert word == "You are on duty now: Technology lead 技术负责人"
    (body,) = [r.json["message"] for r in installation.receiver.at("/inbox/dora") if "on duty" in str(r.json["title"])]
    assert "You take over from 冯磊." in body
    assert "Open: 2; late: 0" in body
    assert f"{mine} Checkout is down: Fix it" in body
    assert "acknowledged by 冯磊" in body
    assert installation.verified(mine) is None


def test_and_back_again_when_it_is_over(installation: InstallationHarness) -> None:
    by_hand(installation, "dora")
    assert look(installation) == 1
    ref = installation.declare()
    installation.turn()
    installation.wait(hours=2)
    assert look(installation) == 1
    installation.turn()
    assert installation.snapshot(ref).steps["s/fix"].holder == "fenglei"
    installation.deliver()
    assert any("您现在当班" in title for title in installation.titles("fenglei"))


def test_many_who_look_at_once_hand_over_once(installation: InstallationHarness) -> None:
    installation.declare()
    installation.turn()
    installation.wait(minutes=1)
    by_hand(installation, "dora")
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(look(installation))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    installation.turn()
    installation.deliver()
    assert len([title for title in installation.titles("dora") if "on duty" in title]) == 1
    assert len([title for title in installation.titles("dora") if "Handed" in title]) == 1


def test_a_change_long_ago_is_no_news(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    by_hand(installation, "dora", 0, 40)
    installation.wait(hours=13)
    assert look(installation) == 0


def test_a_shift_of_the_same_person_again_is_no_change(rota: InstallationHarness) -> None:
    (rota.installation.settings.home / "tech.ics").write_text(
        FRAME.format(daily("hana", "01T080000", "01T200000") + "\n" + daily("hana", "01T200000", "02T080000"))
    )
    fetch(rota)
    rota.wait(hours=9)
    assert look(rota) == 0


def test_a_word_that_does_not_arrive_goes_to_the_next_channel(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    text = installation.installation.settings.roster_file.read_text()
    installation.installation.settings.roster_file.write_text(text.replace("channels: [dora]", "channels: [dora, bob]"))
    for file in (installation.installation._roster, installation.installation._written):
        file._pace._last = None
    installation.receiver.script("/inbox/dora", status=400)
    by_hand(installation, "dora")
    look(installation)
    installation.deliver()
    installation.deliver()
    assert [title for title in installation.titles("bob") if "on duty" in title]


# --- gaps --------------------------------------------------------------------------------------------------------


@pytest.fixture(name="gappy")
def gappy_fixture(home: object) -> Iterator[InstallationHarness]:
    """Only by day: nobody from 12 to 0 UTC."""
    with estate_of(home, "tech.ics") as opened:  # type: ignore[arg-type]
        (opened.installation.settings.home / "tech.ics").write_text(
            FRAME.format(daily("Hana", "01T080000", "01T200000"))
        )
        fetch(opened)
        yield opened


def test_a_gap_tomorrow_pages_the_last_resort_today_and_the_heart_beats_on(gappy: InstallationHarness) -> None:
    from tests.integration.test_auditor import watcher

    with watcher() as (url, beats):
        gappy.installation.settings = gappy.installation.settings.model_copy(update={"heartbeat_url": url})
        auditor = Auditor(gappy.installation, gappy.clock)
        for _ in range(3):
            auditor.run_once()
            gappy.wait(minutes=1)
        assert len(beats) == 3
    (title,) = gappy.titles("wangjie")
    assert "technology-lead" in title
    assert "2026-11-02 12:00 UTC" in title
    gappy.wait(hours=12)
    auditor.run_once()
    assert len(gappy.titles("wangjie")) == 2, "twice a day"


def test_no_gap_no_word(rota: InstallationHarness) -> None:
    assert find_coming_gaps(rota.installation, rota.now) == {}
    by_hand(rota, "dora")
    assert find_coming_gaps(rota.installation, rota.now) == {}
    assert ROTA
