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
from tests.installations import BEGAN, InstallationHarness, installation_fixture, sqlite_installation_fixture  # noqa: F401


def attach(
    installation: InstallationHarness, ref: str, playbook: str = "say", **fields: object
) -> commands.CommandResult:
    given = {"id": str(uuid.uuid4()), "incident": ref, "playbook": playbook, **fields}
    return commands.attach_playbook(installation.installation, Attach(**given), installation.now)  # type: ignore[arg-type]


def test_a_declaration_owes_its_first_notice_when_it_returns(installation: InstallationHarness) -> None:
    ref = installation.declare()
    assert ref == "INC-1"
    row = installation.row(ref)
    assert (row.person, row.channel, row.purpose, row.state) == ("fenglei", "fenglei", "assign", "pending")
    assert row.key == "INC-1/call/s/fix/assign/1/fenglei/fenglei/1"
    assert [fact.kind for fact in installation.facts(ref)][:3] == ["declared", "stage-begun", "step-opened"]
    assert installation.verified(ref) is None


def test_the_same_id_twice_is_the_same_incident(installation: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    assert installation.declare(id=same) == installation.declare(id=same, title="told again") == "INC-1"
    assert installation.declare() == "INC-2"
    assert len(installation.facts("INC-1", "declared")) == 1


def test_the_same_id_at_the_same_moment_from_eight_callers_is_one_incident(installation: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(lambda _: installation.declare(id=same), range(8)))
    assert len(refs) == 1
    assert len(installation.rows(refs.pop())) == 1


def test_many_at_once_have_each_a_reference_of_their_own(installation: InstallationHarness) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(lambda _: installation.declare(), range(40)))
    assert len(refs) == 40
    assert all(installation.verified(ref) is None for ref in refs)


def test_declared_together_each_gets_its_own_answer(installation: InstallationHarness) -> None:
    good = [Declare(id=f"d-{i}", title=f"No. {i}", playbook="call") for i in range(3)]
    bad = Declare(id="d-bad", title="x", playbook="nothing")
    answers = commands.declare_batch(
        installation.installation, [good[0], bad, good[1], good[0], good[2]], installation.now
    )
    done = "CommandResult"
    assert [type(answer).__name__ for answer in answers] == [done, "CommandRefused", done, done, done]
    assert [a.ref for a in answers if isinstance(a, commands.CommandResult)] == ["INC-1", "INC-2", "INC-1", "INC-3"]
    assert installation.snapshot("INC-2").incident.title == "No. 1"


def test_a_command_twice_is_one_fact(installation: InstallationHarness) -> None:
    ref, same = installation.declare(), str(uuid.uuid4())
    first = installation.do(ref, Note, "alice", id=same, text="seen")
    again = installation.do(ref, Note, "alice", id=same, text="seen")
    assert (first.changed, again.changed) == (True, False)
    assert len(installation.facts(ref, "noted")) == 1


def test_a_refused_command_changes_nothing_and_may_be_given_again(installation: InstallationHarness) -> None:
    ref, same = installation.declare(), str(uuid.uuid4())
    facts, rows = installation.facts(ref), installation.rows(ref)
    with pytest.raises(CommandRefused):
        installation.do(ref, Close, id=same)
    assert (installation.facts(ref), installation.rows(ref)) == (facts, rows)
    assert installation.do(ref, Close, id=same, reason="false alarm").changed


def test_an_acknowledgement_withdraws_what_is_not_on_its_way_yet(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.do(ref, Acknowledge, "fenglei", step="fix")
    assert installation.row(ref).state == "cancelled"
    assert installation.snapshot(ref).steps["s/fix"].status is StepStatus.ACKNOWLEDGED


def test_an_incident_is_found_by_reference_number_and_id(installation: InstallationHarness) -> None:
    same = str(uuid.uuid4())
    installation.declare(id=same)
    for name in ("INC-1", "inc-1", "1", " INC-1 ", same):
        assert installation.do(name, Note, text="x").ref == "INC-1"
    for name in ("INC-2", "", "x" * 500, "INC-1\x00", "'; drop table incident; --"):
        with pytest.raises(UnknownIncident) as error:
            installation.do(name, Note, text="x")
        assert "\n" not in str(error.value)


def test_back_dated_the_clock_runs_from_then(installation: InstallationHarness) -> None:
    ref = installation.declare(since=installation.now.subtract(minutes=30))
    assert installation.snapshot(ref).steps["s/fix"].due_at == BEGAN.add(minutes=10)


def test_an_impact_moves_the_incident_to_the_front(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.do(ref, SetImpact, impact=Impact(customers=900))
    assert installation.snapshot(ref).incident.impact.customers == 900
    installation.wait(minutes=5)
    installation.turn()
    first, second = installation.rows(ref)
    assert second.rank < first.rank


# --- two playbooks on one incident ---


def test_an_attached_playbook_has_a_clock_of_its_own(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=20)
    assert attach(installation, ref, since=installation.now.subtract(minutes=10)).changed
    assert installation.snapshot(ref, 1).steps["s/write"].due_at == BEGAN.add(minutes=30)
    assert installation.snapshot(ref, 0).steps["s/fix"].due_at == BEGAN.add(minutes=40)
    assert installation.row(ref, step="s/write").person == "chenyu"
    assert installation.facts(ref, "playbook-attached")


def test_a_playbook_is_attached_once_and_only_while_it_runs(installation: InstallationHarness) -> None:
    ref, same = installation.declare(), str(uuid.uuid4())
    attach(installation, ref, id=same)
    assert not attach(installation, ref, id=same).changed
    with pytest.raises(CommandRefused, match="already runs say"):
        attach(installation, ref)
    installation.do(ref, Cancel, reason="in error")
    with pytest.raises(CommandRefused, match="is cancelled: a playbook is attached to a running incident"):
        attach(installation, ref, "inform")


def test_a_step_is_named_with_its_playbook_where_two_have_stages_of_one_name(installation: InstallationHarness) -> None:
    ref = installation.declare()
    attach(installation, ref, "service-outage")
    step = next(name for name, s in installation.snapshot(ref, 1).steps.items() if s.status is StepStatus.OPEN)
    installation.do(ref, Acknowledge, "erik", step=f"service-outage:{step}")
    assert installation.snapshot(ref, 1).steps[step].holder == "erik"
    assert installation.snapshot(ref, 0).steps["s/fix"].status is StepStatus.OPEN
    with pytest.raises(CommandRefused, match="INC-1 runs no playbook 'nothing'"):
        installation.do(ref, Acknowledge, "erik", step="nothing:s/fix")


def test_a_close_asks_why_for_the_open_steps_of_every_response(installation: InstallationHarness) -> None:
    ref = installation.declare()
    attach(installation, ref)
    installation.do(ref, Done, "fenglei", step="call:s/fix")
    with pytest.raises(CommandRefused, match="3 steps are not done"):
        installation.do(ref, Close)
    installation.do(ref, Close, reason="over")
    assert installation.facts(ref, "closed")[0].data["left"] == ["s/write", "s/pass", "s/post"]
    installation.turn()
    assert installation.snapshot(ref, 1).steps["s/write"].status is StepStatus.ABANDONED


def test_a_reopening_reaches_every_response(installation: InstallationHarness) -> None:
    ref = installation.declare("inform")
    attach(installation, ref, "call")
    installation.do(ref, Done, "fenglei", step="call:s/fix")
    installation.do(ref, Close)
    installation.turn()
    installation.do(ref, Done, "alice", step="call:closing/report")
    installation.turn()
    assert installation.snapshot(ref).incident.status is IncidentStatus.COMPLETED
    installation.do(ref, Reopen, reason="not over")
    installation.turn()
    assert installation.snapshot(ref, 1).response.finished_at is None
    installation.wait(minutes=1)
    installation.do(ref, Close)
    installation.turn()
    assert installation.snapshot(ref, 1).steps["closing/report#2"].status is StepStatus.OPEN
    assert installation.snapshot(ref).incident.status is IncidentStatus.CLOSED, "completed only when all are finished"


def test_one_response_of_an_incident_keeps_the_watch_over_silence(installation: InstallationHarness) -> None:
    ref = installation.declare()
    attach(installation, ref, "four-hour-response")
    assert [installation.snapshot(ref, place).response.watches_updates for place in (0, 1)] == [True, False]


def test_a_correction_is_begun_by_hand_even_after_the_end(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.do(ref, Close, reason="over")
    installation.turn()
    installation.do(ref, Done, "alice", step="closing/report")
    installation.turn()
    assert installation.snapshot(ref).incident.status is IncidentStatus.COMPLETED
    installation.wait(minutes=1)
    installation.do(ref, Begin, "alice", stage="recall")
    installation.turn()
    assert installation.row(ref, step="recall/again").person == "chenyu"
    assert installation.do(ref, Acknowledge, "chenyu", step="recall/again").status == "closed"


def test_mitigated_is_said_and_the_incident_goes_on(installation: InstallationHarness) -> None:
    ref = installation.declare()
    assert installation.do(ref, Mitigate).status == "mitigated"
    assert installation.snapshot(ref).steps["s/fix"].active


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
    sqlite_installation: InstallationHarness, fields: dict[str, Any], said: str
) -> None:
    installation = sqlite_installation
    with pytest.raises(CommandRefused) as refused:
        commands.declare(installation.installation, Declare(**{**OK, **fields}), installation.now)
    assert said.replace("'", "") in str(refused.value).replace("'", "")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
    assert installation.declare(**OK) == "INC-1", "nothing was begun, and the right one still can be"


def test_a_clock_a_little_ahead_is_taken_as_now(installation: InstallationHarness) -> None:
    ref = installation.declare(since=installation.now + timedelta(minutes=4))
    assert installation.snapshot(ref).incident.declared_at == BEGAN


def test_control_characters_and_lines_of_a_title_become_one_line(installation: InstallationHarness) -> None:
    ref = installation.declare(title="  Checkout\r\n\x00 is\t\x1b[31m <b>down</b> ")
    assert installation.snapshot(ref).incident.title == "Checkout is [31m <b>down</b>"


def test_a_role_that_nobody_holds_is_named_before_anything_begins(installation: InstallationHarness) -> None:
    path = installation.installation.settings.playbooks_dir / "call.yaml"
    path.write_text(path.read_text().replace("technology-lead", "technology-leed"))
    installation.installation.library._pace._last = None  # look at once, not within a second
    with pytest.raises(CommandRefused) as refused:
        installation.declare()
    assert "no role 'technology-leed'" in str(refused.value)
    assert "technology-lead" in str(refused.value)


def test_a_command_id_that_no_database_takes_is_refused(installation: InstallationHarness) -> None:
    ref = installation.declare()
    for bad in ("", "x" * 65, "a\x00"):
        with pytest.raises(CommandRefused, match="1 to 64 printable characters"):
            installation.do(ref, Note, id=bad, text="x")
