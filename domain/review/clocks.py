"""Clocks met and missed: what the state of a step says about its deadline and about its acknowledgement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from statistics import median

from pendulum import DateTime

from domain.durations import elapsed, later
from domain.incident import Incident, Response, StepState, StepStatus

_LEFT = frozenset({StepStatus.ABANDONED, StepStatus.SUPERSEDED})


class Outcome(StrEnum):
    """What became of a clock."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"  # still running
    NONE = "none"  # it did not apply: skipped, or given up before it was due


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a clock was met. `share` is of those that are over; None where none is."""

    met: int = 0
    missed: int = 0
    open: int = 0

    @property
    def share(self) -> float | None:
        """0 to 1."""
        over = self.met + self.missed
        return self.met / over if over else None


def deadline(state: StepState, now: DateTime) -> Outcome:
    """Whether a step was done by its deadline."""
    if state.status is StepStatus.SKIPPED:
        return Outcome.NONE
    if state.status is StepStatus.DONE and state.done_at:
        return Outcome.MET if state.done_at <= state.due_at else Outcome.MISSED
    if state.status in _LEFT:  # `done_at` is when it was given up
        return Outcome.MISSED if state.done_at and state.done_at > state.due_at else Outcome.NONE
    return Outcome.MISSED if state.due_at < now else Outcome.OPEN


def answered_at(state: StepState) -> DateTime | None:
    """When somebody took it: acknowledged, or simply did it."""
    done = state.done_at if state.status is StepStatus.DONE else None
    times = [time for time in (state.acknowledged_at, done) if time]
    return min(times, default=None)


def answer_time(state: StepState) -> timedelta | None:
    """From the first call until somebody took it; None where nobody was called, or nobody answered."""
    answered = answered_at(state)
    if state.ack_within is None or state.opened_at is None or answered is None:
        return None
    return max(timedelta(0), elapsed(state.opened_at, answered))


def acknowledgement(state: StepState, now: DateTime) -> Outcome:
    """Whether somebody took a step within the time that it gives."""
    if state.ack_within is None or state.opened_at is None or state.status is StepStatus.SKIPPED:
        return Outcome.NONE
    until = later(state.opened_at, state.ack_within)
    answered = answered_at(state)
    if answered is not None:
        return Outcome.MET if answered <= until else Outcome.MISSED
    if state.status in _LEFT:
        return Outcome.MISSED if state.done_at and state.done_at > until else Outcome.NONE
    return Outcome.MISSED if until < now else Outcome.OPEN


def recovery(incident: Incident, response: Response, now: DateTime) -> Outcome:
    """Whether service was back within the playbook's objective (RTO)."""
    objective = response.playbook.objective
    if objective is None:
        return Outcome.NONE
    until = later(response.started_at, incident.paced(objective, "declared"))
    back = incident.mitigated_at or incident.closed_at
    if back is not None:
        return Outcome.MET if back <= until else Outcome.MISSED
    return Outcome.MISSED if until < now else Outcome.OPEN


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Counted."""
    found = list(outcomes)
    return Tally(found.count(Outcome.MET), found.count(Outcome.MISSED), found.count(Outcome.OPEN))


@dataclass(frozen=True, slots=True)
class Spread:
    """Of some durations: how many, mean and median in seconds; None of none."""

    count: int
    mean: float | None
    median: float | None


def spread(spans: Sequence[timedelta]) -> Spread:
    """Counted and averaged."""
    seconds = [span.total_seconds() for span in spans]
    if not seconds:
        return Spread(0, None, None)
    return Spread(len(seconds), sum(seconds) / len(seconds), median(seconds))
