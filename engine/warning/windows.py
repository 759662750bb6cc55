"""Moving windows over sums: late and outgoing samples are added or taken away, no tick sums anew.

A log keeps the samples of each bucket (a tick's length) summed up by slot (a label set of a rule); a window
is a range of buckets that moves with the tick. Taking away what was added would let rounding grow in plain
floats (a value of 1e12 that has left the window would leave its traces for ever), so totals are unevaluated
sums of two floats, exact to about 106 bits (Knuth's TwoSum: The Art of Computer Programming, vol. 2, 4.2.2,
theorem B; Dekker 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from engine.warning.sample_arrays import Floats, Ints, Slots

Chunk = TypeVar("Chunk")


@dataclass(frozen=True, slots=True)
class SlotBatch:
    """Samples of one bucket, by slot; times in microseconds. A slot may come more than once."""

    slots: Slots
    at: Ints
    value: Floats
    count: Floats


class MovingWindow(Protocol):
    """Range of buckets that moves on, and what is to be known of it by slot."""

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket, the newest or one that is past (late)."""
        ...

    def move(self, start: int, end: int) -> None:
        """Move to the buckets from start up to end."""
        ...

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        ...

    def read(self) -> Floats:
        """The window's value by slot; meaningful only where the window has samples."""
        ...


def buckets_between(keys: Mapping[int, object], start: int, end: int) -> Iterator[int]:
    """Yield the buckets from start up to end that hold anything, in order, without visiting empty ones."""
    if end - start <= 4 * len(keys) + 8:
        yield from (bucket for bucket in range(start, end) if bucket in keys)
    else:
        yield from sorted(bucket for bucket in keys if start <= bucket < end)


class BucketLog(Generic[Chunk]):
    """Log of what each bucket holds, as long as a window may look back on it."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[Chunk]] = {}
        self._oldest = 0

    def put(self, bucket: int, chunk: Chunk) -> None:
        """Add to a bucket."""
        self.chunks.setdefault(bucket, []).append(chunk)

    def forget(self, before: int) -> None:
        """Drop what no window reaches any more."""
        if before > self._oldest:
            for bucket in list(buckets_between(self.chunks, self._oldest, before)):
                del self.chunks[bucket]
            self._oldest = before

    def chunks_between(self, start: int, end: int) -> Iterator[Chunk]:
        """Yield all chunks of a range of buckets, oldest first."""
        for bucket in buckets_between(self.chunks, start, end):
            yield from self.chunks[bucket]


@dataclass(frozen=True, slots=True)
class SlotSums:
    """Columns of one bucket summed up by slot: each slot once."""

    slots: Slots | None  # None: every slot from the first on, in order
    rows: Floats


def sum_by_slot(slots: Slots, rows: Floats, size: int) -> SlotSums:
    """Sum columns by slot."""
    if slots.size == 1:
        return SlotSums(slots, rows)
    if slots.size * 2 >= size:  # most slots have something: whole columns are quicker than picking
        return SlotSums(None, np.stack([np.bincount(slots, weights=row, minlength=size) for row in rows]))
    unique, inverse = np.unique(slots, return_inverse=True)
    if unique.size == slots.size:
        return SlotSums(slots, rows)
    return SlotSums(unique, np.stack([np.bincount(inverse, weights=row, minlength=unique.size) for row in rows]))


class SumWindow:
    """Totals by slot over a range of buckets, kept exact while it moves."""

    def __init__(self, rows: int) -> None:
        self.start = self.end = 0
        self._high = np.zeros((rows, 0))
        self._low = np.zeros((rows, 0))

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        self._high, self._low = grow_array(self._high, size), grow_array(self._low, size)

    def add(self, sums: SlotSums, sign: float = 1.0) -> None:
        """Add, or take away, what one bucket holds."""
        rows = sums.rows if sign > 0 else -sums.rows
        where = slice(0, rows.shape[1]) if sums.slots is None else sums.slots
        old = self._high[:, where]
        new = old + rows
        part = new - old
        self._low[:, where] += (old - (new - part)) + (rows - part)
        self._high[:, where] = new

    def move(self, start: int, end: int, log: BucketLog[SlotSums]) -> None:
        """Move to another range: what left is taken away, what came is added."""
        if (start, end) == (self.start, self.end):
            return
        gone, come = (self.start, start), (self.end, end)
        if start >= self.end or start < self.start or end < self.end:
            self._high[:] = 0.0
            self._low[:] = 0.0
            gone, come = (0, 0), (start, end)
        for sums in log.chunks_between(*gone):
            self.add(sums, -1.0)
        for sums in log.chunks_between(*come):
            self.add(sums)
        self.start, self.end = start, end

    def row(self, index: int) -> Floats:
        """One of the totals."""
        total: Floats = self._high[index] + self._low[index]
        return total


class SumLog:
    """Sums of a metric by bucket, with every window on them. `columns`: a batch as the rows that are summed."""

    def __init__(self, columns: Callable[[SlotBatch], Sequence[Floats]], rows: int, size: int = 0) -> None:
        self._columns, self._rows, self._size = columns, rows, size
        self._log: BucketLog[SlotSums] = BucketLog()
        self._windows: dict[Hashable, SumWindow] = {}

    def window(self, key: Hashable) -> SumWindow:
        """A window on these sums, shared by all callers with the same key, who move it to the same ranges."""
        if key not in self._windows:
            self._windows[key] = SumWindow(self._rows)
            self._windows[key].grow(self._size)
        return self._windows[key]

    def move(self, window: SumWindow, start: int, end: int) -> None:
        """Move one of its windows."""
        window.move(start, end, self._log)

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        self._size = size
        for window in self._windows.values():
            window.grow(size)

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket."""
        sums = sum_by_slot(batch.slots, np.stack(list(self._columns(batch))), self._size)
        before = self._log.chunks.pop(bucket, [])
        covering = [window for window in self._windows.values() if window.start <= bucket < window.end]
        if len(before) >= _MOST_CHUNKS:  # a long bucket filled tick by tick: one chunk again, so that memory is bounded
            for window in covering:
                for old in before:
                    window.add(old, -1.0)
            sums, before = _merged([*before, sums], self._size), []
        for window in covering:
            window.add(sums)
        self._log.chunks[bucket] = [*before, sums]

    def forget(self) -> None:
        """Drop what none of its windows reaches any more."""
        self._log.forget(min((window.start for window in self._windows.values()), default=0))


_MOST_CHUNKS = 6


def _merged(chunks: Sequence[SlotSums], size: int) -> SlotSums:
    wide = np.zeros((chunks[0].rows.shape[0], size))
    for chunk in chunks:
        where = slice(0, chunk.rows.shape[1]) if chunk.slots is None else chunk.slots
        wide[:, where] += chunk.rows
    slots = np.flatnonzero(wide[0])  # the first row counts samples
    return SlotSums(None, wide) if slots.size * 2 >= size else SlotSums(slots, wide[:, slots])


def grow_array(array: Floats, size: int, fill: float = 0.0) -> Floats:
    """Make room for `size` in an array's last dimension."""
    missing = size - array.shape[-1]
    if missing <= 0:
        return array
    return np.concatenate([array, np.full((*array.shape[:-1], missing), fill)], axis=-1)
