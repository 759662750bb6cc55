"""Evaluator of all rules of one feed: samples go in, a tick returns the rule states that changed.

The tick at T sees samples with `at < T`. The reference of every reading is domain/warning/reference_evaluator.py, of
every rule state domain/warning/state_machine.py; nothing here decides anything of its own.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

import numpy as np
from pendulum import DateTime

from domain.warning.rule import Rule, SeriesKey
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange
from engine.warning.rule_reader import RuleReader, look_back
from engine.warning.sample_arrays import GRAIN, MINUTE, SECOND, BaselineHistory, SampleArrays, SeriesDescriptor
from engine.warning.series_groups import SeriesGroups
from engine.warning.tracker import RuleTracker
from storage.samples.sample_store import from_micros, to_micros

log = logging.getLogger("tocsin.warning")
_LONG: Final = timedelta(hours=6)  # the old edge of a longer window goes by whole minutes
_QUARTER: Final = 15 * MINUTE  # every zone's midnight falls on a quarter of an hour
_TIDY: Final = 60 * MINUTE  # so often label sets that have gone quiet are forgotten
_KEPT_SILENT: Final = 24 * 60 * MINUTE  # so long after its last sample a series' "no data" is still shown


class Evaluator:
    """Evaluator of rules on the series of one feed.

    `grain`: length of a tick in microseconds; a backtest on half-hourly samples has longer ones.
    `rule_at`: a rule as it is in force at a moment; only thresholds may differ from the rule given.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        history: BaselineHistory | None = None,
        holidays: Collection[str] = (),
        grain: int = GRAIN,
        rule_at: Callable[[Rule, DateTime], Rule] = lambda rule, _: rule,
    ) -> None:
        self.rules = tuple(rules)
        self.grain = grain
        self.at: int | None = None  # the last tick, in microseconds
        self._rule_at = rule_at
        self._groups: dict[tuple[object, ...], SeriesGroups] = {}
        self.trackers = [RuleTracker(rule, *self._gauge(rule, history, holidays)) for rule in self.rules]
        self._metrics = {feed.metric for groups in self._groups.values() for feed in groups.feeds}
        self._metric: dict[str, int] = {name: place for place, name in enumerate(sorted(self._metrics))}
        self._metric_of = np.full(64, -1, dtype=np.int16)  # of a series; -1: no rule looks at it
        self._pending: dict[int, list[SampleArrays]] = {}  # samples that no tick has seen yet
        self._due: list[int] = []  # their buckets, a heap
        self._reach = max((look_back(rule) for rule in self.rules), default=0)
        self._tidied = 0
        self._failing: set[RuleTracker] = set()

    def _gauge(
        self, rule: Rule, history: BaselineHistory | None, holidays: Collection[str]
    ) -> tuple[SeriesGroups, RuleReader]:
        grain = _QUARTER if rule.daily else MINUTE if rule.window > _LONG else self.grain
        grain = max(grain, self.grain) if not rule.daily else grain
        metrics = (rule.metric, rule.per) if rule.per is not None else (rule.metric,)
        key = (metrics, tuple(sorted(rule.labels.items())), rule.by, grain)
        if key not in self._groups:
            self._groups[key] = SeriesGroups(metrics, rule.labels, rule.by, grain)
        groups = self._groups[key]
        return groups, RuleReader(rule, groups, history, holidays)

    @property
    def reach(self) -> timedelta:
        """How far back samples must be given before the first tick, so that it sees what it would have seen."""
        return timedelta(microseconds=self._reach)

    @property
    def size(self) -> int:
        """How many series of rules there are."""
        return sum(len(watch.groups.slots) for watch in self.trackers)

    # --- in

    def add_series(self, series: Iterable[SeriesDescriptor]) -> None:
        """Add the series that there are; samples of others are passed over."""
        for one in series:
            if one.metric not in self._metric:
                continue
            if one.id >= self._metric_of.size:
                more = max(one.id + 1, 2 * self._metric_of.size) - self._metric_of.size
                self._metric_of = np.concatenate([self._metric_of, np.full(more, -1, dtype=np.int16)])
            self._metric_of[one.id] = self._metric[one.metric]
            for groups in self._groups.values():
                groups.add_series(one)

    def restore(self, rule_states: Mapping[tuple[str, SeriesKey], RuleState], at: DateTime | None = None) -> None:
        """Restore recorded rule states, and continue after the tick `at`."""
        by_rule: dict[str, dict[SeriesKey, RuleState]] = {}
        for (rule, key), rule_state in rule_states.items():
            by_rule.setdefault(rule, {})[key] = rule_state
        for watch in self.trackers:
            watch.restore(by_rule.get(watch.rule.id, {}))
        self.at = None if at is None else to_micros(at) // self.grain * self.grain

    def add_samples(self, columns: SampleArrays) -> None:
        """Add samples, in any order. They count from the next tick whose time is later than theirs."""
        known = np.minimum(columns.series, self._metric_of.size - 1)
        watched = (columns.series < self._metric_of.size) & (self._metric_of[known] >= 0)
        if not watched.all():
            columns = columns.select(watched)
        for bucket, rows in _by_bucket(columns, self.grain):
            if self.at is not None and bucket * self.grain < self.at:
                self._insert(bucket, rows)
            else:
                if bucket not in self._pending:
                    self._pending[bucket] = []
                    heapq.heappush(self._due, bucket)
                self._pending[bucket].append(rows)

    # --- ticks

    def prepare(self, at: DateTime) -> None:
        """Read ahead what the ticks of the next minutes need of history, so that none has to wait for it."""
        for watch in self.trackers:
            watch.reader.prepare(to_micros(at))

    def tick(self, at: DateTime) -> list[RuleStateChange]:
        """Evaluate every rule at a time that is a whole number of ticks; the rule states that changed.

        Raises:
            ValueError: between two ticks, or not after the last one.
        """
        now = to_micros(at)
        if now % self.grain or (self.at is not None and now <= self.at):
            raise ValueError(
                f"{at.isoformat()} is no tick after the last one: ticks are {self.grain // SECOND} s apart"
            )
        while self._due and self._due[0] * self.grain < now:
            bucket = heapq.heappop(self._due)
            self._insert(bucket, _joined(self._pending.pop(bucket)))
        self.at = now
        changes: list[RuleStateChange] = []
        for watch in self.trackers:
            changes += self._watched(watch, at, now)
        for groups in self._groups.values():
            for feed in groups.feeds:
                feed.forget(now - self._reach)
        if now - self._tidied >= _TIDY:
            self._tidied = now
            changes += self._tidy(now)
        return changes

    def _watched(self, watch: RuleTracker, at: DateTime, now: int) -> list[RuleStateChange]:
        """One rule's tick. A fault in one must not silence the others; it is said once, and tried again."""
        try:
            changes = watch.tick(self._rule_at(watch.rule, at), now)
        except Exception:
            if watch not in self._failing:
                log.exception("rule %s could not be evaluated; the others go on", watch.rule.id)
            self._failing.add(watch)
            return []
        self._failing.discard(watch)
        return changes

    def _insert(self, bucket: int, columns: SampleArrays) -> None:
        """Let samples of one tick be seen."""
        metrics = self._metric_of[columns.series]
        by_metric: dict[str, SampleArrays] = {}
        for groups in self._groups.values():
            for feed in groups.feeds:
                if feed.metric not in by_metric:
                    mine = metrics == self._metric[feed.metric]
                    by_metric[feed.metric] = columns if mine.all() else columns.select(mine)
                if len(by_metric[feed.metric]):
                    batch = groups.batch(feed, by_metric[feed.metric])
                    if batch is not None:
                        feed.insert(bucket * self.grain // groups.grain, batch)

    def _tidy(self, now: int) -> list[RuleStateChange]:
        """Forget label sets of which nothing was heard for longer than any rule looks back."""
        changes: list[RuleStateChange] = []
        for groups in self._groups.values():
            watches = [watch for watch in self.trackers if watch.groups is groups]
            newest = np.max([feed.newest for feed in groups.feeds], axis=0)
            idle = newest < now - max(self._reach, _KEPT_SILENT)
            for watch in watches:
                idle &= watch.idle()
            slots = [slot for slot, key in enumerate(groups.keys) if key is not None and key != () and idle[slot]]
            if slots:
                for watch in watches:
                    changes += watch.forget(slots, now)
                groups.free_slots(slots)
        return changes

    # --- what there is to see

    def rule_states(self) -> Iterator[tuple[str, SeriesKey, RuleState]]:
        """Yield the state of every rule on every one of its series."""
        for watch in self.trackers:
            for key, rule_state in watch.rule_states():
                yield watch.rule.id, key, rule_state

    def count_firing(self) -> int:
        """Count the series that warn now."""
        return sum(
            rule_state.phase in (RulePhase.FIRING, RulePhase.RECOVERING) for _, _, rule_state in self.rule_states()
        )

    @property
    def last_tick(self) -> DateTime | None:
        """The last tick."""
        return None if self.at is None else from_micros(self.at)


def _by_bucket(columns: SampleArrays, grain: int) -> Iterator[tuple[int, SampleArrays]]:
    if not len(columns):
        return
    buckets = columns.at // grain
    first = int(buckets[0])
    if (buckets == first).all():
        yield first, columns
        return
    order = np.argsort(buckets, kind="stable")
    ordered = columns.select(order)
    unique, starts = np.unique(buckets[order], return_index=True)
    for bucket, start, end in zip(unique.tolist(), starts, [*starts[1:], order.size], strict=True):
        part = slice(start, end)
        yield bucket, SampleArrays(ordered.series[part], ordered.at[part], ordered.value[part], ordered.count[part])


def _joined(parts: list[SampleArrays]) -> SampleArrays:
    if len(parts) == 1:
        return parts[0]
    names = ("series", "at", "value", "count")
    return SampleArrays(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
