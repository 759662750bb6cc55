"""What must hold for every sound playbook, every sequence of commands and every lateness."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from domain.commands import (
    Acknowledge,
    Approve,
    Begin,
    Cancel,
    Close,
    Done,
    Draft,
    Mitigate,
    Note,
    Reassign,
    Reject,
    Reopen,
    Retry,
)  # fmt: skip
from domain.decide import decide
from domain.durations import later
from domain.evolve import evolve_snapshot
from domain.facts import FactKind
from domain.incident import ACTIVE_STATUSES, IncidentStatus, StepStatus
from domain.notifications import UNTIL_ACKNOWLEDGED, NotificationPurpose
from domain.playbook import PERSON_STEPS, Playbook, StepKind
from tests.strategies import playbooks
from tests.world import PEOPLE, World

K = FactKind
CALLS = UNTIL_ACKNOWLEDGED | {NotificationPurpose.REMIND, NotificationPurpose.OVERDUE}

moves = st.sampled_from(
    ["ack", "ack", "done", "done", "draft", "draft", "approve", "approve", "reject", "reassign", "settle", "settle",
     "doubt", "retry", "mitigate", "close", "reopen", "begin", "note", "cancel", "wait", "wait", "wait", "wait"]
)  # fmt: skip
scripts = st.lists(st.tuples(moves, st.integers(0, 50), st.sampled_from(PEOPLE), st.integers(0, 7_200)), max_size=40)


MOVE_KINDS = {
    "ack": PERSON_STEPS,
    "done": PERSON_STEPS | {StepKind.PUBLISH},
    "draft": {StepKind.DRAFT},
    "approve": {StepKind.APPROVE},
    "reject": {StepKind.APPROVE},
    "retry": {StepKind.PUBLISH},
    "reassign": PERSON_STEPS,
}


def likely(world: World, move: str) -> list[str]:
    """Steps on which the move is probably legal: without them random histories would hardly move."""
    begun = [s for s in world.snapshot.steps.values() if s.status in (StepStatus.OPEN, StepStatus.ACKNOWLEDGED)]
    return [s.id for s in begun if world.snapshot.plan(s).kind in MOVE_KINDS.get(move, PERSON_STEPS)]


def play(world: World, move: str, pick: int, who: str) -> None:
    """One random move; illegal ones are refused and change nothing."""
    steps = likely(world, move) if pick % 5 else list(world.snapshot.steps)
    step = steps[pick % len(steps)] if steps else "none/none"
    state = world.snapshot.steps.get(step)
    common: dict[str, Any] = {"id": str(uuid.uuid4()), "incident": "INC-1", "by": who}
    if move == "settle":
        world.record_publication_outcomes()
        return
    if move == "doubt":
        world.record_publication_outcomes(K.IN_DOUBT)
        return
    related = world.snapshot.related(state, world.snapshot.plan(state).of or "") if state else None
    channels = list(state.postings) if state else []
    stages = [stage.id for stage in world.snapshot.response.playbook.stages if stage.on_demand]
    made: dict[str, Callable[[], Any]] = {
        "ack": lambda: Acknowledge(step=step, **common),
        "done": lambda: Done(step=step, evidence="https://example.org/proof", **common),
        "draft": lambda: Draft(step=step, texts={"en": f"text {pick}"}, amount=pick * 1_000, **common),
        "approve": lambda: Approve(step=step, digest=related.digest if related else "", **common),
        "reject": lambda: Reject(step=step, reason="say it plainly", **common),
        "reassign": lambda: Reassign(step=step, to=PEOPLE[pick % len(PEOPLE)], **common),
        "retry": lambda: Retry(step=step, channel=channels[0] if channels else "none", **common),
        "mitigate": lambda: Mitigate(**common),
        "close": lambda: Close(reason="over", **common),
        "reopen": lambda: Reopen(reason="not over", **common),
        "cancel": lambda: Cancel(reason="in error", **common),
        "begin": lambda: Begin(stage=stages[0] if stages else "none", **common),
        "note": lambda: Note(text="noted", **common),
    }
    world.do(made[move]())


def check_turn(world: World) -> None:
    """What holds at every turn, whatever came before."""
    before = world.snapshot
    decision = world.decide()
    again = decide(decision.snapshot, world.now)
    assert not again.facts, "deciding twice at one now adds nothing"
    assert not again.notices
    assert not again.publications
    assert again.wake_at == decision.wake_at
    assert decision.wake_at is None or decision.wake_at > world.now, "wake_at is later than now, or none"
    replayed = before
    for fact in decision.facts:
        replayed = evolve_snapshot(replayed, fact)
    assert replayed == decision.snapshot, "the state is what the facts add up to"
    per_step = Counter((notice.step, notice.person) for notice in decision.notices if notice.step)
    assert not [key for key, count in per_step.items() if count > 1], "one current notice per step and person"
    for notice in decision.notices:
        check_notice(world, before, notice)
    for publication in decision.publications:
        check_publication(world, publication)
    if world.snapshot.incident.status is IncidentStatus.CANCELLED:
        left = [notice for notice in decision.notices if notice.purpose is not NotificationPurpose.DOUBT]
        assert not left, "nothing at all after a cancellation, but for what may stand in public"
        assert decision.wake_at is None


def check_notice(world: World, before: Any, notice: Any) -> None:
    state = world.snapshot.steps.get(notice.step)
    if state is None:
        return
    was = before.steps.get(notice.step)
    if was is not None and was.status is StepStatus.ACKNOWLEDGED:
        assert notice.purpose not in UNTIL_ACKNOWLEDGED, (
            "nothing escalates for want of acknowledgement once there is one"
        )
    if notice.purpose in CALLS:
        assert state.active, "nobody is called for a step that is over"
        assert (
            was is None or was.status in ACTIVE_STATUSES or was.status is StepStatus.ABANDONED
        )  # resumed by a reopening
    if not world.snapshot.incident.running and notice.purpose in CALLS:
        closed = world.snapshot.incident.closed_at
        assert closed is not None
        assert world.snapshot.stage(state).clock == "closed" or state.laid_at > closed, "a close ends what was open"


def check_publication(world: World, publication: Any) -> None:
    state = world.snapshot.steps[publication.step]
    approvals = [
        need for _, need in world.snapshot.needs(state)
        if need is not None and world.snapshot.plan(need).kind == "approve"
    ]  # fmt: skip
    assert any(
        need.status is StepStatus.DONE
        and (draft := world.snapshot.related(need, world.snapshot.plan(need).of or "")) is not None
        and draft.digest == need.digest
        and publication.text in draft.texts.values()
        for need in approvals
    ), "nothing public without approval of that exact text"


@settings(max_examples=80, deadline=None)
@given(playbooks(), scripts)
def test_every_turn_of_every_history_keeps_the_promises(playbook: Playbook, script: list[Any]) -> None:
    world = World(playbook)
    check_turn(world)
    for move, pick, who, seconds in script:
        if move == "wait":
            world.now = world.now.add(seconds=seconds)
        else:
            play(world, move, pick, who)
        check_turn(world)
    keys = Counter(notice.key("INC-1", playbook.id) for _, notice in world.notices)
    assert not [key for key, count in keys.items() if count > 1], "no two notices under one key"


@settings(max_examples=40, deadline=None)
@given(playbooks(), scripts, st.integers(1, 6 * 3_600))
def test_deciding_late_loses_no_step(playbook: Playbook, script: list[Any], late: int) -> None:
    """Whoever wakes at every moment and whoever sleeps and looks once know the same steps as open, done and missed."""
    awake, asleep = World(playbook), World(playbook)
    for world in (awake, asleep):
        world.decide()
    awake.live(timedelta(seconds=late))
    decision = asleep.after(timedelta(seconds=late))

    def known(world: World) -> dict[str, tuple[Any, ...]]:
        latest = {name: s for name, s in world.snapshot.steps.items() if s.round == world.snapshot.last_round(s.stage)}
        return {name: (s.status, s.owner, s.missed_at is not None) for name, s in latest.items()}

    assert known(awake) == known(asleep)
    told = Counter((notice.step, notice.person) for notice in decision.notices if notice.step)
    assert all(count == 1 for count in told.values()), "one current notice, not the ones that were missed"


@settings(max_examples=40, deadline=None)
@given(playbooks(), st.integers(1, 20))
def test_acknowledged_but_not_done_reminds_and_escalates_at_its_deadline(playbook: Playbook, hours: int) -> None:
    world = World(playbook)
    world.live(timedelta(minutes=hours * 7))
    for state in list(world.snapshot.steps.values()):
        world.do(Acknowledge(id=str(uuid.uuid4()), incident="INC-1", by="gil", step=state.id))
    held = {s.id: s for s in world.snapshot.steps.values() if s.status is StepStatus.ACKNOWLEDGED}
    event(f"{min(len(held), 3)} held")
    world.live(timedelta(hours=hours))
    for name, before in held.items():
        state = world.snapshot.steps[name]
        assert before.called_at is not None
        sent = [(at, notice.purpose) for at, notice in world.notices if notice.step == name and at > before.called_at]
        assert not [purpose for _, purpose in sent if purpose in UNTIL_ACKNOWLEDGED]
        if state.status is StepStatus.SUPERSEDED or before.missed_at is not None:
            continue
        if before.due_at <= world.now:
            overdue = [at for at, purpose in sent if purpose is NotificationPurpose.OVERDUE]
            assert overdue == [before.due_at] * len(overdue), "at its deadline, to the second"
            assert overdue, "the deadline is said"
        first = before.remind and later(before.called_at, before.remind)
        if first and first < min(world.now, before.due_at):
            assert [at for at, purpose in sent if purpose is NotificationPurpose.REMIND], "it is reminded of"


@settings(max_examples=25, deadline=None)
@given(playbooks())
def test_the_order_of_equal_timestamps_is_stable(playbook: Playbook) -> None:
    """Two worlds that live the same hours write the same facts in the same order."""
    first, second = World(playbook), World(playbook)
    first.live(timedelta(hours=5))
    second.live(timedelta(hours=5))
    assert first.facts == second.facts
    assert first.notices == second.notices
    kinds = {s.id: world_step.kind for s in first.snapshot.steps.values() for world_step in [first.snapshot.plan(s)]}
    assert all(kinds[notice.step] in PERSON_STEPS or notice.purpose not in UNTIL_ACKNOWLEDGED
               for _, notice in first.notices if notice.step)  # fmt: skip


@pytest.mark.parametrize("pace", [1.0, 20.0, 240.0])
def test_pace_divides_every_deadline(pace: float) -> None:
    """At pace n each offset is the n-th part, counted from the same zero."""
    from engine.installation import CATALOG
    from playbooks.playbook_loader import load_playbook

    playbook = load_playbook(CATALOG / "four-hour-response.yaml")
    slow, fast = World(playbook), World(playbook, drill=True, pace={"declared": pace})
    for world in (slow, fast):
        world.decide()
    for name, state in slow.snapshot.steps.items():
        wanted = slow.now + (state.due_at - slow.now).as_duration() / pace
        assert abs((fast.snapshot.steps[name].due_at - wanted).total_seconds()) < 0.001
