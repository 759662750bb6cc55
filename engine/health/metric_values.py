"""Values of metrics over the last day, now, and by the quarter of an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pendulum import DateTime

from domain.durations import elapsed, later
from domain.health.plan import CoreMeasure, IndexComponent
from domain.warning.metrics import Metric, MetricKind
from domain.warning.rule import Aggregate
from storage.samples.health_queries import compute_shares, list_series_labels
from storage.samples.rollups import RollupSums, read_history
from storage.samples.sample_store import SampleStore, from_micros, to_micros

STEP: Final = timedelta(minutes=15)
POINTS: Final = 96  # a day of them
HOUR: Final = timedelta(hours=1)
DAY: Final = STEP * POINTS
_MINUTE: Final = timedelta(minutes=1)
_GOOD: Final = 4.0  # of a share without a limit of its own: 4 and 5 of 5


@dataclass(frozen=True, slots=True)
class MetricWindow:
    """Sums of a metric's series in a stretch of time, and how long the stretch was."""

    rows: Sequence[RollupSums]
    span: timedelta


MetricWindows = Callable[[str], MetricWindow]  # of a metric


class MetricValues:
    """Values of metrics of one feed as they were known at `at`. Each metric is read once."""

    def __init__(
        self, figures: SampleStore, metrics: Mapping[str, Metric], feed: str, at: DateTime, service: str = ""
    ) -> None:
        self._figures = figures
        self._metrics = metrics
        self._feed = feed
        self._service = service
        self.at = at
        step = STEP // timedelta(microseconds=1)
        last = (to_micros(at) - 1) // step * step  # the quarter in progress; at its end that quarter is whole
        self.begins = from_micros(last - (POINTS - 1) * step)
        self._days: dict[str, list[RollupSums]] = {}
        self._chosen: dict[str, frozenset[int] | None] = {}

    def now(self, metric: str, window: timedelta, per: str = "", *, rate: bool = False) -> float | None:
        """The value of the last `window`; None: no data. `rate`: volumes by the minute."""
        begin = later(self.at, -window)
        return self._value(
            metric, per, lambda name: MetricWindow(self._read(name, begin, self.at, window), window), rate=rate
        )

    def last(self, metric: str, span: timedelta, per: str = "") -> float | None:
        """The value of the last `span`, in whole quarters of an hour with the current one; read with the day."""
        first = POINTS - max(1, -(-span // STEP))

        def of(name: str) -> MetricWindow:
            return MetricWindow([row for row in self.day(name) if row.bucket >= first], span)

        return self._value(metric, per, of)

    def points(self, metric: str, per: str = "", *, rate: bool = False) -> list[float | None]:
        """The value of each quarter of an hour of the last day, the current one at the end; None: no data."""
        mine, others = _by_bucket(self.day(metric)), _by_bucket(self.day(per)) if per else {}
        ends = elapsed(self.begins, self.at)

        def one(place: int) -> float | None:
            span = max(_MINUTE, min(STEP, ends - STEP * place))
            rows = {metric: mine.get(place, ()), per: others.get(place, ())}
            return self._value(metric, per, lambda name: MetricWindow(rows[name], span), rate=rate)

        return [one(place) for place in range(POINTS)]

    def day(self, metric: str) -> list[RollupSums]:
        """The sums of each quarter of an hour of the last day."""
        if metric not in self._days:
            self._days[metric] = self._read(metric, self.begins, self.at, STEP)
        return self._days[metric]

    def has_data(self, measure: CoreMeasure | IndexComponent) -> bool:
        """Whether there is any sample of it in the last day."""
        return bool(self.day(measure.metric)) and (not measure.per or bool(self.day(measure.per)))

    def _read(self, name: str, begin: DateTime, end: DateTime, step: timedelta) -> list[RollupSums]:
        known = self._metrics.get(name)
        if known is not None and known.aggregate is Aggregate.SHARE:
            limit = _GOOD if known.at_least is None else known.at_least
            rows = compute_shares(self._figures, self._feed, name, limit, begin, end, step)
        else:
            rows = read_history(self._figures, self._feed, name, begin, end, max(step, _MINUTE))
        chosen = self._series(name) if rows else None
        return [row for row in rows if chosen is None or row.series in chosen]

    def _series(self, name: str) -> frozenset[int] | None:
        """The series of the service; None: all."""
        if not self._service:
            return None
        if name not in self._chosen:
            found = list_series_labels(self._figures, self._feed, name)
            self._chosen[name] = frozenset(
                number for number, labels in found.items() if labels.get("service") == self._service
            )
        return self._chosen[name]

    def _value(self, metric: str, per: str, of: MetricWindows, *, rate: bool = False) -> float | None:
        value = combine_sums(self._metrics.get(metric), of(metric), rate=rate)
        if value is None or not per:
            return value
        below = combine_sums(self._metrics.get(per), of(per))
        return value / below if below else None


def combine_sums(metric: Metric | None, window: MetricWindow, *, rate: bool = False) -> float | None:
    """Combine a metric's sums into one value; None without any.

    Volumes add up (`rate`: a minute of the window). What is there at a moment (backlog, agents) is each series'
    mean, added up over the series. All else is the mean over events; so are percentiles, which minutes do not
    keep.
    """
    rows = window.rows
    events = sum(row.events for row in rows)
    if not rows or events <= 0:
        return None
    aggregate = metric.aggregate if metric is not None else Aggregate.MEAN
    if aggregate in (Aggregate.MIN, Aggregate.MAX):
        return min(row.least for row in rows) if aggregate is Aggregate.MIN else max(row.most for row in rows)
    if aggregate is Aggregate.COUNT:
        return events
    if metric is not None and (metric.kind is MetricKind.VOLUME or aggregate in (Aggregate.SUM, Aggregate.RATE)):
        total = sum(row.total for row in rows)
        return total / (window.span / _MINUTE) if rate or aggregate is Aggregate.RATE else total
    if metric is not None and metric.kind is MetricKind.GAUGE:
        return sum(_mean(series) for series in _by_series(rows).values())
    return sum(row.weighted for row in rows) / events


def _mean(rows: Sequence[RollupSums]) -> float:
    return sum(row.weighted for row in rows) / sum(row.events for row in rows)


def _by_series(rows: Iterable[RollupSums]) -> dict[int, list[RollupSums]]:
    found: dict[int, list[RollupSums]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(row)
    return found


def _by_bucket(rows: Iterable[RollupSums]) -> dict[int, list[RollupSums]]:
    found: dict[int, list[RollupSums]] = {}
    for row in rows:
        found.setdefault(row.bucket, []).append(row)
    return found
