"""Results of deadlines and acknowledgements, judged from the state of a step."""

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


class ClockOutcome(StrEnum):
    """The outcome of a clock."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"  # still running
    NONE = "none"  # it did not apply: skipped, or given up before it was due


@dataclass(frozen=True, slots=True)
class ClockTally:
    """How often a clock was met. `share` is of those that are over; None where none is."""

    met: int = 0
    missed: int = 0
    open: int = 0

    @property
    def share(self) -> float | None:
        """The share of clocks met, 0 to 1."""
        over = self.met + self.missed
        return self.met / over if over else None


def judge_deadline(state: StepState, now: DateTime) -> ClockOutcome:
    """Judge whether a step was done by its deadline."""
    if state.status is StepStatus.SKIPPED:
        return ClockOutcome.NONE
    if state.status is StepStatus.DONE and state.done_at:
        return ClockOutcome.MET if state.done_at <= state.due_at else ClockOutcome.MISSED
    if state.status in _LEFT:  # `done_at` is when it was given up
        return ClockOutcome.MISSED if state.done_at and state.done_at > state.due_at else ClockOutcome.NONE
    return ClockOutcome.MISSED if state.due_at < now else ClockOutcome.OPEN


def answered_at(state: StepState) -> DateTime | None:
    """When a step was taken over: acknowledged, or done without that."""
    done = state.done_at if state.status is StepStatus.DONE else None
    times = [time for time in (state.acknowledged_at, done) if time]
    return min(times, default=None)


def answer_time(state: StepState) -> timedelta | None:
    """Return the time from the first call until a step was taken over.

    None: nobody was called, or nobody answered.
    """
    answered = answered_at(state)
    if state.ack_within is None or state.opened_at is None or answered is None:
        return None
    return max(timedelta(0), elapsed(state.opened_at, answered))


def judge_acknowledgement(state: StepState, now: DateTime) -> ClockOutcome:
    """Judge whether a step was taken over within its `ack_within`."""
    if state.ack_within is None or state.opened_at is None or state.status is StepStatus.SKIPPED:
        return ClockOutcome.NONE
    until = later(state.opened_at, state.ack_within)
    answered = answered_at(state)
    if answered is not None:
        return ClockOutcome.MET if answered <= until else ClockOutcome.MISSED
    if state.status in _LEFT:
        return ClockOutcome.MISSED if state.done_at and state.done_at > until else ClockOutcome.NONE
    return ClockOutcome.MISSED if until < now else ClockOutcome.OPEN


def judge_recovery(incident: Incident, response: Response, now: DateTime) -> ClockOutcome:
    """Judge whether service was back within the playbook's objective (RTO)."""
    objective = response.playbook.objective
    if objective is None:
        return ClockOutcome.NONE
    until = later(response.started_at, incident.paced(objective, "declared"))
    back = incident.mitigated_at or incident.closed_at
    if back is not None:
        return ClockOutcome.MET if back <= until else ClockOutcome.MISSED
    return ClockOutcome.MISSED if until < now else ClockOutcome.OPEN


def tally_outcomes(outcomes: Iterable[ClockOutcome]) -> ClockTally:
    """Count outcomes."""
    found = list(outcomes)
    return ClockTally(found.count(ClockOutcome.MET), found.count(ClockOutcome.MISSED), found.count(ClockOutcome.OPEN))


@dataclass(frozen=True, slots=True)
class DurationSummary:
    """Summary of durations: how many, mean and median in seconds; None of none."""

    count: int
    mean: float | None
    median: float | None


def summarize_durations(spans: Sequence[timedelta]) -> DurationSummary:
    """Summarise durations."""
    seconds = [span.total_seconds() for span in spans]
    if not seconds:
        return DurationSummary(0, None, None)
    return DurationSummary(len(seconds), sum(seconds) / len(seconds), median(seconds))
