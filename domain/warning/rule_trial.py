"""Trials that a rule file brings along: figures, and the expected states. Run by the reference evaluator.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pendulum
from pendulum import DateTime

from domain.durations import elapsed, format_duration, later
from domain.warning.reference_evaluator import Sample, SampleHistory, make_series_key
from domain.warning.rule import TICK, Rule, SeriesKey, Tier
from domain.warning.rule_state import RulePhase, RuleState
from domain.warning.state_machine import advance_state

DEFAULT_START = pendulum.datetime(2026, 3, 2, 10)
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class TrialSeries:
    """A series of figures, the first at `starts` from the start of the trial; None is a gap.

    `weeks` of n: not now, but in each of the n weeks before.
    """

    metric: str
    values: tuple[float | None, ...]
    every: timedelta = TICK
    starts: timedelta = timedelta(0)
    labels: Mapping[str, str] = field(default_factory=dict)
    count: float = 1
    weeks: int = 0

    def samples(self, start: DateTime) -> Iterator[Sample]:
        """Yield the samples of a trial that begins at `start`."""
        beginnings = [start.subtract(weeks=week) for week in range(1, self.weeks + 1)] or [start]
        for beginning in beginnings:
            for place, value in enumerate(self.values):
                if value is not None:
                    at = later(beginning, self.starts + self.every * place)
                    yield Sample(self.metric, at, value, self.count, self.labels)


@dataclass(frozen=True, slots=True)
class TrialExpectation:
    """The expected state of the rule at `at` from the start: after the tick of that moment."""

    at: timedelta
    phase: RulePhase
    tier: Tier | None = None  # None: any
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """One trial of a rule."""

    name: str
    lines: tuple[TrialSeries, ...]
    expect: tuple[TrialExpectation, ...] = ()
    start: DateTime = DEFAULT_START
    holidays: frozenset[str] = frozenset()
    never_fires: bool = False

    @property
    def lasts(self) -> timedelta:
        """The time until its last expectation, or its last figure."""
        ends = [line.starts + line.every * len(line.values) for line in self.lines if not line.weeks]
        return max([timedelta(0), *(one.at for one in self.expect), *ends])


def find_trial_failures(rule: Rule, trial: RuleTrial) -> list[str]:
    """List the unmet expectations, one sentence each; empty: the trial passed."""
    samples = [sample for line in trial.lines for sample in line.samples(trial.start)]
    history = SampleHistory(rule, samples)
    wanted = {make_series_key(rule, one.labels) for one in trial.expect}
    found: list[str] = []
    for series in sorted({*history.series(), *wanted}):
        due = sorted(
            (one for one in trial.expect if make_series_key(rule, one.labels) == series), key=lambda one: one.at
        )
        found += _course(rule, trial, history, series, due)
    return found


def _course(
    rule: Rule, trial: RuleTrial, history: SampleHistory, series: SeriesKey, due: Sequence[TrialExpectation]
) -> Iterator[str]:
    rule_state = RuleState()
    waiting = list(due)
    for at in _ticks(rule, trial):
        rule_state = advance_state(rule, rule_state, history.read(at, series, trial.holidays))
        since = elapsed(trial.start, at)
        if trial.never_fires and rule_state.warns:
            yield f"{_named(series)}fires at {format_duration(since)}, and never should"
            return
        following = since + _step(rule)
        while waiting and waiting[0].at < following:
            wanted = waiting.pop(0)
            if wanted.phase is not rule_state.phase or wanted.tier not in (None, rule_state.tier):
                meant = f"{wanted.phase} {wanted.tier or ''}".strip()
                is_ = f"{rule_state.phase} {rule_state.tier or ''}".strip()
                yield f"{_named(series)}at {format_duration(wanted.at)} it should be {meant}, and is {is_}"


def _step(rule: Rule) -> timedelta:
    return _QUARTER if rule.daily else TICK


def _ticks(rule: Rule, trial: RuleTrial) -> Iterator[DateTime]:
    """Every tick of the trial; of a rule of whole days a look each quarter of an hour is enough."""
    at, end = trial.start, later(trial.start, trial.lasts)
    while at <= end:
        yield at
        at = later(at, _step(rule))


def _named(series: SeriesKey) -> str:
    return "".join(f"{name}={value} " for name, value in series)
