"""Tests that a rule brings along: figures, and how it must stand. Run by the reference evaluator. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pendulum
from pendulum import DateTime

from domain.durations import elapsed, format_duration, later
from domain.warning.machine import advance
from domain.warning.rule import TICK, Rule, SeriesKey, Tier
from domain.warning.standing import Phase, Standing
from domain.warning.window import History, Sample, key_of

MONDAY = pendulum.datetime(2026, 3, 2, 10)
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Line:
    """Figures one after another, the first at `starts` from the start of the trial; None is a gap.

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
        """Its samples in a trial that begins at `start`."""
        beginnings = [start.subtract(weeks=week) for week in range(1, self.weeks + 1)] or [start]
        for beginning in beginnings:
            for place, value in enumerate(self.values):
                if value is not None:
                    at = later(beginning, self.starts + self.every * place)
                    yield Sample(self.metric, at, value, self.count, self.labels)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How the rule must stand at `at` from the start: after the tick of that moment."""

    at: timedelta
    phase: Phase
    tier: Tier | None = None  # None: any
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One test of a rule."""

    name: str
    lines: tuple[Line, ...]
    expect: tuple[Expectation, ...] = ()
    start: DateTime = MONDAY
    holidays: frozenset[str] = frozenset()
    never_fires: bool = False

    @property
    def lasts(self) -> timedelta:
        """Until its last expectation, or its last figure."""
        ends = [line.starts + line.every * len(line.values) for line in self.lines if not line.weeks]
        return max([timedelta(0), *(one.at for one in self.expect), *ends])


def failures(rule: Rule, trial: Trial) -> list[str]:
    """What was otherwise than expected, one sentence each; empty: it passed."""
    samples = [sample for line in trial.lines for sample in line.samples(trial.start)]
    history = History(rule, samples)
    wanted = {key_of(rule, one.labels) for one in trial.expect}
    found: list[str] = []
    for series in sorted({*history.series(), *wanted}):
        due = sorted((one for one in trial.expect if key_of(rule, one.labels) == series), key=lambda one: one.at)
        found += _course(rule, trial, history, series, due)
    return found


def _course(rule: Rule, trial: Trial, history: History, series: SeriesKey, due: Sequence[Expectation]) -> Iterator[str]:
    standing = Standing()
    waiting = list(due)
    for at in _ticks(rule, trial):
        standing = advance(rule, standing, history.read(at, series, trial.holidays))
        since = elapsed(trial.start, at)
        if trial.never_fires and standing.warns:
            yield f"{_named(series)}fires at {format_duration(since)}, and never should"
            return
        following = since + _step(rule)
        while waiting and waiting[0].at < following:
            wanted = waiting.pop(0)
            if wanted.phase is not standing.phase or wanted.tier not in (None, standing.tier):
                meant = f"{wanted.phase} {wanted.tier or ''}".strip()
                is_ = f"{standing.phase} {standing.tier or ''}".strip()
                yield f"{_named(series)}at {format_duration(wanted.at)} it should be {meant}, and is {is_}"


def _step(rule: Rule) -> timedelta:
    return _QUARTER if rule.daily else TICK


def _ticks(rule: Rule, trial: Trial) -> Iterator[DateTime]:
    """Every tick of the trial; of a rule of whole days a look each quarter of an hour is enough."""
    at, end = trial.start, later(trial.start, trial.lasts)
    while at <= end:
        yield at
        at = later(at, _step(rule))


def _named(series: SeriesKey) -> str:
    return "".join(f"{name}={value} " for name, value in series)
