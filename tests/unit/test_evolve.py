"""How facts move state, where decisions and commands do not show it already."""

from __future__ import annotations

from typing import Any

import pytest

from domain.evolve import evolve_snapshot, parse_moment
from domain.facts import Fact, FactKind
from domain.incident import PublicationState, StepStatus
from tests.procedures import ANA, CAI, ESCALATION, playbook, statement, step
from tests.world import START, World

K = FactKind
SILENT = [
    K.NOTED, K.DECLARED, K.ATTACHED, K.WITHOUT_PREFECT, K.NOTICE_DEAD, K.NOTICE_UNKNOWN,
    K.PROMISED, K.FOLLOW_UP_BEGUN, K.FOLLOW_UP_STOPPED, K.FOLLOW_UP_GIVEN_UP, K.FOLLOW_UP_RESULT,
]  # fmt: skip


def begun() -> World:
    world = World(playbook(*statement(channels=("weibo",)), step("trace")))
    world.decide()
    return world


def after(world: World, kind: FactKind, name: str = "", by: str = "", **data: Any) -> World:
    world.snapshot = evolve_snapshot(world.snapshot, Fact(kind, world.now, name, by, data))
    return world


@pytest.mark.parametrize("kind", SILENT)
def test_facts_that_move_nothing(kind: FactKind) -> None:
    world = begun()
    before = world.snapshot
    assert after(world, kind, "s/trace").snapshot == before


def test_a_fact_of_a_step_that_is_not_there_moves_nothing() -> None:
    world = begun()
    before = world.snapshot
    assert after(world, K.DONE, "s/gone").snapshot == before


def test_the_snapshot_before_is_left_as_it_was() -> None:
    world = begun()
    before = world.snapshot
    after(world, K.ACKNOWLEDGED, "s/trace", CAI)
    assert before.steps["s/trace"].status is StepStatus.OPEN
    assert world.snapshot.steps["s/trace"].status is StepStatus.ACKNOWLEDGED


def test_a_call_while_acknowledged_leaves_the_holder() -> None:
    world = after(begun(), K.ACKNOWLEDGED, "s/trace", CAI)
    after(world, K.MISSED, "s/trace", told=[CAI, ANA], to=ANA)
    assert world.snapshot.steps["s/trace"].holder == CAI
    assert world.snapshot.steps["s/trace"].called == (CAI, ANA)


def test_a_deadline_missed_by_a_blocked_step_counts_no_call() -> None:
    world = begun()
    before = world.snapshot.steps["s/publish"].calls
    after(world, K.MISSED, "s/publish", waits_for="s/draft")
    assert world.snapshot.steps["s/publish"].missed_at == world.now
    assert world.snapshot.steps["s/publish"].calls == before


@pytest.mark.parametrize(
    ("kind", "posting"),
    [(K.ORDERED, "ordered"), (K.PUBLISHED, "published"), (K.IN_DOUBT, "unknown"), (K.PUBLISH_FAILED, "failed")],
)
def test_where_a_posting_stands(kind: FactKind, posting: str) -> None:
    world = after(begun(), kind, "s/publish", channel="weibo", receipt="id-1")
    assert world.snapshot.steps["s/publish"].postings == {"weibo": PublicationState(posting)}
    assert world.snapshot.steps["s/publish"].receipts == {"weibo": "id-1"}
    after(world, K.RETRIED, "s/publish", channel="weibo")
    assert world.snapshot.steps["s/publish"].postings == {}


def test_only_what_is_public_ends_the_silence() -> None:
    world = after(begun(), K.UPDATE_OVERDUE, level=1)
    assert world.snapshot.response.silence_level == 1
    after(world, K.IN_DOUBT, "s/publish", channel="weibo")
    assert world.snapshot.response.silence_level == 1
    after(world, K.PUBLISHED, "s/publish", channel="weibo")
    assert world.snapshot.response.silence_level == 0
    assert world.snapshot.incident.last_public_at == world.now


def test_a_step_that_begins_again_forgets_who_was_called_and_keeps_its_count() -> None:
    """The count makes the next call's key a new one."""
    world = World(ESCALATION)
    world.live(START.add(minutes=6) - START)
    state = world.snapshot.steps["s/trace"]
    assert (state.calls, len(state.called)) == (2, 2)
    after(world, K.ABANDONED, "s/trace")
    after(world, K.RESUMED, "s/trace")
    again = world.snapshot.steps["s/trace"]
    assert (again.status, again.called, again.level, again.calls) == (StepStatus.WAITING, (), 0, 2)
    assert again.due_at == state.due_at


def test_a_moment_is_a_point_in_time() -> None:
    assert parse_moment("2026-03-14T03:00:00+00:00") == START
    with pytest.raises(TypeError, match="'P1D' is not a point in time"):
        parse_moment("P1D")
