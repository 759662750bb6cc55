"""What makes a playbook unsound, case by case, on playbooks made in code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.playbook import Playbook, Stage, Step, StepKind, UpdateWatch, full_step_id
from domain.playbook_checks import MOST_ROUNDS, check_playbook
from domain.text import Text
from tests.strategies import playbooks as random_playbooks

HOUR = timedelta(hours=1)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def step(name: str = "a", kind: StepKind = StepKind.ACT, **more: Any) -> Step:
    return Step(name, kind, Text(name), "pr-lead", **more)


def stage(*steps: Step, **more: Any) -> Stage:
    return Stage(**{"id": "s", "title": Text("S"), "steps": steps, "ends": HOUR, **more})


def playbook(*stages: Stage, **more: Any) -> Playbook:
    return Playbook("p", Text("P"), stages, **more)


DRAFT = step("d", StepKind.DRAFT)
APPROVE = step("y", StepKind.APPROVE, of="d", needs=("d",))
PUBLISH = step("p", StepKind.PUBLISH, of="d", needs=("y",))
OTHER = stage(step("z"), id="t")
UPDATES = stage(step(opens=minutes(0), due=minutes(20)), starts=minutes(90), ends=minutes(300), repeat=HOUR)

SOUND = {
    "one step": playbook(stage(step())),
    "a step that opens before its stage": playbook(stage(step(opens=minutes(30)), starts=HOUR, ends=2 * HOUR)),
    "a round's times count from the round, not from the clock": playbook(UPDATES),
    "a round's step is due by the next round": playbook(replace(UPDATES, steps=(step(due=HOUR),))),
    "draft, approve, publish": playbook(stage(DRAFT, APPROVE, PUBLISH)),
    "a text drafted in an earlier stage": playbook(
        stage(DRAFT), stage(step("y", StepKind.APPROVE, of="s/d", needs=("s/d",)), id="t")
    ),
    "needs across stages": playbook(stage(step(needs=("t/z",))), OTHER),
    "the same name in two stages": playbook(stage(step()), stage(step(), id="t")),
    "what is on demand may need itself": playbook(stage(step(), step("b", needs=("a",)), on_demand=True)),
    "closed an hour after it opens": playbook(stage(step(), clock="closed")),
}

UNSOUND = {
    "a stage twice": (playbook(stage(step()), stage(step())), ("stages", 1, "id"), "twice"),
    "a step twice": (playbook(stage(step(), step())), ("stages", 0, "steps", 1, "id"), "twice"),
    "a stage that ends before it starts": (
        playbook(stage(step(opens=minutes(0)), starts=2 * HOUR)),
        ("stages", 0, "ends"),
        "before it starts",
    ),
    "a stage without steps": (playbook(stage()), ("stages", 0, "steps"), "no step"),
    "rounds of half a minute": (
        playbook(stage(step(), repeat=minutes(0.5))),
        ("stages", 0, "repeat"),
        "at most once a minute",
    ),
    "rounds on demand": (
        playbook(replace(UPDATES, on_demand=True)),
        ("stages", 0, "repeat"),
        "not on demand",
    ),
    "rounds without number": (
        playbook(stage(step(), ends=minutes(MOST_ROUNDS + 1), repeat=minutes(1))),
        ("stages", 0, "repeat"),
        "rounds",
    ),
    "due after the next round began": (
        playbook(replace(UPDATES, steps=(step(due=minutes(61)),))),
        ("stages", 0, "steps", 0, "due"),
        "after the next round begins at 1h",
    ),
    "due after its stage": (
        playbook(stage(step(due=minutes(61)))),
        ("stages", 0, "steps", 0, "due"),
        "after its stage ends at 1h",
    ),
    "open when already due": (
        playbook(stage(step(due=minutes(30)), starts=minutes(30))),
        ("stages", 0, "steps", 0, "opens"),
        "already due",
    ),
    "a call every second": (
        playbook(stage(step(ack_within=timedelta(seconds=1)))),
        ("stages", 0, "steps", 0, "ack_within"),
        "flood",
    ),
    "it needs itself": (playbook(stage(step(needs=("a",)))), ("stages", 0, "steps", 0, "needs"), "itself"),
    "it needs itself by its whole name": (
        playbook(stage(step(needs=("s/a",)))),
        ("stages", 0, "steps", 0, "needs"),
        "itself",
    ),
    "it needs what is not there": (
        playbook(stage(step(needs=("b",)))),
        ("stages", 0, "steps", 0, "needs"),
        "no step",
    ),
    "it needs what may never come": (
        playbook(stage(step(needs=("t/z",))), replace(OTHER, on_demand=True)),
        ("stages", 0, "steps", 0, "needs"),
        "on demand",
    ),
    "they wait for each other across stages": (
        playbook(stage(step(needs=("t/z",))), stage(step("z", needs=("s/a",)), id="t")),
        ("stages",),
        "wait for each other: ",
    ),
    "approval of nothing": (
        playbook(stage(step(kind=StepKind.APPROVE))),
        ("stages", 0, "steps", 0, "of"),
        "names no draft",
    ),
    "approval of what is no draft": (
        playbook(stage(step(), step("y", StepKind.APPROVE, of="a"))),
        ("stages", 0, "steps", 1, "of"),
        "names no draft",
    ),
    "published unapproved": (
        playbook(stage(DRAFT, APPROVE, replace(PUBLISH, needs=("d",)))),
        ("stages", 0, "steps", 2, "needs"),
        "nothing approves",
    ),
    "published on the approval of another text": (
        playbook(stage(DRAFT, step("e", StepKind.DRAFT), replace(APPROVE, of="e"), PUBLISH)),
        ("stages", 0, "steps", 3, "needs"),
        "nothing approves",
    ),
    "a condition on what no incident has": (
        playbook(stage(step(when={"weather": ("rain",)}))),
        ("stages", 0, "steps", 0, "when"),
        "no incident has a field 'weather'",
    ),
    "a template where nothing is drafted": (
        playbook(stage(step(template=Text("x")))),
        ("stages", 0, "steps", 0, "template"),
        "means nothing",
    ),
    "a watch that never rests": (
        playbook(stage(step()), never_silent=UpdateWatch(HOUR, timedelta(0))),
        ("never_silent", "then"),
        "flood",
    ),
}


@pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)
def test_sound(sound: Playbook) -> None:
    assert check_playbook(sound) == []


@pytest.mark.parametrize(("unsound", "path", "reason"), UNSOUND.values(), ids=UNSOUND)
def test_unsound(unsound: Playbook, path: tuple[str | int, ...], reason: str) -> None:
    (problem,) = check_playbook(unsound)
    assert problem.path == path
    assert reason in problem.reason
    assert problem.remedy


@given(random_playbooks(), st.data())
@settings(max_examples=40, deadline=None)
def test_any_step_made_to_need_itself_or_a_stranger_is_found(sound: Playbook, data: st.DataObject) -> None:
    at, victim = data.draw(st.sampled_from(list(sound.each_step())))
    needs = data.draw(st.sampled_from([victim.id, "no-such-stage/no-such-step"]))
    assume(full_step_id(at.id, needs) not in victim.needs)
    changed = replace(victim, needs=(*victim.needs, needs))
    steps = tuple(changed if each is victim else each for each in at.steps)
    stages = tuple(replace(each, steps=steps) if each is at else each for each in sound.stages)
    assert [problem.path[-1] for problem in check_playbook(replace(sound, stages=stages))] == ["needs"]


@pytest.mark.parametrize("kind", [StepKind.RUN, StepKind.SURVEY])
def test_a_kind_that_nothing_carries_out_is_refused(kind: StepKind) -> None:
    """Else it would open at three in the morning and wait for ever."""
    (problem,) = check_playbook(playbook(stage(step(kind=kind))))
    assert problem.path == ("stages", 0, "steps", 0, "kind")
    assert "use act" in problem.remedy
