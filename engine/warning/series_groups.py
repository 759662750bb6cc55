"""Groups of series that belong together for a rule.

Each label set of the rule's `by` has a slot, a place in every array.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.warning.rule import SeriesKey
from engine.warning.gaps import SeriesGaps
from engine.warning.sample_arrays import Floats, Ints, SampleArrays, SeriesDescriptor, Slots, Truths
from engine.warning.windows import MovingWindow, SlotBatch, SumLog

NEVER: Final = np.iinfo(np.int64).min
_NOT_OURS, _ASLEEP = -1, -2
_ROOM: Final = 64


@dataclass(frozen=True, slots=True)
class SumKind:
    """Kind of sums kept of samples: three rows, the first of which counts the samples.

    `events`: events, value times events. `volume`: values, and those above zero (a volume's events are its
    value). `share`: events, and those of them whose value is at least `limit`.
    """

    name: str
    limit: float = 0.0

    def rows(self, batch: SlotBatch) -> Sequence[Floats]:
        """The rows of a batch."""
        value, count, one = batch.value, batch.count, np.ones_like(batch.value)
        if self.name == "volume":
            return one, value, np.maximum(value, 0.0)
        return one, count, (np.where(value >= self.limit, count, 0.0) if self.name == "share" else value * count)


class MetricSamples:
    """Samples of one metric, by slot: what each bucket holds, and every window on it."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.newest: Ints = np.full(0, NEVER)
        self._logs: dict[SumKind, SumLog] = {}
        self._shapes: list[MovingWindow] = []
        self._heard: dict[int, SeriesGaps] = {}
        self._place: Slots = np.full(_ROOM, _NOT_OURS, dtype=np.intp)  # series -> slot
        self._size = 0

    def log(self, kind: SumKind) -> SumLog:
        """The sums of a kind, made when it is new."""
        if kind not in self._logs:
            self._logs[kind] = SumLog(kind.rows, 3, self._size)
        return self._logs[kind]

    def add(self, window: MovingWindow) -> None:
        """Add a window, which gets every sample from now on."""
        window.grow(self._size)
        self._shapes.append(window)

    def gaps(self, longest: int) -> SeriesGaps:
        """The gaps of its series, of at least `longest` microseconds."""
        if longest not in self._heard:
            self._heard[longest] = SeriesGaps(longest, self._size)
        return self._heard[longest]

    def place(self, series: int, slot: int) -> None:
        """Place a series' samples in that slot from now on."""
        if series >= self._place.size:
            more = np.full(max(series + 1, 2 * self._place.size) - self._place.size, _NOT_OURS, dtype=np.intp)
            self._place = np.concatenate([self._place, more])
        self._place[series] = slot

    def slots_of(self, series: Ints) -> Slots:
        """Slots of these series; below zero for those that have none."""
        known = np.minimum(series, self._place.size - 1)
        slots: Slots = np.where(series < self._place.size, self._place[known], _NOT_OURS)
        return slots

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        self._size = size
        self.newest = np.concatenate([self.newest, np.full(max(0, size - self.newest.size), NEVER)])
        for log in self._logs.values():
            log.grow(size)
        for window in self._shapes:
            window.grow(size)
        for heard in self._heard.values():
            heard.grow(size)

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket that are visible from now on."""
        np.maximum.at(self.newest, batch.slots, batch.at)
        for log in self._logs.values():
            log.insert(bucket, batch)
        for window in self._shapes:
            window.insert(bucket, batch)
        for heard in self._heard.values():
            heard.add_samples(batch.slots, batch.at)

    def forget(self, before: int) -> None:
        """Drop what no window reaches any more, and gaps that ended before that time."""
        for log in self._logs.values():
            log.forget()
        for heard in self._heard.values():
            heard.forget(before)

    def clear_slots(self, slots: list[int]) -> None:
        """Clear these slots."""
        self.newest[slots] = NEVER
        for heard in self._heard.values():
            heard.clear_slots(slots)


class SeriesGroups:
    """Series of one selection (metric, `per`, labels, by), shared by all rules that select the same."""

    def __init__(self, metrics: Iterable[str], labels: Mapping[str, str], by: tuple[str, ...], grain: int) -> None:
        self.grain = grain
        self.feeds = tuple(MetricSamples(metric) for metric in dict.fromkeys(metrics))
        self._labels, self._by = dict(labels), by
        self._members: dict[SeriesKey, list[tuple[MetricSamples, int]]] = {}
        self._key_of: dict[tuple[str, int], SeriesKey] = {}
        self.slots: dict[SeriesKey, int] = {}
        self.keys: list[SeriesKey | None] = []
        self._free: list[int] = []
        self.size = 0  # slots that there is room for
        self.live: Truths = np.zeros(0, dtype=np.bool_)  # those of them that have a label set
        self.version = 0  # another one whenever a series got a slot
        self.generation = 0  # another one whenever slots were given back

    def add_series(self, series: SeriesDescriptor) -> None:
        """Add a series; it gets a slot with its first sample, or at once where its group has one."""
        if any(series.labels.get(name) != value for name, value in self._labels.items()):
            return
        key = tuple(sorted((name, series.labels.get(name, "")) for name in self._by))
        for feed in self.feeds:
            if feed.metric == series.metric and (feed.metric, series.id) not in self._key_of:
                self._key_of[feed.metric, series.id] = key
                self._members.setdefault(key, []).append((feed, series.id))
                slot = self.slots.get(key)
                feed.place(series.id, _ASLEEP if slot is None else slot)
                self.version += slot is not None

    def slot(self, key: SeriesKey) -> int:
        """The slot of a label set, made where there is none."""
        if key in self.slots:
            return self.slots[key]
        if self._free:
            slot = self._free.pop()
            self.keys[slot] = key
        else:
            slot = len(self.keys)
            self.keys.append(key)
        self.slots[key] = slot
        if slot >= self.size:
            self._grow(max(_ROOM, 2 * self.size))
        self.live[slot] = True
        for feed, series in self._members.get(key, ()):
            feed.place(series, slot)
        self.version += 1
        return slot

    def _grow(self, size: int) -> None:
        self.live = np.concatenate([self.live, np.zeros(size - self.size, dtype=np.bool_)])
        self.size = size
        for feed in self.feeds:
            feed.grow(size)

    def free_slots(self, slots: list[int]) -> None:
        """Free the slots of label sets that have gone quiet; their windows hold nothing any more."""
        for slot in slots:
            key = self.keys[slot]
            if key is None:
                continue
            for feed, series in self._members.get(key, ()):
                feed.place(series, _ASLEEP)
            del self.slots[key]
            self.keys[slot] = None
            self.live[slot] = False
            self._free.append(slot)
        self.generation += 1
        for feed in self.feeds:
            feed.clear_slots(slots)

    def batch(self, feed: MetricSamples, columns: SampleArrays) -> SlotBatch | None:
        """The rows that are this metric's, by slot; series whose slot was freed get one again."""
        slots = feed.slots_of(columns.series)
        if (slots == _ASLEEP).any():
            for series in np.unique(columns.series[slots == _ASLEEP]).tolist():
                self.slot(self._key_of[feed.metric, series])
            slots = feed.slots_of(columns.series)
        ours = slots >= 0
        if ours.all():
            return SlotBatch(slots, columns.at, columns.value, columns.count) if slots.size else None
        if not ours.any():
            return None
        return SlotBatch(slots[ours], columns.at[ours], columns.value[ours], columns.count[ours])

    def newest(self) -> Ints:
        """Time of the newest sample by slot; with two metrics, the older of the two."""
        times = self.feeds[0].newest
        return times if len(self.feeds) == 1 else np.minimum(times, self.feeds[1].newest)
