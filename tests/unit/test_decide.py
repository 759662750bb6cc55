"""What a decision does, one sentence a case: who is called, when, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.commands import Acknowledge, Done, Reassign
from domain.facts import FactKind
from domain.incident import StepStatus
from domain.notifications import NotificationPurpose
from domain.playbook import StepKind
from domain.roster import Role
from tests.procedures import (
    ANA,
    BEN,
    CAI,
    DAN,
    ESCALATION,
    EVA,
    FU,
    LAST,
    calls,
    give,
    kinds,
    m,
    playbook,
    said,
    step,
)
from tests.world import START, World, roster

K, P = FactKind, NotificationPurpose


# --- escalation ---


def test_the_owner_is_called_when_the_step_opens() -> None:
    world = World(ESCALATION)
    decision = world.decide()
    assert said(decision.notices) == [(CAI, P.ASSIGN)]
    assert decision.notices[0].urgent
    assert str(decision.notices[0].because) == "It is yours now."
    assert decision.wake_at == START.add(minutes=5)


def test_a_step_is_not_opened_before_its_hour() -> None:
    world = World(playbook(step(opens=m(10), due=m(60))))
    assert not world.decide().notices
    assert world.decide().wake_at == START.add(minutes=10)
    assert not world.after(m(10) - timedelta(seconds=1)).notices
    assert said(world.after(timedelta(seconds=1)).notices) == [(CAI, P.ASSIGN)]


def test_nobody_acknowledging_calls_backup_commander_and_last_resort_each_after_the_whole_time() -> None:
    world = World(ESCALATION)
    world.live(m(59))
    assert calls(world) == [
        (0, CAI, P.ASSIGN),
        (5, DAN, P.BACKUP),
        (10, ANA, P.COMMANDER),
        (15, LAST, P.LAST_RESORT),
    ]


def test_each_rung_says_who_was_silent_and_for_how_long() -> None:
    world = World(ESCALATION)
    world.live(m(16))
    assert [str(notice.because) for _, notice in world.notices[1:]] == [
        "Cai has not acknowledged within 5m.", "Dan has not acknowledged within 5m.",
        "Ana has not acknowledged within 5m.",
    ]  # fmt: skip


def test_a_drill_at_speed_says_the_time_as_people_would_live_it() -> None:
    world = World(ESCALATION, drill=True, pace={"declared": 60.0})
    world.decide()
    decision = world.after(timedelta(seconds=5))
    assert [str(notice.because) for notice in decision.notices] == ["Cai has not acknowledged within 5m."]


@pytest.mark.parametrize("minute", [0, 4, 7, 12, 20])
def test_an_acknowledgement_stops_the_ladder_wherever_it_stands(minute: int) -> None:
    world = World(ESCALATION)
    world.live(m(minute))
    before = len(world.notices)
    give(world, Acknowledge, DAN, "s/trace")
    world.live(m(59 - minute))
    assert len(world.notices) == before


def test_a_second_before_the_time_nobody_else_is_called() -> None:
    world = World(ESCALATION)
    world.decide()
    assert not world.after(m(5) - timedelta(seconds=1)).notices
    assert said(world.after(timedelta(seconds=1)).notices) == [(DAN, P.BACKUP)]


def test_without_a_time_to_acknowledge_nobody_else_is_called_before_the_deadline() -> None:
    world = World(playbook(step(due=m(60))))
    world.live(m(59))
    assert calls(world) == [(0, CAI, P.ASSIGN)]


def test_whoever_holds_two_rungs_is_called_once() -> None:
    people = roster()
    roles = {**people.roles, "technology-lead": Role("technology-lead", "t", CAI, ANA)}
    world = World(ESCALATION, people=replace(people, roles=roles))
    world.live(m(59))
    assert calls(world) == [(0, CAI, P.ASSIGN), (5, ANA, P.BACKUP), (10, LAST, P.LAST_RESORT)]


def test_the_backup_role_of_a_step_comes_before_the_backup_of_its_role() -> None:
    world = World(playbook(step(ack_within=m(5), backup="executive")))
    world.live(m(6))
    assert calls(world)[1] == (5, EVA, P.BACKUP)


def test_a_roster_changed_since_counts_at_the_next_rung() -> None:
    world = World(ESCALATION)
    world.decide()
    people = world.snapshot.roster
    roles = {**people.roles, "technology-lead": Role("technology-lead", "t", CAI, FU)}
    world.snapshot = replace(world.snapshot, roster=replace(people, roles=roles))
    assert said(world.after(m(5)).notices) == [(FU, P.BACKUP)]


def test_a_rung_that_was_climbed_is_not_climbed_again_whoever_holds_it_now() -> None:
    world = World(ESCALATION)
    world.live(m(6))
    people = world.snapshot.roster
    roles = {**people.roles, "technology-lead": Role("technology-lead", "t", EVA, FU)}
    world.snapshot = replace(world.snapshot, roster=replace(people, roles=roles))
    world.live(m(5))
    assert calls(world)[2:] == [(10, ANA, P.COMMANDER)]


def test_an_empty_role_calls_the_next_rung_at_once_and_says_why() -> None:
    people = roster()
    roles = {name: role for name, role in people.roles.items() if name != "technology-lead"}
    world = World(ESCALATION, people=replace(people, roles=roles))
    decision = world.decide()
    assert said(decision.notices) == [(ANA, P.COMMANDER)]
    assert str(decision.notices[0].because) == "Nobody holds the role technology-lead; you are next."


def test_with_nobody_in_any_role_the_step_still_opens_and_misses_its_deadline() -> None:
    world = World(ESCALATION, people=roster(roles={}))
    world.live(m(61))
    assert not world.notices
    assert K.MISSED in kinds(world, "s/trace")


# --- reminders, deadlines ---


def test_an_acknowledged_step_reminds_its_holder_alone() -> None:
    world = World(playbook(step(ack_within=m(5), remind=m(10), due=m(40))))
    world.decide()
    give(world, Acknowledge, DAN, "s/trace")
    world.live(m(39))
    assert calls(world)[1:] == [(10, DAN, P.REMIND), (20, DAN, P.REMIND), (30, DAN, P.REMIND)]


def test_when_everyone_was_called_in_vain_the_last_and_the_owner_are_reminded() -> None:
    world = World(playbook(step(ack_within=m(5), remind=m(20), due=m(60))))
    world.live(m(36))
    assert calls(world)[4:] == [(35, LAST, P.REMIND), (35, CAI, P.REMIND)]


def test_nobody_is_reminded_while_the_ladder_is_climbed() -> None:
    world = World(playbook(step(ack_within=m(10), remind=m(3), due=m(60))))
    world.live(m(29))
    assert P.REMIND not in {purpose for _, _, purpose in calls(world)}


def test_a_deadline_is_a_fact_and_one_call_to_each_whose_business_it_is() -> None:
    world = World(playbook(step(due=m(30))))
    world.live(m(120))
    assert calls(world)[1:] == [(30, CAI, P.OVERDUE), (30, DAN, P.OVERDUE), (30, ANA, P.OVERDUE)]
    assert [fact.at for fact in world.facts if fact.kind is K.MISSED] == [START.add(minutes=30)]


def test_a_deadline_met_to_the_second_is_not_missed() -> None:
    world = World(playbook(step(due=m(30))))
    world.decide()
    world.after(m(30) - timedelta(seconds=1))
    give(world, Done, CAI, "s/trace")
    assert K.MISSED not in kinds(world)
    assert not world.after(m(60)).notices


def test_a_deadline_and_a_rung_due_at_once_are_one_call_the_weightier() -> None:
    world = World(playbook(step(ack_within=m(30), due=m(30))))
    world.decide()
    assert {purpose for _, purpose in said(world.after(m(30)).notices)} == {P.OVERDUE}


def test_a_blocked_step_misses_its_deadline_without_a_second_call() -> None:
    world = World(playbook(step("first", due=m(30)), step("second", due=m(30), needs=("first",), owner="executive")))
    world.live(m(31))
    missed = {fact.step: fact.data for fact in world.facts if fact.kind is K.MISSED}
    assert missed["s/second"] == {"waits_for": "s/first"}
    assert EVA not in {person for _, person, _ in calls(world)}


def test_a_step_opened_after_its_deadline_gives_one_overdue_call() -> None:
    world = World(playbook(step("first", due=m(30)), step("second", due=m(40), needs=("first",), owner="executive")))
    world.live(m(50))
    before = len(world.notices)
    give(world, Done, CAI, "s/first")
    decision = world.decide()
    assert said(decision.notices) == [(EVA, P.OVERDUE), (ANA, P.OVERDUE)]
    assert str(decision.notices[0].because) == "Its deadline has passed and it is only open now."
    world.live(m(60))
    assert len(world.notices) == before + 2


def test_a_decision_taken_hours_late_gives_one_current_call_and_not_those_missed() -> None:
    world = World(playbook(step(ack_within=m(5), remind=m(10), due=m(60))))
    world.decide()
    decision = world.after(m(300))
    assert said(decision.notices) == [(CAI, P.OVERDUE), (DAN, P.OVERDUE), (ANA, P.OVERDUE)]


def test_a_step_waits_for_what_it_needs_and_says_so() -> None:
    world = World(playbook(step("first"), step("second", needs=("first",), owner="executive")))
    decision = world.decide()
    assert said(decision.notices) == [(CAI, P.ASSIGN)]
    assert "waits for s/first" in {str(why.reason) for why in decision.reasons}
    give(world, Done, CAI, "s/first")
    assert said(world.decide().notices) == [(EVA, P.ASSIGN)]


# --- hand-over ---


def test_a_reassigned_step_calls_the_new_holder_and_climbs_from_there() -> None:
    world = World(ESCALATION)
    world.live(m(6))
    give(world, Reassign, ANA, "s/trace", to=FU)
    decision = world.decide()
    assert said(decision.notices) == [(FU, P.REASSIGN)]
    assert decision.wake_at == START.add(minutes=11)
    world.live(m(6))
    assert calls(world)[-1] == (11, DAN, P.BACKUP)


def test_a_step_reassigned_before_its_hour_calls_the_new_owner_when_it_opens() -> None:
    world = World(playbook(step(opens=m(10), due=m(60))))
    world.decide()
    give(world, Reassign, ANA, "s/trace", to=FU)
    assert not world.decide().notices
    assert said(world.after(m(10)).notices) == [(FU, P.ASSIGN)]


def test_an_acknowledged_step_that_is_reassigned_must_be_acknowledged_anew() -> None:
    world = World(ESCALATION)
    world.decide()
    give(world, Acknowledge, CAI, "s/trace")
    give(world, Reassign, ANA, "s/trace", to=FU)
    world.live(m(6))
    assert calls(world)[1:] == [(0, FU, P.REASSIGN), (5, DAN, P.BACKUP)]


# --- when, tell, brief, rounds ---


def test_a_step_that_will_be_skipped_misses_no_deadline_while_it_waits() -> None:
    """It waits for what comes after its own deadline, and this incident does not have it: nobody is called for it."""
    plan = playbook(step(due=m(40)), step("elsewhere", needs=("trace",), when={"kind": ("outage",)}, due=m(10)))
    world = World(plan, kind="complaint")
    world.live(m(30))
    assert [fact.kind for fact in world.facts if fact.step == "s/elsewhere" and fact.kind is FactKind.MISSED] == []
    assert [notice for _, notice in world.notices if notice.step == "s/elsewhere"] == []


@pytest.mark.parametrize(("kind", "status"), [("outage", StepStatus.OPEN), ("rumour", StepStatus.SKIPPED)])
def test_a_step_whose_condition_does_not_hold_is_skipped_and_opens_what_needs_it(kind: str, status: StepStatus) -> None:
    plan = playbook(step(when={"kind": ("outage",)}), step("next", needs=("trace",), owner="executive"))
    world = World(plan, kind=kind)
    decision = world.decide()
    assert decision.snapshot.steps["s/trace"].status is status
    assert ((EVA, P.ASSIGN) in said(decision.notices)) is (status is StepStatus.SKIPPED)


@pytest.mark.parametrize("drill", [True, False])
def test_a_condition_may_ask_whether_it_is_a_drill(drill: bool) -> None:
    world = World(playbook(step(when={"drill": ("true",)})), drill=drill)
    assert bool(world.decide().notices) is drill


@pytest.mark.parametrize(("brief", "purpose"), [(False, P.INFORM), (True, P.BRIEF)])
def test_a_notice_step_tells_everyone_named_and_is_done(brief: bool, purpose: NotificationPurpose) -> None:
    world = World(playbook(step("tell", StepKind.TELL, owner="front-line", tell=("executive", "pr-lead"), brief=brief)))
    decision = world.decide()
    assert said(decision.notices) == [(FU, purpose), (EVA, purpose), (BEN, purpose)]
    assert not any(notice.urgent for notice in decision.notices)
    assert decision.snapshot.steps["s/tell"].status is StepStatus.DONE


def test_others_are_told_when_a_step_begins_and_nobody_twice() -> None:
    world = World(playbook(step(tell=("executive", "technology-lead"))))
    assert said(world.decide().notices) == [(CAI, P.ASSIGN), (EVA, P.INFORM)]


ROUNDS = playbook(step("write", due=m(15)), starts=m(60), repeat=m(30), ends=m(180))


def test_rounds_are_laid_out_each_on_its_time_and_the_one_before_is_superseded() -> None:
    world = World(ROUNDS)
    world.live(m(200))
    begun = [(f.data["round"], f.at) for f in world.facts if f.kind is K.STAGE_BEGUN]
    assert begun == [(1 + i, START.add(minutes=60 + 30 * i)) for i in range(4)]
    assert [world.snapshot.steps[name].status for name in ("s/write", "s/write#2", "s/write#3")] == [
        StepStatus.SUPERSEDED
    ] * 3
    assert world.snapshot.steps["s/write#2"].due_at == START.add(minutes=105)


def test_after_downtime_only_the_current_round_is_laid_out() -> None:
    world = World(ROUNDS)
    world.decide()
    decision = world.after(m(155))
    assert [(f.data["round"], f.data["skipped"]) for f in decision.facts if f.kind is K.STAGE_BEGUN] == [(4, 3)]
    assert said(decision.notices) == [(CAI, P.ASSIGN)]


def test_a_round_done_in_time_is_not_superseded() -> None:
    world = World(ROUNDS)
    world.live(m(61))
    give(world, Done, CAI, "s/write")
    world.live(m(60))
    assert world.snapshot.steps["s/write"].status is StepStatus.DONE
