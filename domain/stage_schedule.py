"""Schedule of a stage: offsets of the playbook become times of one incident, divided by its pace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pendulum import DateTime

from domain.durations import elapsed, later
from domain.incident import Incident, Response, StepState, make_step_id
from domain.playbook import Stage, Step

ZERO = timedelta(0)


def clock_started_at(incident: Incident, response: Response, stage: Stage) -> DateTime | None:
    """When a stage's clock started; None while it has not."""
    if stage.clock == "mitigated":
        return incident.mitigated_at
    if stage.clock == "closed":
        return incident.closed_at
    return response.started_at


def round_due_at(incident: Incident, stage: Stage, start: DateTime, now: DateTime) -> int:
    """Return the round of a repeated stage that is due at `now`.

    0 before the first, and no new one after its end.
    """
    if stage.repeat is None:
        return 1
    first = later(start, incident.paced(stage.starts, stage.clock))
    last = later(start, incident.paced(stage.ends, stage.clock))
    if now < first:
        return 0
    every = incident.paced(stage.repeat, stage.clock)
    most = max(1, -(elapsed(last, first) // every))
    return min(elapsed(first, now) // every + 1, most)


def round_started_at(incident: Incident, stage: Stage, start: DateTime, number: int) -> DateTime:
    """When a round begins: the zero of its steps' offsets. Stages that do not repeat count from their clock."""
    if stage.repeat is None:
        return start
    return later(start, incident.paced(stage.starts + stage.repeat * (number - 1), stage.clock))


def schedule_round(
    incident: Incident, stage: Stage, number: int, start: DateTime, now: DateTime
) -> Iterator[StepState]:
    """Schedule the steps of one round of a stage.

    Elapsed hours are added: deadlines ignore daylight saving time.
    """
    for step in stage.steps:
        opens, due = _window(stage, step)
        yield StepState(
            id=make_step_id(stage.id, step.id, number),
            stage=stage.id,
            step=step.id,
            round=number,
            opens_at=later(start, incident.paced(opens, stage.clock)),
            due_at=later(start, incident.paced(due, stage.clock)),
            laid_at=now,
            ack_within=incident.paced(step.ack_within, stage.clock) if step.ack_within else None,
            remind=incident.paced(step.remind, stage.clock) if step.remind else None,
        )


def _window(stage: Stage, step: Step) -> tuple[timedelta, timedelta]:
    starts, ends = (ZERO, stage.repeat) if stage.repeat else (stage.starts, stage.ends)
    return (
        step.opens if step.opens is not None else starts,
        step.due if step.due is not None else ends,
    )
