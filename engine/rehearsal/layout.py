"""When each step of a playbook is to open and to be done: arithmetic on the playbook alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from domain.playbook import Playbook, Stage, Step, full_id
from engine.rehearsal.span import Span, at

MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Clocks:
    """When each clock of the rehearsal starts, and when watching ends. Seconds since the declaration."""

    closed: Span
    over: float
    mitigated: Span | None = None

    def of(self, stage: Stage) -> Span | None:
        """The start of a stage's clock."""
        return {"declared": at(0), "mitigated": self.mitigated, "closed": self.closed}[stage.clock]


@dataclass(frozen=True, slots=True)
class Laid:
    """One step of one round, with its times."""

    id: str
    stage: Stage
    plan: Step
    round: int
    begins: Span
    opens: Span
    due: Span
    end: Span  # nothing is due of it after this: the next round begins, or the incident is closed


def lay_out(playbook: Playbook, clocks: Clocks) -> dict[str, Laid]:
    """Every step that is begun before the end, by id: `updates/draft#2` is that of the second round."""
    laid = {}
    for stage in playbook.stages:
        start = clocks.of(stage)
        if start is None or stage.on_demand:
            continue
        for number, begins, end in _rounds(stage, start, clocks):
            for plan in stage.steps:
                name = f"{stage.id}/{plan.id}" + (f"#{number}" if number > 1 else "")
                opens, due = _offsets(stage, plan)
                laid[name] = Laid(name, stage, plan, number, begins, begins.plus(opens), begins.plus(due), end)
    return laid


def _rounds(stage: Stage, start: Span, clocks: Clocks) -> Iterator[tuple[int, Span, Span]]:
    last = at(clocks.over) if stage.clock == "closed" else clocks.closed
    if stage.repeat is None:
        yield 1, start, last
        return
    every, number = seconds(stage.repeat), 0
    begins = start.plus(seconds(stage.starts))
    ends = start.plus(seconds(stage.ends))
    while begins.lo < min(ends.lo, last.lo) and number < MOST_ROUNDS:
        following = begins.plus(every)
        number += 1
        yield number, begins, following if following.lo < min(ends.lo, last.lo) else last
        begins = following


def _offsets(stage: Stage, plan: Step) -> tuple[float, float]:
    first, last = (timedelta(0), stage.repeat) if stage.repeat else (stage.starts, stage.ends)
    return (
        seconds(plan.opens if plan.opens is not None else first),
        seconds(plan.due if plan.due is not None else last),
    )


def related(laid: Mapping[str, Laid], step: Laid, name: str) -> str:
    """The step that `needs` or `of` names: of the same round, or of another stage's latest round by then."""
    whole = full_id(step.stage.id, name)
    stage, _, short = whole.partition("/")
    if stage == step.stage.id:
        return whole if step.round == 1 else f"{whole}#{step.round}"
    rounds = [one for one in laid.values() if one.stage.id == stage and one.plan.id == short]
    begun = [one for one in rounds if one.begins.lo <= step.opens.lo]
    return max(begun or rounds[:1], key=lambda one: one.round).id if rounds else whole


def seconds(span: timedelta) -> float:
    """A duration as the clocks here count."""
    return span.total_seconds()
