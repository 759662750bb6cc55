"""Hypothesis strategies: random playbooks that are sound, for every property test that needs one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from domain.playbook import CLOCKS, Playbook, Stage, Step, StepKind, UpdateWatch
from domain.text import Text

ROLES = ("incident-commander", "pr-lead", "technology-lead", "finance-lead", "executive", "front-line")
CHANNELS = ("website-en", "website-zh", "weibo")
KINDS = tuple(kind for kind in StepKind if kind not in (StepKind.RUN, StepKind.SURVEY))
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,12}", fullmatch=True)
_LETTERS = "abc XYZ 019,.:'\"#&<>[]{}|-_\n声明补偿，。：“”"
WORDS = st.text(_LETTERS, max_size=30)
TEXTS = st.builds(Text, en=st.text(_LETTERS, min_size=1, max_size=30), zh=WORDS)
MAYBE_TEXTS = st.just(Text("")) | TEXTS
WHENS: SearchStrategy[Mapping[str, tuple[str, ...]]] = st.just({}) | st.dictionaries(
    st.sampled_from(["origin", "kind", "drill", "severity"]),
    st.lists(st.sampled_from(["public-opinion", "outage", "true", "critical"]), min_size=1, max_size=2).map(tuple),
    max_size=2,
)


def minutes(least: int, most: int) -> SearchStrategy[timedelta]:
    """Whole minutes, both bounds included."""
    return st.integers(least, most).map(lambda count: timedelta(minutes=count))


@composite
def _windows(draw: DrawFn, starts: int, ends: int) -> dict[str, Any]:
    """`opens` and `due` of a step within its stage's (or round's) window, in minutes."""
    due = draw(st.none() | st.integers(starts + 1, ends))
    opens = draw(st.none() | st.integers(0, (ends if due is None else due) - 1))
    return {
        "due": None if due is None else timedelta(minutes=due),
        "opens": None if opens is None else timedelta(minutes=opens),
    }


@composite
def _steps(draw: DrawFn, name: str, window: tuple[int, int], before: dict[str, Step]) -> Step:
    """A step that needs only what comes `before` it (by whole name, in this playbook), so never a cycle."""
    drafts = [whole for whole, step in before.items() if step.kind is StepKind.DRAFT]
    approvals = [whole for whole, step in before.items() if step.kind is StepKind.APPROVE]
    possible = [
        kind
        for kind in KINDS
        if (kind is not StepKind.APPROVE or drafts) and (kind is not StepKind.PUBLISH or approvals)
    ]
    kind = draw(st.sampled_from(possible))
    needs = set(draw(st.lists(st.sampled_from(sorted(before)), max_size=2))) if before else set()
    own: dict[str, Any] = {}
    if kind is StepKind.APPROVE:
        own = {"of": draw(st.sampled_from(drafts)), "self_approval": draw(st.booleans())}
        own["over_limit"] = draw(st.none() | st.sampled_from(ROLES))
        needs.add(own["of"])
    elif kind is StepKind.PUBLISH:
        approval = draw(st.sampled_from(approvals))
        own = {"of": before[approval].of, "withdraws": draw(st.booleans())}
        own["channels"] = tuple(draw(st.lists(st.sampled_from(CHANNELS), unique=True, max_size=2)))
        needs.add(approval)
    elif kind is StepKind.DRAFT:
        own = {"template": draw(MAYBE_TEXTS)}
    elif kind is StepKind.TELL:
        own = {"brief": draw(st.booleans())}
    return Step(
        id=name,
        kind=kind,
        title=draw(TEXTS),
        owner=draw(st.sampled_from(ROLES)),
        instruction=draw(MAYBE_TEXTS),
        backup=draw(st.none() | st.sampled_from(ROLES)),
        needs=tuple(sorted(needs)),
        ack_within=draw(st.none() | minutes(1, 15)),
        remind=draw(st.none() | minutes(1, 60)),
        evidence=draw(st.booleans()),
        when=draw(WHENS),
        tell=tuple(draw(st.lists(st.sampled_from(ROLES), unique=True, max_size=2))),
        **draw(_windows(*window)),
        **own,
    )


@composite
def _stages(draw: DrawFn, name: str, before: dict[str, Step]) -> Stage:
    on_demand = draw(st.integers(0, 4)) == 0
    starts = draw(st.integers(0, 120))
    ends = starts + draw(st.integers(10, 240))
    repeat = None if on_demand else draw(st.none() | st.integers(15, 60))
    window = (starts, ends) if repeat is None else (0, repeat)
    known = dict(before)
    steps = []
    for step_name in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)):
        step = draw(_steps(step_name, window, known))
        steps.append(step)
        known[f"{name}/{step_name}"] = step
    return Stage(
        id=name,
        title=draw(TEXTS),
        steps=tuple(steps),
        starts=timedelta(minutes=starts),
        ends=timedelta(minutes=ends),
        clock="declared" if on_demand else draw(st.sampled_from((*CLOCKS, "declared", "declared"))),
        repeat=None if repeat is None else timedelta(minutes=repeat),
        on_demand=on_demand,
    )


@composite
def playbooks(draw: DrawFn) -> Playbook:
    """A sound playbook: one to four stages of one to four steps, of every kind that a playbook uses today."""
    known: dict[str, Step] = {}
    stages = []
    for name in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)):
        stage = draw(_stages(name, known))
        stages.append(stage)
        if not stage.on_demand:  # what is on demand may never come: only its own steps may need it
            known |= {f"{name}/{step.id}": step for step in stage.steps}
    silence = st.builds(
        UpdateWatch,
        within=minutes(5, 120),
        then=minutes(1, 60),
        first=st.sampled_from(ROLES),
        after=st.sampled_from(ROLES),
    )
    return Playbook(
        id=draw(IDS),
        title=draw(TEXTS),
        stages=tuple(stages),
        version=draw(st.integers(1, 99)),
        summary=draw(MAYBE_TEXTS),
        flow=draw(st.sampled_from(["respond_publicly", "restore_service"])),
        severity=draw(st.sampled_from(["critical", "major", "minor"])),
        commander=draw(st.sampled_from(ROLES)),
        last_resort=draw(st.sampled_from(ROLES)),
        objective=draw(st.none() | minutes(1, 60)),
        never_silent=draw(st.none() | silence),
        holding_script=draw(MAYBE_TEXTS),
    )
