"""Least, greatest and newest value of moving windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.warning.sample_arrays import Floats, Ints, Slots
from engine.warning.windows import BucketLog, SlotBatch, grow_array

_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class _Edge:
    """Each slot once."""

    slots: Slots
    value: Floats
    at: Ints


class ExtremeWindow:
    """Greatest value (`sign` 1) or least value (`sign` -1) of the window, by slot."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self._log: BucketLog[_Edge] = BucketLog()
        self._start = self._end = 0
        self._best = np.zeros(0)  # of value * sign

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        self._best = grow_array(self._best, size, -np.inf)

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket."""
        best = np.full(self._best.size, -np.inf)
        np.maximum.at(best, batch.slots, batch.value * self.sign)
        slots = np.flatnonzero(best > -np.inf)
        edge = _Edge(slots, best[slots], np.zeros(0, dtype=np.int64))
        self._log.put(bucket, edge)
        if self._start <= bucket < self._end:
            self._add(edge)

    def _add(self, edge: _Edge) -> None:
        self._best[edge.slots] = np.maximum(self._best[edge.slots], edge.value)

    def move(self, start: int, end: int) -> None:
        """Move the window; a slot whose best value leaves looks for another."""
        orphaned = np.zeros(self._best.size, dtype=np.bool_)
        for edge in self._log.chunks_between(self._start, min(start, self._end)):
            orphaned[edge.slots] |= edge.value >= self._best[edge.slots]
        if start < self._start or end < self._end:
            orphaned[:] = True
        for edge in self._log.chunks_between(max(start, self._end), end):
            self._add(edge)
        if orphaned.any():
            self._best[orphaned] = -np.inf
            for edge in self._log.chunks_between(start, end):
                again = orphaned[edge.slots]
                slots = edge.slots[again]
                self._best[slots] = np.maximum(self._best[slots], edge.value[again])
        self._start, self._end = start, end
        self._log.forget(start)

    def read(self) -> Floats:
        """The extreme by slot; meaningful only where the window has samples."""
        return self._best * self.sign


class LastWindow:
    """Newest value of the window, by slot; of two at the same moment the greater one."""

    def __init__(self) -> None:
        self._log: BucketLog[_Edge] = BucketLog()
        self._start = self._end = 0
        self._value = np.zeros(0)
        self._at = np.zeros(0, dtype=np.int64)

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        missing = size - self._at.size
        self._value = grow_array(self._value, size)
        if missing > 0:
            self._at = np.concatenate([self._at, np.full(missing, _NEVER)])

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket."""
        order = np.lexsort((batch.value, batch.at, batch.slots))
        slots = batch.slots[order]
        newest = np.flatnonzero(np.append(slots[1:] != slots[:-1], True))
        edge = _Edge(slots[newest], batch.value[order][newest], batch.at[order][newest])
        self._log.put(bucket, edge)
        if self._start <= bucket < self._end:
            self._add(edge)

    def _add(self, edge: _Edge) -> None:
        at, value = self._at[edge.slots], self._value[edge.slots]
        newer = (edge.at > at) | ((edge.at == at) & (edge.value > value))
        self._at[edge.slots[newer]] = edge.at[newer]
        self._value[edge.slots[newer]] = edge.value[newer]

    def move(self, start: int, end: int) -> None:
        """Move the window."""
        if start < self._start or end < self._end:
            self._at[:] = _NEVER
            come = start
        else:
            come = max(start, self._end)
        for edge in self._log.chunks_between(come, end):
            self._add(edge)
        self._start, self._end = start, end
        self._log.forget(start)

    def read(self) -> Floats:
        """The newest value by slot; meaningful only where the window has samples."""
        return self._value
