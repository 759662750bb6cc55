"""What a decision does about silence and about the end of an incident, one sentence a case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.commands import Acknowledge, Begin, Cancel, Close, Done, Mitigate, Reopen
from domain.facts import FactKind
from domain.incident import IncidentStatus, PublicationState, StepStatus
from domain.notifications import NotificationPurpose
from domain.playbook import Stage, UpdateWatch
from domain.text import Text
from tests.procedures import ANA, CAI, EVA, approved, calls, give, kinds, m, playbook, said, statement, step
from tests.world import START, World

K, P = FactKind, NotificationPurpose


# --- never silent ---

SILENT = UpdateWatch(within=m(60), then=m(15), first="incident-commander", after="executive")


def test_silence_reminds_the_commander_then_the_executive_and_goes_on() -> None:
    world = World(playbook(step(due=m(600)), ends=m(600), never_silent=SILENT))
    world.live(m(200))
    assert [call for call in calls(world) if call[2] is P.UPDATE_OVERDUE] == [
        (60, ANA, P.UPDATE_OVERDUE),
        (75, EVA, P.UPDATE_OVERDUE),
        (75, ANA, P.UPDATE_OVERDUE),
        (135, EVA, P.UPDATE_OVERDUE),
        (135, ANA, P.UPDATE_OVERDUE),
        (195, EVA, P.UPDATE_OVERDUE),
        (195, ANA, P.UPDATE_OVERDUE),
    ]


def test_a_word_in_public_starts_the_silence_anew_from_the_first_rung() -> None:
    world = World(playbook(*statement(channels=("weibo",)), ends=m(600), never_silent=SILENT))
    world.live(m(80))
    approved(world)
    world.decide()
    world.record_publication_outcomes()
    world.notices.clear()
    world.live(m(61))
    assert calls(world) == [(140, ANA, P.UPDATE_OVERDUE)]


def test_a_response_that_does_not_keep_the_watch_says_nothing() -> None:
    world = World(playbook(step(due=m(600)), ends=m(600), never_silent=SILENT))
    world.snapshot = replace(world.snapshot, response=replace(world.snapshot.response, watches_updates=False))
    world.live(m(200))
    assert P.UPDATE_OVERDUE not in {purpose for _, _, purpose in calls(world)}


# --- the end of an incident ---

CLOSING = Stage("closing", Text("c"), (step("report", due=m(30)),), ends=m(30), clock="closed")
RECALL = Stage("recall", Text("r"), (step("again", due=m(20)),), ends=m(20), on_demand=True)
WHOLE = playbook(step(ack_within=m(5), due=m(60)), more=(CLOSING, RECALL), never_silent=SILENT)


def test_a_close_abandons_what_is_open_says_why_and_lays_out_the_closing() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="false alarm")
    decision = world.decide()
    assert [f.data["because"] for f in decision.facts if f.kind is K.ABANDONED] == ["the incident is closed"]
    assert decision.snapshot.steps["closing/report"].due_at == START.add(minutes=30)
    assert said(decision.notices) == [(CAI, P.ASSIGN)]
    world.live(m(29))
    assert {notice.step for _, notice in world.notices[1:]} == {"closing/report"}


def test_a_reopening_resumes_the_original_clocks_and_stops_the_closing() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.after(m(10))
    give(world, Reopen, ANA, reason="not over")
    decision = world.decide()
    assert decision.snapshot.steps["s/trace"].due_at == START.add(minutes=60)
    assert decision.snapshot.steps["closing/report"].status is StepStatus.ABANDONED
    assert said(decision.notices) == [(CAI, P.ASSIGN)]


def test_what_is_past_when_reopened_is_late() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.after(m(90))
    give(world, Reopen, ANA, reason="not over")
    assert (CAI, P.OVERDUE) in said(world.decide().notices)


def test_a_second_close_lays_the_closing_out_anew() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.after(m(10))
    give(world, Reopen, ANA, reason="not over")
    world.after(m(10))
    give(world, Close, ANA, reason="over indeed")
    decision = world.decide()
    assert decision.snapshot.steps["closing/report#2"].due_at == START.add(minutes=50)
    assert decision.snapshot.steps["closing/report#2"].status is StepStatus.OPEN


def test_a_response_that_was_finished_is_under_way_again_after_a_reopening() -> None:
    """Also the one beside the one that took the command: its second close is laid out and waited for."""
    world = World(WHOLE)
    world.decide()
    give(world, Done, CAI, "s/trace")
    give(world, Close, ANA)
    world.decide()
    give(world, Done, CAI, "closing/report")
    world.decide()
    assert world.snapshot.incident.status is IncidentStatus.COMPLETED
    before = replace(world.snapshot.incident, status=IncidentStatus.OPEN, closed_at=None)
    world.snapshot = replace(world.snapshot, incident=before)  # reopened by a command to another response
    world.decide()
    assert world.snapshot.response.finished_at is None
    world.now = world.now.add(minutes=5)
    give(world, Close, ANA)
    assert world.decide().snapshot.steps["closing/report#2"].status is StepStatus.OPEN


def test_a_cancellation_ends_everything_at_once() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Cancel, ANA, reason="declared in error")
    decision = world.decide()
    assert not decision.notices
    assert decision.wake_at is None
    assert not any(state.active for state in decision.snapshot.steps.values())
    assert world.snapshot.incident.status is IncidentStatus.CANCELLED


def test_nobody_is_reminded_of_silence_once_it_is_over() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.live(m(200))
    assert P.UPDATE_OVERDUE not in {purpose for _, _, purpose in calls(world)}


def test_the_incident_is_completed_when_all_its_responses_are_finished() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.decide()
    give(world, Done, CAI, "closing/report")
    world.snapshot = replace(world.snapshot, response=replace(world.snapshot.response, others_finished=False))
    assert K.COMPLETED not in [fact.kind for fact in world.decide().facts]
    assert world.snapshot.response.finished_at == world.now
    assert world.snapshot.incident.status is IncidentStatus.CLOSED


def test_the_last_response_to_finish_completes_the_incident() -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.decide()
    assert K.COMPLETED not in kinds(world)
    give(world, Done, CAI, "closing/report")
    world.decide()
    assert world.snapshot.incident.status is IncidentStatus.COMPLETED


def test_a_mitigation_starts_the_stages_of_its_clock() -> None:
    after = Stage("after", Text("a"), (step("watch", due=m(20)),), ends=m(20), clock="mitigated")
    world = World(playbook(step(), more=(after,)))
    world.live(m(10))
    give(world, Mitigate, ANA)
    assert world.decide().snapshot.steps["after/watch"].due_at == START.add(minutes=30)


@pytest.mark.parametrize("completed", [False, True])
def test_a_correction_can_be_begun_and_done_after_the_close(completed: bool) -> None:
    world = World(WHOLE)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.decide()
    if completed:
        give(world, Done, CAI, "closing/report")
        world.decide()
    world.now = world.now.add(minutes=1)
    give(world, Begin, ANA, stage="recall")
    assert (CAI, P.ASSIGN) in said(world.decide().notices)
    give(world, Acknowledge, CAI, "recall/again")
    give(world, Done, CAI, "recall/again")
    if not completed:
        give(world, Done, CAI, "closing/report")
    world.decide()
    assert world.snapshot.incident.status is IncidentStatus.COMPLETED


def test_a_stage_on_demand_is_not_begun_by_itself() -> None:
    world = World(WHOLE)
    world.live(m(300))
    assert "recall/again" not in world.snapshot.steps


def test_a_published_text_that_is_abandoned_is_not_ordered_again_when_reopened() -> None:
    world = World(playbook(*statement(channels=("weibo", "website-en"))))
    world.decide()
    approved(world)
    world.decide()
    give(world, Close, ANA, reason="over")
    world.decide()
    world.record_publication_outcomes()
    give(world, Reopen, ANA, reason="not over")
    decision = world.decide()
    assert not decision.publications
    assert decision.snapshot.steps["s/publish"].postings == {
        "weibo": PublicationState.PUBLISHED,
        "website-en": PublicationState.PUBLISHED,
    }
