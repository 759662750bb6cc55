"""Schedule of a playbook's steps, when each is to open and to be done: arithmetic on the playbook alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from domain.playbook import Playbook, Stage, Step, full_step_id
from engine.rehearsal.time_bounds import TimeBounds, exact_moment

MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class RehearsalClocks:
    """When each clock of the rehearsal starts, and when observation ends. Seconds since the declaration."""

    closed: TimeBounds
    over: float
    mitigated: TimeBounds | None = None

    def start_of(self, stage: Stage) -> TimeBounds | None:
        """The start of a stage's clock."""
        return {"declared": exact_moment(0), "mitigated": self.mitigated, "closed": self.closed}[stage.clock]


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """One step of one round, with its times."""

    id: str
    stage: Stage
    plan: Step
    round: int
    begins: TimeBounds
    opens: TimeBounds
    due: TimeBounds
    end: TimeBounds  # nothing is due of it after this: the next round begins, or the incident is closed


def schedule_steps(playbook: Playbook, clocks: RehearsalClocks) -> dict[str, ScheduledStep]:
    """Schedule every step that begins before the end, by id: `updates/draft#2` is that of the second round."""
    laid = {}
    for stage in playbook.stages:
        start = clocks.start_of(stage)
        if start is None or stage.on_demand:
            continue
        for number, begins, end in _rounds(stage, start, clocks):
            for plan in stage.steps:
                name = f"{stage.id}/{plan.id}" + (f"#{number}" if number > 1 else "")
                opens, due = _offsets(stage, plan)
                laid[name] = ScheduledStep(name, stage, plan, number, begins, begins.plus(opens), begins.plus(due), end)
    return laid


def _rounds(stage: Stage, start: TimeBounds, clocks: RehearsalClocks) -> Iterator[tuple[int, TimeBounds, TimeBounds]]:
    last = exact_moment(clocks.over) if stage.clock == "closed" else clocks.closed
    if stage.repeat is None:
        yield 1, start, last
        return
    every, number = to_seconds(stage.repeat), 0
    begins = start.plus(to_seconds(stage.starts))
    ends = start.plus(to_seconds(stage.ends))
    while begins.lo < min(ends.lo, last.lo) and number < MOST_ROUNDS:
        following = begins.plus(every)
        number += 1
        yield number, begins, following if following.lo < min(ends.lo, last.lo) else last
        begins = following


def _offsets(stage: Stage, plan: Step) -> tuple[float, float]:
    first, last = (timedelta(0), stage.repeat) if stage.repeat else (stage.starts, stage.ends)
    return (
        to_seconds(plan.opens if plan.opens is not None else first),
        to_seconds(plan.due if plan.due is not None else last),
    )


def find_related(laid: Mapping[str, ScheduledStep], step: ScheduledStep, name: str) -> str:
    """Find the step that `needs` or `of` names: of the same round, or another stage's latest round by then."""
    whole = full_step_id(step.stage.id, name)
    stage, _, short = whole.partition("/")
    if stage == step.stage.id:
        return whole if step.round == 1 else f"{whole}#{step.round}"
    rounds = [one for one in laid.values() if one.stage.id == stage and one.plan.id == short]
    begun = [one for one in rounds if one.begins.lo <= step.opens.lo]
    return max(begun or rounds[:1], key=lambda one: one.round).id if rounds else whole


def to_seconds(span: timedelta) -> float:
    """Convert a duration to seconds, as the rehearsed clocks count."""
    return span.total_seconds()
