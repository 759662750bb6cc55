"""Backtest of a rule: the very evaluator of live samples, run over a file of past ones.

Steps are ticks of ten seconds, or the samples' own spacing where that is coarser.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Final

import numpy as np
from pendulum import DateTime

from domain.warning.rule import Rule, SeriesKey, ThresholdLevel, Tier, tier_rank
from domain.warning.rule_state import RuleStateChange
from engine.samples.csv_file import BadSampleRow, BadSamplesFile, SamplesFile
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import GRAIN, MINUTE, Floats, HistoryArrays, Ints, SampleArrays, SeriesDescriptor
from storage.samples.sample_store import from_micros

DAY: Final = 24 * 60 * MINUTE
_PATIENCE: Final = 3  # steps without a figure until a series is silent
MOST_TICKS: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class RecordedSamples:
    """Samples of the past, in order of time. `begins`: where evaluation does; what is before is history."""

    columns: SampleArrays
    series: tuple[SeriesDescriptor, ...]
    begins: int
    bad: tuple[BadSampleRow, ...] = ()

    def rows(self, metric: str, start: int, end: int) -> HistoryArrays:
        """History of a metric: every sample a row of its own."""
        first, past = np.searchsorted(self.columns.at, [start, end])
        part = self.columns.select(np.arange(first, past))
        mine = np.isin(part.series, [one.id for one in self.series if one.metric == metric])
        return HistoryArrays.of_samples(part.select(mine))


@dataclass(frozen=True, slots=True)
class BacktestFiring:
    """Warning that there would have been. `until` is None where it still held at the end."""

    series: SeriesKey
    began: DateTime
    until: DateTime | None
    level: Tier
    value: float | None

    def document(self) -> dict[str, object]:
        """Convert to a JSON document for programs."""
        found: dict[str, object] = {
            "from": self.began.isoformat(),
            "to": None if self.until is None else self.until.isoformat(),
            "level": str(self.level),
            "value": self.value,
        }
        return {**found, "series": dict(self.series)} if self.series else found


@dataclass(frozen=True, slots=True)
class SeriesTrack:
    """What the rule saw of one series, tick by tick; NaN: nothing."""

    series: SeriesKey
    at: Ints
    value: Floats
    baseline: Floats


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Result of a backtest."""

    rule: Rule
    step: timedelta
    began: DateTime
    ended: DateTime
    evaluations: int
    firings: tuple[BacktestFiring, ...]
    track: SeriesTrack
    changes: tuple[RuleStateChange, ...] = field(repr=False, default=())

    @property
    def warnings_per_day(self) -> float:
        """Warnings a day."""
        days = (self.ended - self.began).total_seconds() / 86_400
        return len(self.firings) / days if days > 0 else 0.0

    def document(self) -> dict[str, object]:
        """Convert to a JSON document, described by web/schemas/rule-backtest.json."""
        return {
            "rule": self.rule.id,
            "evaluations": self.evaluations,
            "firings": [firing.document() for firing in self.firings],
        }


def read_samples(path: Path, metric: str, zone: tzinfo) -> RecordedSamples:
    """Read a file of samples.

    `metric`: of the rows of a file without that column. `zone`: of times without an offset.

    Raises:
        BadSamplesFile: it cannot be read, or holds no good row.
    """
    file = SamplesFile(path, metric, zone)
    numbers: dict[tuple[str, tuple[tuple[str, str], ...]], SeriesDescriptor] = {}
    rows: list[tuple[int, int, float, float]] = []
    bad: list[BadSampleRow] = []
    for row in file.rows():
        if isinstance(row, BadSampleRow):
            bad.append(row)
            continue
        name = (row.metric, tuple(sorted(row.labels.items())))
        if name not in numbers:
            numbers[name] = SeriesDescriptor(len(numbers), row.metric, row.labels)
        rows.append((numbers[name].id, row.at, row.value, row.count))
    if not rows:
        raise BadSamplesFile(f"{path}: has no good row" + (f": line {bad[0].line}: {bad[0].reason}" if bad else ""))
    return collect_samples(rows, numbers.values(), file.begins, bad)


def collect_samples(
    rows: Iterable[tuple[int, int, float, float]],
    series: Iterable[SeriesDescriptor],
    begins: int | None = None,
    bad: Iterable[BadSampleRow] = (),
) -> RecordedSamples:
    """Collect rows of series, time in microseconds, value, count; a repeat counts once, as it does live."""
    ordered = sorted(set(rows), key=lambda row: row[1])
    columns = SampleArrays.of(*zip(*ordered, strict=True))
    return RecordedSamples(columns, tuple(series), int(columns.at[0]) if begins is None else begins, tuple(bad))


def evaluation_step(rule: Rule, figures: RecordedSamples) -> int:
    """Microseconds between two evaluations: a tick, or the samples' usual spacing where that is longer.

    It divides the rule's window, so that a window is a whole number of steps.
    """
    mine = np.isin(figures.columns.series, [one.id for one in figures.series if one.metric == rule.metric])
    spaces, often = np.unique(np.diff(np.unique(figures.columns.at[mine])), return_counts=True)
    usual = int(spaces[np.argmax(often)]) if spaces.size else GRAIN
    back = rule.baseline.offset if rule.baseline is not None else None
    lengths = [_micros(span) for span in (rule.window, back) if span is not None]
    shared = math.gcd(usual, *lengths, *([DAY] if rule.daily else []))
    return shared if shared >= GRAIN and shared % GRAIN == 0 else GRAIN


def run_backtest(
    rule: Rule,
    figures: RecordedSamples,
    holidays: Collection[str] = (),
    rule_at: Callable[[Rule, DateTime], Rule] = lambda rule, _: rule,
    progress: Callable[[float], None] = lambda _: None,
) -> BacktestResult:
    """Run the rule over the samples.

    Samples that come every half hour are not missing after five minutes: `no_data_after` is three steps at
    least.

    Raises:
        BadSamplesFile: none of them is the rule's, or they span more ticks than anyone waits for.
    """
    known = {one.metric for one in figures.series}
    if rule.metric not in known:
        raise BadSamplesFile(f"the rule looks at {rule.metric}, the figures have {', '.join(sorted(known)) or 'none'}")
    step = evaluation_step(rule, figures)
    rule = replace(rule, no_data_after=max(rule.no_data_after, timedelta(microseconds=_PATIENCE * step)))
    start = figures.begins // step * step
    last = int(figures.columns.at[-1]) // step * step + step
    if (last - start) // step > MOST_TICKS:
        raise BadSamplesFile("the figures span too long a time for steps of ten seconds: cut them into parts")
    evaluator = Evaluator([rule], history=figures, holidays=holidays, grain=step, rule_at=rule_at)
    evaluator.add_series(figures.series)
    evaluator.restore({}, from_micros(start))
    evaluator.add_samples(figures.columns.select(figures.columns.at >= start - _micros(evaluator.reach)))
    run = _Run(evaluator, start, last, step)
    run.go(progress)
    return run.outcome()


class _Run:
    """One pass over the ticks."""

    def __init__(self, evaluator: Evaluator, start: int, last: int, step: int) -> None:
        self._evaluator, self._start, self._last, self._step = evaluator, start, last, step
        self._watch = evaluator.trackers[0]
        self._changes: list[RuleStateChange] = []
        self._seen: list[tuple[Floats, Floats]] = []
        self._evaluations = 0

    def go(self, progress: Callable[[float], None]) -> None:
        """Tick after tick."""
        prepared, size = self._start, 0
        for at in range(self._start + self._step, self._last + 1, self._step):
            if at >= prepared:
                self._evaluator.prepare(from_micros(at))
                self._evaluator.prepare(from_micros(at + DAY))
                prepared = at + DAY
                progress((at - self._start) / (self._last - self._start))
            self._changes += self._evaluator.tick(from_micros(at))
            readings = self._watch.readings
            if readings is not None:
                size = readings.value.size
                self._seen.append((readings.value, readings.baseline))
            self._evaluations += len(self._watch.groups.slots)
        self._size = size

    def outcome(self) -> BacktestResult:
        """What was found."""
        rule = self._evaluator.rules[0]
        firings = find_firings(self._changes)
        series = firings[0].series if firings else next(iter(self._watch.groups.slots), ())
        slot = self._watch.groups.slots.get(series, 0)
        at = np.arange(self._start + self._step, self._last + 1, self._step)
        value, baseline = (
            np.array([row[which][slot] if slot < row[which].size else np.nan for row in self._seen]) for which in (0, 1)
        )
        return BacktestResult(
            rule,
            timedelta(microseconds=self._step),
            from_micros(self._start),
            from_micros(self._last),
            self._evaluations,
            tuple(firings),
            SeriesTrack(series, at[: value.size], value, baseline),
            tuple(self._changes),
        )


def find_firings(changes: Iterable[RuleStateChange]) -> list[BacktestFiring]:
    """Find the warnings that these changes make; yellow to red is one, so is a recovery that did not last."""
    done: list[BacktestFiring] = []
    open_: dict[SeriesKey, BacktestFiring] = {}
    for change in changes:
        at, tier, now = change.reading.at, change.after.tier, open_.get(change.series)
        if change.after.warns and tier is not None:
            if now is None:
                open_[change.series] = BacktestFiring(change.series, at, None, tier, change.reading.value)
            elif tier_rank(tier) > tier_rank(now.level):
                open_[change.series] = BacktestFiring(now.series, now.began, None, tier, now.value)
        elif now is not None:
            done.append(BacktestFiring(now.series, now.began, at, now.level, now.value))
            del open_[change.series]
    return sorted([*done, *open_.values()], key=lambda firing: (firing.began, firing.series))


def threshold_lines(rule: Rule, track: SeriesTrack) -> Mapping[ThresholdLevel, tuple[Floats, ...]]:
    """Where the value would breach each level, tick by tick: one line, or one either side of the baseline."""
    lines: dict[ThresholdLevel, tuple[Floats, ...]] = {}
    for level in rule.levels:
        if not rule.condition.compares:
            lines[level] = (np.full(track.value.size, level.threshold),)
            continue
        reach = level.threshold if rule.points else level.threshold * np.abs(track.baseline)
        signs = {"change_above": (1,), "change_below": (-1,), "change_either": (1, -1)}[rule.condition.value]
        lines[level] = tuple(track.baseline + sign * reach for sign in signs)
    return lines


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
