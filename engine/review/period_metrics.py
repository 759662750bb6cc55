"""Metrics of a period: as a whole, day by day, by label. Days are those of the installation's zone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from pendulum import DateTime

from domain.review.period import Period, days_of
from domain.warning.metrics import Metric, MetricKind
from domain.warning.rule import Aggregate
from storage.database import Connection
from storage.reviews import review_records
from storage.samples.health_queries import compute_shares, list_series_labels
from storage.samples.rollups import RollupSums, read_history
from storage.samples.sample_store import LIVE_FEED, SampleStore

WHOLE_DAY: Final = timedelta(days=1)
STEP: Final = timedelta(minutes=30)  # where the clocks change: nowhere by less
GOOD_SCORE: Final = 4.0  # 4 and 5 of 5
DAY_FORMAT: Final = "YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class MetricAmount:
    """Value of a metric. `events`: of how many; `by_day`: day -> value, days without any left out."""

    value: float | None
    events: float
    total: float
    by_day: Mapping[str, float]


class PeriodMetrics:
    """Metrics of one feed over a period."""

    def __init__(
        self,
        figures: SampleStore,
        connection: Connection,
        metrics: Mapping[str, Metric],
        period: Period,
        feed: str = LIVE_FEED,
    ) -> None:
        self._figures = figures
        self._connection = connection
        self._metrics = metrics
        self._lane = feed
        self._begins = period.begins
        self._ends = period.ends
        self.days = days_of(period)
        self._starts = [day.timestamp() - period.begins.timestamp() for day in self.days]
        # A sum a day and series is as little as can be read; days of 23 or 25 hours are put together from half hours.
        even = all(start == place * WHOLE_DAY.total_seconds() for place, start in enumerate(self._starts))
        self._step = WHOLE_DAY if even else STEP
        self._rows: dict[str, list[RollupSums]] = {}
        self._labels: dict[str, dict[int, Mapping[str, str]]] = {}

    def known(self, metric: str) -> Metric | None:
        """Return the metric of that name; None: not known."""
        return self._metrics.get(metric)

    def better(self, metric: str) -> Literal["up", "down"]:
        """Return which way is better."""
        known = self.known(metric)
        return known.better if known else "down"

    def amount(self, metric: str, **labels: str) -> MetricAmount:
        """Return a metric as it is reported: volumes summed, shares of good events where known, else means."""
        known = self.known(metric)
        if metric == "complaint_rate" and not self._of(metric):
            return self._ratio("complaints", "contacts")
        if known is not None and known.aggregate is Aggregate.SHARE and not labels:
            return self._share(metric)
        rows = self._of(metric, **labels)
        by_day = {
            day: value for day, those in self._by_day(rows).items() if (value := _value(known, those)) is not None
        }
        return MetricAmount(
            _value(known, rows), sum(row.events for row in rows), sum(row.total for row in rows), by_day
        )

    def by_label(self, metric: str, label: str) -> dict[str, float]:
        """Sum a volume by the values of a label; under the empty name what has no such label."""
        self._of(metric)
        found: dict[str, float] = {}
        for row in self._rows[metric]:
            name = self._labels[metric].get(row.series, {}).get(label, "")
            found[name] = found.get(name, 0.0) + row.total
        return found

    def _share(self, metric: str) -> MetricAmount:
        """Of each day how many events were good, as `keep_days` kept it."""
        known = review_records.list_day_figures(
            self._connection, metric, self.days[0].format(DAY_FORMAT), self.days[-1].format(DAY_FORMAT)
        )
        events, good = sum(one[0] for one in known.values()), sum(one[1] for one in known.values())
        by_day = {day: one[1] / one[0] for day, one in sorted(known.items()) if one[0]}
        return MetricAmount(good / events if events else None, events, good, by_day)

    def _ratio(self, above: str, below: str) -> MetricAmount:
        over, under = self.amount(above), self.amount(below)
        by_day = {day: over.by_day.get(day, 0.0) / value for day, value in under.by_day.items() if value}
        if not under.total or not over.events:
            return MetricAmount(None, 0.0, 0.0, {})
        return MetricAmount(over.total / under.total, under.total, over.total, by_day)

    def _of(self, metric: str, **labels: str) -> list[RollupSums]:
        if metric not in self._rows:
            self._rows[metric] = read_history(self._figures, self._lane, metric, self._begins, self._ends, self._step)
            self._labels[metric] = list_series_labels(self._figures, self._lane, metric) if self._rows[metric] else {}
        names = self._labels[metric]
        wanted = labels.items()
        return [row for row in self._rows[metric] if wanted <= names.get(row.series, {}).items()]

    def _by_day(self, rows: Iterable[RollupSums]) -> dict[str, list[RollupSums]]:
        found: dict[str, list[RollupSums]] = {}
        for row in rows:
            place = bisect_right(self._starts, row.bucket * self._step.total_seconds()) - 1
            found.setdefault(self.days[place].format(DAY_FORMAT), []).append(row)
        return dict(sorted(found.items()))


def _value(metric: Metric | None, rows: list[RollupSums]) -> float | None:
    events = sum(row.events for row in rows)
    if not rows or events <= 0:
        return None
    if metric is not None and metric.kind is MetricKind.VOLUME:
        return sum(row.total for row in rows)
    return sum(row.weighted for row in rows) / events


@dataclass(frozen=True, slots=True)
class DayShare:
    """Events of a day and a metric: how many, and how many good ones."""

    day: str
    metric: str
    events: float
    good: float


def compute_daily_shares(
    figures: SampleStore, metrics: Mapping[str, Metric], now: DateTime, zone: str
) -> list[DayShare]:
    """Compute the shares of yesterday and today as far as raw samples tell.

    Kept every hour or so nothing is missed: raw samples stay for 26 hours, and of a day the fuller count
    stays.
    """
    today = now.in_timezone(zone).start_of("day")
    found = []
    for metric in metrics.values():
        if metric.aggregate is Aggregate.SHARE:
            found += [_share_of(figures, metric, day) for day in (today.subtract(days=1), today)]
    return [one for one in found if one.events]


def _share_of(figures: SampleStore, metric: Metric, day: DateTime) -> DayShare:
    limit = GOOD_SCORE if metric.at_least is None else metric.at_least
    rows = compute_shares(figures, LIVE_FEED, metric.id, limit, day, day.add(days=1), timedelta(days=2))
    return DayShare(
        day.format(DAY_FORMAT), metric.id, sum(row.events for row in rows), sum(row.weighted for row in rows)
    )
