"""Reference evaluator of rules, slow and simple: what an aggregate, a window and a baseline mean. Pure.

Rule files test themselves with it, and the evaluator on live figures is tested against it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from statistics import median

import pendulum
from pendulum import DateTime

from domain.warning.daily_rules import last_whole_day
from domain.warning.reading import RuleReading
from domain.warning.rule import PERCENTILES, VOLUMES, Aggregate, Baseline, Rule, SeriesKey

AggregateFigure = tuple[float | None, float]  # an aggregate and the events behind it
TimeRange = tuple[float, float]  # seconds of the epoch: from the first until before the second
_QUARTER = 900
SampleSlices = tuple[int, int, int, int]  # which samples of the metric, and which of `per`


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of a metric at a moment. `count`: the events that the value stands for."""

    metric: str
    at: DateTime
    value: float
    count: float = 1
    labels: Mapping[str, str] = field(default_factory=dict)


def list_series(rule: Rule, samples: Iterable[Sample]) -> list[SeriesKey]:
    """List the series of the rule among the samples of its metric, in order.

    Without `by` there is always one: `()`.
    """
    if not rule.by:
        return [()]
    return sorted(
        {make_series_key(rule, one.labels) for one in samples if one.metric == rule.metric and _matches(rule, one)}
    )


def make_series_key(rule: Rule, labels: Mapping[str, str]) -> SeriesKey:
    """Return the series that a sample with these labels belongs to; a missing label is empty."""
    return tuple((name, labels.get(name, "")) for name in sorted(rule.by))


def read_window(
    rule: Rule,
    samples: Iterable[Sample],
    at: DateTime,
    series: SeriesKey = (),
    holidays: Collection[str] = (),
) -> RuleReading:
    """Read one series of the rule at the tick `at`: samples before `at`, the window [at - window, at).

    A rule of whole days sees the last calendar day of its zone that is over. `holidays`: ISO dates of the
    baseline's zone that are no ordinary days.
    """
    return SampleHistory(rule, samples).read(at, series, holidays)


class SampleHistory:
    """The samples of a rule sorted once, to be read at many ticks."""

    def __init__(self, rule: Rule, samples: Iterable[Sample]) -> None:
        self._rule = rule
        self._series: list[SeriesKey] = []
        found: dict[tuple[str, SeriesKey], list[Sample]] = {}
        wanted = {rule.metric, rule.per}
        kept = [one for one in samples if one.metric in wanted and _matches(rule, one)]
        for one in kept:
            found.setdefault((one.metric, make_series_key(rule, one.labels)), []).append(one)
        self._series = list_series(rule, kept)
        self._figures: dict[SeriesKey, dict[SampleSlices, AggregateFigure]] = {}
        self._lines = {name: _line(inside, rule.no_data_after) for name, inside in found.items()}

    def series(self) -> list[SeriesKey]:
        """List the series among the samples."""
        return list(self._series)

    def read(self, at: DateTime, series: SeriesKey = (), holidays: Collection[str] = ()) -> RuleReading:
        """Read the rule's window at the tick `at`; nothing from `at` on is known."""
        rule = self._rule
        now = at.timestamp()
        own = self._lines.get((rule.metric, series), _NONE).before(now)
        per = self._lines.get((rule.per or "", series), _NONE).before(now)
        figure_of = _aggregator(rule, own, per, self._figures.setdefault(series, {}))
        if rule.daily:
            _, first, past = last_whole_day(at, rule.zone)
            start, end = first.timestamp(), past.timestamp()
        else:
            start, end = now - rule.window.total_seconds(), now
        value, events = figure_of(start, end)
        baseline, behind = _baseline(rule, own, (start, end), holidays, figure_of)
        return RuleReading(at, value, events, baseline, behind, _newest(rule, own, per))


def aggregate_samples(rule: Rule, inside: Sequence[Sample]) -> float | None:
    """Aggregate the samples of a window in order of time (`per` apart) to one value; None of none."""
    events = sum(one.count for one in inside)
    if not inside or events <= 0:
        return None
    if rule.aggregate in PERCENTILES:
        return _percentile(inside, PERCENTILES[rule.aggregate] * events)
    return _AGGREGATES[rule.aggregate](rule, inside)


def _percentile(inside: Sequence[Sample], rank: float) -> float:
    """The smallest value that at least `rank` events do not exceed: an event's own value, never one in between."""
    seen = 0.0
    ordered = sorted(inside, key=lambda one: one.value)
    for one in ordered:
        seen += one.count
        if seen >= rank * (1 - 1e-12):
            return one.value
    return ordered[-1].value


def _mean(_: Rule, inside: Sequence[Sample]) -> float:
    return sum(one.value * one.count for one in inside) / sum(one.count for one in inside)


def _sum(_: Rule, inside: Sequence[Sample]) -> float:
    return sum(one.value for one in inside)


def _rate(rule: Rule, inside: Sequence[Sample]) -> float:
    return _sum(rule, inside) / (rule.window / timedelta(minutes=1))


def _share(rule: Rule, inside: Sequence[Sample]) -> float:
    limit = rule.at_least if rule.at_least is not None else 1.0
    return sum(one.count for one in inside if one.value >= limit) / sum(one.count for one in inside)


_AGGREGATES: Mapping[Aggregate, Callable[[Rule, Sequence[Sample]], float]] = {
    Aggregate.MEAN: _mean,
    Aggregate.SUM: _sum,
    Aggregate.RATE: _rate,
    Aggregate.SHARE: _share,
    Aggregate.COUNT: lambda _, inside: sum(one.count for one in inside),
    Aggregate.MIN: lambda _, inside: min(one.value for one in inside),
    Aggregate.MAX: lambda _, inside: max(one.value for one in inside),
    # Of several at the same moment the largest, so that the order in which they came says nothing.
    Aggregate.LAST: lambda _, inside: max((one.at, one.value) for one in inside)[1],
}


@dataclass(frozen=True, slots=True)
class _Line:
    """The samples of one series in order of time, of which the first `known` are known."""

    samples: Sequence[Sample]
    times: Sequence[float]  # seconds of the epoch
    known: int
    holes: Sequence[int]  # places of the samples after which nothing came for as long as counts as silence

    def before(self, at: float) -> _Line:
        return _Line(self.samples, self.times, bisect_left(self.times, at), self.holes)

    def between(self, start: float, end: float) -> slice:
        return slice(bisect_left(self.times, start), bisect_left(self.times, end, hi=self.known))

    def newest(self) -> DateTime | None:
        return self.samples[self.known - 1].at if self.known else None

    def whole(self, start: float, end: float, longest: float) -> bool:
        """Whether it was heard all through [start, end): begun by its start, no hole of `longest` that touches it."""
        if not self.known or self.times[0] > start:
            return False
        first = bisect_right(self.times, start, hi=self.known) - 1
        past = bisect_left(self.times, end, hi=self.known)
        if past == self.known and end - self.times[past - 1] >= longest:
            return False
        hole = bisect_left(self.holes, first)
        return hole == len(self.holes) or self.holes[hole] >= min(past, self.known - 1)


_NONE = _Line((), (), 0, ())


def _line(samples: Iterable[Sample], longest: timedelta) -> _Line:
    ordered = sorted(samples, key=lambda one: one.at)
    times = [one.at.timestamp() for one in ordered]
    pairs = enumerate(pairwise(times))
    holes = [place for place, (one, other) in pairs if other - one >= longest.total_seconds()]
    return _Line(ordered, times, len(ordered), holes)


def _matches(rule: Rule, one: Sample) -> bool:
    return all(one.labels.get(name) == value for name, value in rule.labels.items())


def _newest(rule: Rule, own: _Line, per: _Line) -> DateTime | None:
    newest = [line.newest() for line in ((own, per) if rule.per else (own,))]
    heard = [one for one in newest if one is not None]
    return min(heard) if len(heard) == len(newest) else None


def _aggregator(
    rule: Rule, own: _Line, per: _Line, known: dict[SampleSlices, AggregateFigure]
) -> Callable[..., AggregateFigure]:
    """The figure of any window of the series. The same samples are summed up once, however many ticks see them."""

    def figure(start: float, end: float) -> AggregateFigure:
        mine, all_ = own.between(start, end), per.between(start, end)
        key = (mine.start, mine.stop, all_.start, all_.stop)
        if key not in known:
            known[key] = _figure(rule, own.samples[mine], per.samples[all_])
        return known[key]

    return figure


def _figure(rule: Rule, inside: Sequence[Sample], of: Sequence[Sample]) -> AggregateFigure:
    if rule.per is not None:
        of_all = sum(one.value for one in of)
        return (_sum(rule, inside) / of_all if of_all > 0 else None), max(of_all, 0.0)
    in_values = rule.aggregate in (Aggregate.SUM, Aggregate.RATE)
    events = sum(max(one.value, 0.0) if in_values else one.count for one in inside)
    return aggregate_samples(rule, inside), events


def _baseline(
    rule: Rule,
    own: _Line,
    window: TimeRange,
    holidays: Collection[str],
    figure_of: Callable[..., AggregateFigure],
) -> AggregateFigure:
    """What the window is compared with.

    A volume is only compared where it was heard all through both windows: half an hour of figures is no hour, and the
    hour after an hour of silence is no surge.
    """
    base = rule.baseline
    if base is None or not rule.condition.compares:
        return None, 0

    longest = rule.no_data_after.total_seconds()

    def heard(start: float, end: float) -> bool:
        return rule.aggregate not in VOLUMES or own.whole(start, end, longest)

    if not heard(*window):
        return None, 0
    found = [
        figure
        for start, end in _earlier(rule, base, window, holidays)
        if heard(start, end) and (figure := figure_of(start, end))[0] is not None
    ]
    if len(found) < (base.min_weeks if base.kind == "same-hours" else 1):
        return None, 0
    return median(value for value, _ in found if value is not None), sum(events for _, events in found)


def _earlier(rule: Rule, base: Baseline, window: TimeRange, holidays: Collection[str]) -> list[TimeRange]:
    """The windows of the baseline, the latest first."""
    start, end = window
    if base.kind == "previous":
        back = (base.offset if base.offset is not None else rule.window).total_seconds()
        return [(start - back, end - back)]
    if holidays and _day(start, base.zone) in holidays:
        return []
    ends = [end - _weeks_back(int(end) // _QUARTER, base.zone, week) for week in range(1, base.weeks + 1)]
    windows = [(one - rule.window.total_seconds(), one) for one in ends]
    return [one for one in windows if not holidays or _day(one[0], base.zone) not in holidays]


@lru_cache(maxsize=4096)
def _weeks_back(quarter: int, zone: str, weeks: int) -> float:
    """Seconds back to the same hour on the wall: across a change of clocks it is another hour of UTC.

    One answer for a quarter of an hour of UTC: clocks change on one.
    """
    local = pendulum.from_timestamp(quarter * _QUARTER, zone)
    return quarter * _QUARTER - local.subtract(weeks=weeks).timestamp()


def _day(moment: float, zone: str) -> str:
    return pendulum.from_timestamp(moment, zone).to_date_string()
