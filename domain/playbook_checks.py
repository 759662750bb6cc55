"""Checks of a playbook before it comes into force; each finding says what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from domain.durations import format_duration
from domain.playbook import Playbook, Stage, Step, StepKind, full_step_id

# What only one or two kinds of step can mean anything by.
FIELDS_OF_KINDS: dict[str, frozenset[StepKind]] = {
    "of": frozenset({StepKind.APPROVE, StepKind.PUBLISH}),
    "over_limit": frozenset({StepKind.APPROVE}),
    "self_approval": frozenset({StepKind.APPROVE}),
    "channels": frozenset({StepKind.PUBLISH}),
    "withdraws": frozenset({StepKind.PUBLISH}),
    "brief": frozenset({StepKind.TELL}),
    "template": frozenset({StepKind.DRAFT}),
    "promises": frozenset({StepKind.DRAFT}),
    "attaches": frozenset({StepKind.ACT}),
}
MOST_ROUNDS = 1_000
WHEN_FIELDS = ("severity", "origin", "service", "kind", "drill")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One finding: where (keys and indexes into the document), what is wrong, what would be right."""

    path: tuple[str | int, ...]
    reason: str
    remedy: str


def check_playbook(playbook: Playbook) -> list[FieldProblem]:
    """List the problems that no single field shows: references, cycles, deadlines against windows."""
    return [*_twice(playbook), *_update_watch(playbook), *_stages(playbook), *_steps(playbook), *_cycles(playbook)]


def _twice(playbook: Playbook) -> Iterator[FieldProblem]:
    seen: set[str] = set()
    for number, stage in enumerate(playbook.stages):
        if stage.id in seen:
            yield FieldProblem(("stages", number, "id"), f"stage {stage.id!r} is there twice", "give each its own id")
        seen.add(stage.id)
        steps: set[str] = set()
        for place, step in enumerate(stage.steps):
            if step.id in steps:
                yield FieldProblem(
                    ("stages", number, "steps", place, "id"),
                    f"step {step.id!r} is there twice in stage {stage.id!r}",
                    "give each its own id",
                )
            steps.add(step.id)


def _update_watch(playbook: Playbook) -> Iterator[FieldProblem]:
    watch = playbook.never_silent
    for name in ("within", "then"):
        if watch and getattr(watch, name) < timedelta(minutes=1):
            yield FieldProblem(("never_silent", name), "would be a flood of reminders", f"{name}: 15m, or 1m at least")


def _stages(playbook: Playbook) -> Iterator[FieldProblem]:
    for number, stage in enumerate(playbook.stages):
        at = ("stages", number)
        if stage.ends <= stage.starts:
            yield FieldProblem(
                (*at, "ends"), f"stage {stage.id!r} ends before it starts", "make `ends` later than `starts`"
            )
        if stage.repeat is not None and (stage.repeat < timedelta(minutes=1) or stage.on_demand):
            yield FieldProblem(
                (*at, "repeat"),
                "a stage repeats at most once a minute and not on demand",
                "for example repeat: 60m",
            )
        elif stage.repeat is not None and (stage.ends - stage.starts) / stage.repeat > MOST_ROUNDS:
            yield FieldProblem(
                (*at, "repeat"),
                f"would be more than {MOST_ROUNDS} rounds",
                "repeat it less often, or end it earlier",
            )
        if not stage.steps:
            yield FieldProblem((*at, "steps"), f"stage {stage.id!r} has no step", "give it one, or remove the stage")


def _steps(playbook: Playbook) -> Iterator[FieldProblem]:
    known = {f"{stage.id}/{step.id}": (stage, step) for stage, step in playbook.each_step()}
    for number, stage in enumerate(playbook.stages):
        for place, step in enumerate(stage.steps):
            at = ("stages", number, "steps", place)
            if step.kind in (StepKind.RUN, StepKind.SURVEY):  # words of the vocabulary that nothing carries out yet
                reason = f"nothing carries out a step of kind {step.kind!s} yet"
                yield FieldProblem((*at, "kind"), reason, "use act, and say in the instruction what to do")
            yield from _times(at, stage, step)
            yield from _references(at, stage, step, known)
            yield from _meaningless(at, step)
            for name in step.when:
                if name not in WHEN_FIELDS:
                    yield FieldProblem(
                        (*at, "when"), f"no incident has a field {name!r}", f"one of {', '.join(WHEN_FIELDS)}"
                    )


def _times(at: tuple[str | int, ...], stage: Stage, step: Step) -> Iterator[FieldProblem]:
    # The times of a repeated stage count from the start of the round; a round is over when the next begins.
    starts, ends = (timedelta(0), stage.repeat) if stage.repeat else (stage.starts, stage.ends)
    window = "the next round begins" if stage.repeat else "its stage ends"
    if step.due is not None and step.due > ends:
        yield FieldProblem(
            (*at, "due"),
            f"step {step.id!r} is due {format_duration(step.due)}, after {window} at {format_duration(ends)}",
            f"due: {format_duration(ends)} or earlier",
        )
    due = step.due if step.due is not None else ends
    opens = step.opens if step.opens is not None else starts
    if opens >= due:
        yield FieldProblem(
            (*at, "opens"), f"step {step.id!r} opens when it is already due", "open it before its deadline"
        )
    for name in ("ack_within", "remind"):
        span = getattr(step, name)
        if span is not None and span < timedelta(seconds=30):
            yield FieldProblem(
                (*at, name), f"{name} of {format_duration(span)} would be a flood", f"{name}: 1m or longer"
            )


def _references(
    at: tuple[str | int, ...], stage: Stage, step: Step, known: dict[str, tuple[Stage, Step]]
) -> Iterator[FieldProblem]:
    for need in step.needs:
        whole = full_step_id(stage.id, need)
        if whole == f"{stage.id}/{step.id}":
            yield FieldProblem((*at, "needs"), f"step {step.id!r} needs itself", "remove it from its own needs")
        elif whole not in known:
            yield FieldProblem((*at, "needs"), f"no step {need!r}", f"one of {', '.join(sorted(known))}")
        elif known[whole][0].on_demand and not stage.on_demand:
            yield FieldProblem(
                (*at, "needs"), f"{need!r} is on demand and may never come", "need a step that always comes"
            )
    if step.kind not in (StepKind.APPROVE, StepKind.PUBLISH):
        return
    draft = known.get(full_step_id(stage.id, step.of)) if step.of else None
    if draft is None or draft[1].kind is not StepKind.DRAFT:
        yield FieldProblem(
            (*at, "of"), f"{step.kind} step {step.id!r} names no draft step", "of: the id of a draft step"
        )
    elif step.kind is StepKind.PUBLISH and not _approved(stage, step, known):
        yield FieldProblem(
            (*at, "needs"),
            f"nothing approves what {step.id!r} publishes",
            "needs: [an approve step of that draft]",
        )


def _meaningless(at: tuple[str | int, ...], step: Step) -> Iterator[FieldProblem]:
    for name, kinds in FIELDS_OF_KINDS.items():
        if getattr(step, name) and step.kind not in kinds:
            meant = " or ".join(sorted(kinds))
            yield FieldProblem((*at, name), f"{name} means nothing in a step of kind {step.kind}", f"only for {meant}")


def _approved(stage: Stage, step: Step, known: dict[str, tuple[Stage, Step]]) -> bool:
    text = full_step_id(stage.id, step.of or "")
    for need in step.needs:
        other = known.get(full_step_id(stage.id, need))
        if other and other[1].kind is StepKind.APPROVE and full_step_id(other[0].id, other[1].of or "") == text:
            return True
    return False


def _cycles(playbook: Playbook) -> Iterator[FieldProblem]:
    graph = {
        f"{stage.id}/{step.id}": {full_step_id(stage.id, need) for need in step.needs}
        for stage, step in playbook.each_step()
    }
    graph = {name: needs - {name} for name, needs in graph.items()}  # a step that needs itself has its own finding
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        yield FieldProblem(("stages",), f"steps wait for each other: {circle}", "remove one of these needs")
