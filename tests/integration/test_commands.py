"""The one entrance on both databases: what is asked for is one transaction, once, or refused in one line."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from domain.command_handlers import CommandRefused
from domain.commands import (
    Acknowledge,
    Attach,
    Begin,
    Cancel,
    Close,
    Declare,
    Done,
    Mitigate,
    Note,
    Reopen,
    SetImpact,
)
from domain.incident import Impact, IncidentStatus, StepStatus
from engine.response import commands
from storage.incidents.incidents import UnknownIncident
from tests.houses import BEGAN, InstallationHarness, house_fixture, sqlite_house_fixture  # noqa: F401


def attach(house: InstallationHarness, ref: str, playbook: str = "say", **fields: object) -> commands.CommandResult:
    given = {"id": str(uuid.uuid4()), "incident": ref, "playbook": playbook, **fields}
    return commands.attach_playbook(house.house, Attach(**given), house.now)  # type: ignore[arg-type]


def test_a_declaration_owes_its_first_notice_when_it_returns(house: InstallationHarness) -> None:
    ref = house.declare()
    assert ref == "INC-1"
    row = house.row(ref)
    assert (row.person, row.channel, row.purpose, row.state) == ("fenglei", "fenglei", "assign", "pending")
    assert row.key == "INC-1/call/s/fix/assign/1/fenglei/fenglei/1"
    assert [fact.kind for fact in house.facts(ref)][:3] == ["declared", "stage-begun", "step-opened"]
    assert house.verified(ref) is None


def test_the_same_id_twice_is_the_same_incident(house: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    assert house.declare(id=same) == house.declare(id=same, title="told again") == "INC-1"
    assert house.declare() == "INC-2"
    assert len(house.facts("INC-1", "declared")) == 1


def test_the_same_id_at_the_same_moment_from_eight_callers_is_one_incident(house: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(lambda _: house.declare(id=same), range(8)))
    assert len(refs) == 1
    assert len(house.rows(refs.pop())) == 1


def test_many_at_once_have_each_a_reference_of_their_own(house: InstallationHarness) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(lambda _: house.declare(), range(40)))
    assert len(refs) == 40
    assert all(house.verified(ref) is None for ref in refs)


def test_declared_together_each_gets_its_own_answer(house: InstallationHarness) -> None:
    good = [Declare(id=f"d-{i}", title=f"No. {i}", playbook="call") for i in range(3)]
    bad = Declare(id="d-bad", title="x", playbook="nothing")
    answers = commands.declare_batch(house.house, [good[0], bad, good[1], good[0], good[2]], house.now)
    assert [type(answer).__name__ for answer in answers] == ["Answer", "Refused", "Answer", "Answer", "Answer"]
    assert [a.ref for a in answers if isinstance(a, commands.CommandResult)] == ["INC-1", "INC-2", "INC-1", "INC-3"]
    assert house.snapshot("INC-2").incident.title == "No. 1"


def test_a_command_twice_is_one_fact(house: InstallationHarness) -> None:
    ref, same = house.declare(), str(uuid.uuid4())
    first = house.do(ref, Note, "alice", id=same, text="seen")
    again = house.do(ref, Note, "alice", id=same, text="seen")
    assert (first.changed, again.changed) == (True, False)
    assert len(house.facts(ref, "noted")) == 1


def test_a_refused_command_changes_nothing_and_may_be_given_again(house: InstallationHarness) -> None:
    ref, same = house.declare(), str(uuid.uuid4())
    facts, rows = house.facts(ref), house.rows(ref)
    with pytest.raises(CommandRefused):
        house.do(ref, Close, id=same)
    assert (house.facts(ref), house.rows(ref)) == (facts, rows)
    assert house.do(ref, Close, id=same, reason="false alarm").changed


def test_an_acknowledgement_withdraws_what_is_not_on_its_way_yet(house: InstallationHarness) -> None:
    ref = house.declare()
    house.do(ref, Acknowledge, "fenglei", step="fix")
    assert house.row(ref).state == "cancelled"
    assert house.snapshot(ref).steps["s/fix"].status is StepStatus.ACKNOWLEDGED


def test_an_incident_is_found_by_reference_number_and_id(house: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    house.declare(id=same)
    for name in ("INC-1", "inc-1", "1", " INC-1 ", same):
        assert house.do(name, Note, text="x").ref == "INC-1"
    for name in ("INC-2", "", "x" * 500, "INC-1\x00", "'; drop table incident; --"):
        with pytest.raises(UnknownIncident) as error:
            house.do(name, Note, text="x")
        assert "\n" not in str(error.value)


def test_back_dated_the_clock_runs_from_then(house: InstallationHarness) -> None:
    ref = house.declare(since=house.now.subtract(minutes=30))
    assert house.snapshot(ref).steps["s/fix"].due_at == BEGAN.add(minutes=10)


def test_an_impact_moves_the_incident_to_the_front(house: InstallationHarness) -> None:
    ref = house.declare()
    house.do(ref, SetImpact, impact=Impact(customers=900))
    assert house.snapshot(ref).incident.impact.customers == 900
    house.wait(minutes=5)
    house.turn()
    first, second = house.rows(ref)
    assert second.rank < first.rank


# --- two playbooks on one incident ---


def test_an_attached_playbook_has_a_clock_of_its_own(house: InstallationHarness) -> None:
    ref = house.declare()
    house.wait(minutes=20)
    assert attach(house, ref, since=house.now.subtract(minutes=10)).changed
    assert house.snapshot(ref, 1).steps["s/write"].due_at == BEGAN.add(minutes=30)
    assert house.snapshot(ref, 0).steps["s/fix"].due_at == BEGAN.add(minutes=40)
    assert house.row(ref, step="s/write").person == "chenyu"
    assert house.facts(ref, "playbook-attached")


def test_a_playbook_is_attached_once_and_only_while_it_runs(house: InstallationHarness) -> None:
    ref, same = house.declare(), str(uuid.uuid4())
    attach(house, ref, id=same)
    assert not attach(house, ref, id=same).changed
    with pytest.raises(CommandRefused, match="already runs say"):
        attach(house, ref)
    house.do(ref, Cancel, reason="in error")
    with pytest.raises(CommandRefused, match="is cancelled: a playbook is attached to a running incident"):
        attach(house, ref, "inform")


def test_a_step_is_named_with_its_playbook_where_two_have_stages_of_one_name(house: InstallationHarness) -> None:
    ref = house.declare()
    attach(house, ref, "service-outage")
    step = next(name for name, s in house.snapshot(ref, 1).steps.items() if s.status is StepStatus.OPEN)
    house.do(ref, Acknowledge, "erik", step=f"service-outage:{step}")
    assert house.snapshot(ref, 1).steps[step].holder == "erik"
    assert house.snapshot(ref, 0).steps["s/fix"].status is StepStatus.OPEN
    with pytest.raises(CommandRefused, match="INC-1 runs no playbook 'nothing'"):
        house.do(ref, Acknowledge, "erik", step="nothing:s/fix")


def test_a_close_asks_why_for_the_open_steps_of_every_response(house: InstallationHarness) -> None:
    ref = house.declare()
    attach(house, ref)
    house.do(ref, Done, "fenglei", step="call:s/fix")
    with pytest.raises(CommandRefused, match="3 steps are not done"):
        house.do(ref, Close)
    house.do(ref, Close, reason="over")
    assert house.facts(ref, "closed")[0].data["left"] == ["s/write", "s/pass", "s/post"]
    house.turn()
    assert house.snapshot(ref, 1).steps["s/write"].status is StepStatus.ABANDONED


def test_a_reopening_reaches_every_response(house: InstallationHarness) -> None:
    ref = house.declare("inform")
    attach(house, ref, "call")
    house.do(ref, Done, "fenglei", step="call:s/fix")
    house.do(ref, Close)
    house.turn()
    house.do(ref, Done, "alice", step="call:closing/report")
    house.turn()
    assert house.snapshot(ref).incident.status is IncidentStatus.COMPLETED
    house.do(ref, Reopen, reason="not over")
    house.turn()
    assert house.snapshot(ref, 1).response.finished_at is None
    house.wait(minutes=1)
    house.do(ref, Close)
    house.turn()
    assert house.snapshot(ref, 1).steps["closing/report#2"].status is StepStatus.OPEN
    assert house.snapshot(ref).incident.status is IncidentStatus.CLOSED, "completed only when all are finished"


def test_one_response_of_an_incident_keeps_the_watch_over_silence(house: InstallationHarness) -> None:
    ref = house.declare()
    attach(house, ref, "four-hour-response")
    assert [house.snapshot(ref, place).response.watches_updates for place in (0, 1)] == [True, False]


def test_a_correction_is_begun_by_hand_even_after_the_end(house: InstallationHarness) -> None:
    ref = house.declare()
    house.do(ref, Close, reason="over")
    house.turn()
    house.do(ref, Done, "alice", step="closing/report")
    house.turn()
    assert house.snapshot(ref).incident.status is IncidentStatus.COMPLETED
    house.wait(minutes=1)
    house.do(ref, Begin, "alice", stage="recall")
    house.turn()
    assert house.row(ref, step="recall/again").person == "chenyu"
    assert house.do(ref, Acknowledge, "chenyu", step="recall/again").status == "closed"


def test_mitigated_is_said_and_the_incident_goes_on(house: InstallationHarness) -> None:
    ref = house.declare()
    assert house.do(ref, Mitigate).status == "mitigated"
    assert house.snapshot(ref).steps["s/fix"].active


# --- bad input ---

OK = {"id": "d-1", "title": "Checkout is down", "playbook": "call"}
REFUSED = [
    ({"playbook": "four-hours"}, "no playbook 'four-hours': did you mean 'four-hour-response'"),
    ({"title": ""}, "the title is empty"),
    ({"title": "\x00\x1b\u200b"}, "the title is empty"),
    ({"title": "x" * 201}, "at most 200: put the rest into a note"),
    ({"title": "x" * 10_000_000}, "10000000 characters; at most 200"),
    ({"title": " " * 10_000_000}, "the title is empty"),
    ({"id": ""}, "1 to 64 printable characters"),
    ({"id": "x" * 65}, "1 to 64 printable characters"),
    ({"id": "a\x00b"}, "1 to 64 printable characters"),
    ({"since": pendulum.naive(2026, 11, 2, 2)}, "has no time zone"),
    ({"since": BEGAN.add(years=70)}, "is in the future"),
    ({"since": BEGAN.add(minutes=6)}, "is in the future"),
    ({"since": BEGAN.subtract(days=31)}, "more than 30 days ago"),
    ({"impact": Impact(customers=-1)}, "0 or more"),
    ({"impact": Impact(orders=10**30)}, "at most 10^15"),
    ({"pace": {"declared": 20.0}}, "only a drill"),
    ({"drill": True, "pace": {"declared": 0.0}}, "a pace is 1 to 10000"),
    ({"drill": True, "pace": {"sidereal": 2.0}}, "a pace is 1 to 10000 for a clock of"),
    ({"service": "x" * 81}, "the service has 81 characters"),
]


@pytest.mark.parametrize(("fields", "said"), REFUSED, ids=[said[:30] for _, said in REFUSED])
def test_a_declaration_that_cannot_be_is_refused_and_leaves_nothing(
    sqlite_house: InstallationHarness, fields: dict[str, Any], said: str
) -> None:
    house = sqlite_house
    with pytest.raises(CommandRefused) as refused:
        commands.declare(house.house, Declare(**{**OK, **fields}), house.now)
    assert said.replace("'", "") in str(refused.value).replace("'", "")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
    assert house.declare(**OK) == "INC-1", "nothing was begun, and the right one still can be"


def test_a_clock_a_little_ahead_is_taken_as_now(house: InstallationHarness) -> None:
    ref = house.declare(since=house.now + timedelta(minutes=4))
    assert house.snapshot(ref).incident.declared_at == BEGAN


def test_control_characters_and_lines_of_a_title_become_one_line(house: InstallationHarness) -> None:
    ref = house.declare(title="  Checkout\r\n\x00 is\t\x1b[31m <b>down</b> ")
    assert house.snapshot(ref).incident.title == "Checkout is [31m <b>down</b>"


def test_a_role_that_nobody_holds_is_named_before_anything_begins(house: InstallationHarness) -> None:
    path = house.house.settings.playbooks_dir / "call.yaml"
    path.write_text(path.read_text().replace("technology-lead", "technology-leed"))
    house.house.library._pace._last = None  # look at once, not within a second
    with pytest.raises(CommandRefused) as refused:
        house.declare()
    assert "no role 'technology-leed'" in str(refused.value)
    assert "technology-lead" in str(refused.value)


def test_a_command_id_that_no_database_takes_is_refused(house: InstallationHarness) -> None:
    ref = house.declare()
    for bad in ("", "x" * 65, "a\x00"):
        with pytest.raises(CommandRefused, match="1 to 64 printable characters"):
            house.do(ref, Note, id=bad, text="x")
