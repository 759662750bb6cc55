"""Baseline of the same hours: the median over the last weeks, from history read ahead of the tick."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from domain.warning.rule import VOLUMES, Baseline, Rule
from engine.warning.gaps import SeriesGaps
from engine.warning.moving_aggregate import SUMMED, MovingAggregate
from engine.warning.sample_arrays import MINUTE, SECOND, BaselineHistory, Floats, HistoryArrays, Ints, Slots, Truths
from engine.warning.series_groups import MetricSamples, SeriesGroups, SumKind
from engine.warning.windows import MovingWindow, SlotBatch, SumLog
from storage.samples.sample_store import from_micros, to_micros

_QUARTER: Final = 15 * MINUTE  # clocks change, and days begin, on quarters of an hour
AHEAD: Final = 10 * MINUTE  # so much history is read at a time, before a tick needs it


@dataclass(frozen=True, slots=True)
class _PastBatch(SlotBatch):
    """Rows of history by slot: `value` holds the sums of values, `count` the events."""

    samples: Floats = field(default_factory=lambda: np.zeros(0))
    weighted: Floats = field(default_factory=lambda: np.zeros(0))


def _rows(kind: SumKind) -> SumLog:
    def volume(batch: SlotBatch) -> tuple[Floats, Floats, Floats]:
        assert isinstance(batch, _PastBatch)  # noqa: S101 - what a _PastFeed is given
        return batch.samples, batch.value, np.maximum(batch.value, 0.0)

    def events(batch: SlotBatch) -> tuple[Floats, Floats, Floats]:
        assert isinstance(batch, _PastBatch)  # noqa: S101
        return batch.samples, batch.count, batch.weighted

    return SumLog(volume if kind.name == "volume" else events, 3)


class _PastFeed:
    """One metric's history, by the slots of the live figures."""

    def __init__(self, live: MetricSamples, longest: int | None) -> None:
        self.live = live
        self._logs: dict[SumKind, SumLog] = {}
        self.heard = SeriesGaps(longest) if longest is not None else None
        self.waiting: list[HistoryArrays] = []  # rows of series that have no slot yet

    def log(self, kind: SumKind) -> SumLog:
        if kind not in self._logs:
            self._logs[kind] = _rows(kind)
        return self._logs[kind]

    def add(self, window: MovingWindow) -> None:
        raise NotImplementedError(type(window).__name__)  # rows of minutes hold no percentiles

    def grow(self, size: int) -> None:
        for log in self._logs.values():
            log.grow(size)
        if self.heard is not None:
            self.heard.grow(size)

    def insert(self, past: HistoryArrays, grain: int) -> None:
        slots = self.live.slots_of(past.series)
        known = slots >= 0
        if not known.all():
            self.waiting.append(_chosen(past, ~known))
            past, slots = _chosen(past, known), slots[known]
        if self.heard is not None:
            self.heard.add_samples(slots, past.at)
        buckets = past.at // grain
        for bucket in np.unique(buckets).tolist():
            mine = buckets == bucket
            batch = _batch(slots, past, mine)
            for log in self._logs.values():
                log.insert(bucket, batch)

    def wake(self, grain: int, before: int) -> None:
        """Series that have got a slot meanwhile; rows before that time are of no use any more."""
        waiting, self.waiting = self.waiting, []
        for past in waiting:
            rest = past.at >= before
            if rest.any():
                self.insert(past if rest.all() else _chosen(past, rest), grain)

    def forget(self, before: int) -> None:
        for log in self._logs.values():
            log.forget()
        if self.heard is not None:
            self.heard.forget(before)


def _chosen(past: HistoryArrays, rows: Truths) -> HistoryArrays:
    return HistoryArrays(
        *(getattr(past, name)[rows] for name in ("series", "at", "samples", "events", "total", "weighted"))
    )


def _batch(slots: Slots, past: HistoryArrays, rows: Truths) -> _PastBatch:
    at: Ints = past.at[rows]
    return _PastBatch(
        slots[rows], at, past.total[rows], past.events[rows], samples=past.samples[rows], weighted=past.weighted[rows]
    )


class _Week:
    """One of the weeks: what was, `back` microseconds ago."""

    def __init__(self, rule: Rule, groups: SeriesGroups, grain: int) -> None:
        volume = rule.aggregate in VOLUMES
        self._margin = int(rule.no_data_after.total_seconds() * SECOND) + MINUTE if volume else 0
        longest = int(rule.no_data_after.total_seconds() * SECOND) if volume else None
        self.feeds = [_PastFeed(feed, longest if place == 0 else None) for place, feed in enumerate(groups.feeds)]
        self._figure = MovingAggregate(rule, self.feeds, grain)
        self._grain = grain
        self._groups = groups
        self._loaded: int | None = None  # up to here
        self._size = 0

    def grow(self) -> None:
        """Have room for as many slots as the live figures have."""
        if self._groups.size != self._size:
            self._size = self._groups.size
            for feed in self.feeds:
                feed.grow(self._size)

    def load(self, history: BaselineHistory, start: int, end: int, ahead: int) -> None:
        """Have what the range needs, and a little more."""
        if self._loaded is not None and self._loaded >= end + self._margin:
            return
        begin = start - self._margin if self._loaded is None else self._loaded
        past = -(-(end + self._margin + ahead) // MINUTE) * MINUTE
        self.grow()
        for feed in self.feeds:
            feed.insert(history.rows(feed.live.metric, begin // MINUTE * MINUTE, past), self._grain)
        self._loaded = past

    def read(self, start: int, end: int, *, woken: bool) -> tuple[Floats, Floats]:
        """Value and events by slot; NaN where the week has none."""
        self.grow()
        if woken:
            for feed in self.feeds:
                feed.wake(self._grain, start - self._margin)
        value, events = self._figure.read(start, end)
        heard = self.feeds[0].heard
        if heard is not None:
            value = np.where(heard.is_whole(start, end, past=True), value, np.nan)
        for feed in self.feeds:
            feed.forget(start - self._margin)
        return value, events


class SameHoursBaseline:
    """Median of the same window of the week over the last weeks, by slot.

    Windows go by whole minutes, as history does. Percentiles, extremes and shares of single values have no such
    baseline: the rows of history do not hold them.
    """

    def __init__(
        self, rule: Rule, base: Baseline, groups: SeriesGroups, history: BaselineHistory, holidays: Collection[str]
    ) -> None:
        self._rule, self._base, self._groups, self._history = rule, base, groups, history
        self._holidays = frozenset(holidays)
        self._length = int(rule.window.total_seconds() * SECOND)
        self._grain = max(MINUTE, groups.grain)
        self._weeks: dict[int, _Week] = {}  # by how far back
        self._seen = (-1, -1, -1)
        self._generation = -1
        self._quarters = (-1, -1)
        self._known_backs: list[int] = []
        self._last: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))

    def prepare(self, at: int) -> None:
        """Read ahead, so that no tick has to."""
        for back in self._backs(at):
            self._load(at, back, AHEAD)

    def read(self, at: int) -> tuple[Floats, Floats]:
        """The baseline and the events behind it, at a tick."""
        minute, size = at // MINUTE * MINUTE, self._groups.size
        seen = (minute, size, self._groups.version)
        if seen != self._seen:
            woken = seen[2] != self._seen[2]
            self._last = self._median(minute, size, woken=woken)
            self._seen = seen
        return self._last

    def _median(self, at: int, size: int, *, woken: bool) -> tuple[Floats, Floats]:
        found = []
        for back in self._backs(at):
            week = self._load(at, back, 0)
            found.append(week.read(at - back - self._length, at - back, woken=woken))
        nothing = np.full(size, np.nan), np.zeros(size)
        if not found:
            return nothing
        values = np.stack([value for value, _ in found])
        known = ~np.isnan(values)
        enough = known.sum(axis=0) >= self._base.min_weeks
        if not enough.any():
            return nothing
        median = np.full(size, np.nan)
        ordered, count = np.sort(values[:, enough], axis=0), known[:, enough].sum(axis=0)  # NaN comes last
        place = np.arange(count.size)
        median[enough] = (ordered[(count - 1) // 2, place] + ordered[count // 2, place]) / 2
        events = np.where(known, np.stack([events for _, events in found]), 0.0).sum(axis=0)
        return median, np.where(enough, events, 0.0)

    def _load(self, at: int, back: int, ahead: int) -> _Week:
        if back not in self._weeks:
            self._weeks[back] = _Week(self._rule, self._groups, self._grain)
        week, end = self._weeks[back], at // MINUTE * MINUTE - back
        week.load(self._history, end - self._length, end, ahead)
        return week

    def _backs(self, at: int) -> list[int]:
        """How far back each week is. On the other side of a change of clocks it is an hour more or less."""
        quarters = (at // _QUARTER, (at - self._length) // _QUARTER)
        if self._generation != self._groups.generation:  # slots were given back: what they held is not of their next
            self._generation = self._groups.generation
            self._weeks.clear()
        elif quarters == self._quarters:
            return self._known_backs
        self._quarters, self._known_backs = quarters, self._find_backs(at)
        for gone in self._weeks.keys() - set(self._known_backs):
            del self._weeks[gone]
        return self._known_backs

    def _find_backs(self, at: int) -> list[int]:
        end = from_micros(at // MINUTE * MINUTE).in_timezone(self._base.zone)
        start_day = self._day(at // MINUTE * MINUTE - self._length)
        if start_day in self._holidays:
            return []
        ends = [to_micros(end.subtract(weeks=week)) for week in range(1, self._base.weeks + 1)]
        return [to_micros(end) - one for one in ends if self._day(one - self._length) not in self._holidays]

    def _day(self, at: int) -> str:
        return from_micros(at).in_timezone(self._base.zone).to_date_string()


def has_same_hours(rule: Rule) -> bool:
    """Whether history can give the rule's aggregate."""
    return rule.per is not None or rule.aggregate in SUMMED
