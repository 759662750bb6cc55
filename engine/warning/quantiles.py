"""Percentiles of moving windows: a logarithmic histogram a slot, and a pointer that follows the rank.

A value falls into the bin of its logarithm; bins are 1 % wide, and a bin answers with the mean of what it
holds. So a percentile is within 1 % of the value at that rank, and exact where the bin holds one value only
(DDSketch: Masson, Rim, Lee, VLDB 2019, section 2, is the same idea with the bin's middle). Values from 1e-9
to 1e12 either side of zero are told apart; what is nearer to zero is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.warning.sample_arrays import Floats, Slots
from engine.warning.windows import BucketLog, SlotBatch, grow_array

_SMALLEST: Final = 1e-9
_LOG_WIDTH: Final = float(np.log(1.01))
_MOST: Final = 4_900  # bins on one side: log(1e12 / 1e-9) / log(1.01) = 4,860
_COLUMNS: Final = 256  # room to begin with
_MARGIN: Final = 4  # neighbours made with a new bin: figures wander
_STEPS: Final = 32  # bins that a pointer walks before the whole row is counted instead
_DIGITS: Final = 12
_SLACK: Final = 1e-9  # counts may be fractions: what rounding leaves of them is no event


@dataclass(frozen=True, slots=True)
class _Bins:
    slots: Slots
    bins: Slots
    weight: Floats
    total: Floats


class QuantileWindow:
    """Value at rank `share` of a window's events, by slot: the least one that as many do not exceed."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._log: BucketLog[_Bins] = BucketLog()
        self._start = self._end = 0
        self._size = 0
        # Columns stay where they were made, new ones come behind; `_order` tells them by their bins.
        self._bins: Slots = np.zeros(0, dtype=np.intp)  # the bins there are, ascending
        self._order: Slots = np.zeros(0, dtype=np.intp)  # and the column of each
        self._column: Slots = np.full(2 * _MOST + 1, -1, dtype=np.intp)  # of a bin; -1: none yet
        self._rank: Slots = np.zeros(2 * _MOST + 1, dtype=np.intp)  # place of a bin in `_bins`
        self._weight = np.zeros((0, _COLUMNS))
        self._total = np.zeros((0, _COLUMNS))
        self._all = np.zeros(0)  # events of the slot
        self._pointer: Slots = np.zeros(0, dtype=np.intp)  # a place in `_bins`
        self._below = np.zeros(0)  # events left of the pointer

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        if size <= self._size:
            return
        rows = ((0, size - self._size), (0, 0))
        self._weight, self._total = np.pad(self._weight, rows), np.pad(self._total, rows)
        self._all, self._below = grow_array(self._all, size), grow_array(self._below, size)
        self._pointer = np.pad(self._pointer, (0, size - self._size))
        self._size = size

    def insert(self, bucket: int, batch: SlotBatch) -> None:
        """Insert samples of a bucket."""
        chunk = self._binned(batch)
        self._log.put(bucket, chunk)
        if self._start <= bucket < self._end:
            self._add(chunk, 1.0)

    def move(self, start: int, end: int) -> None:
        """Move to another range: what left is taken away, what came is added."""
        gone, come = (self._start, start), (self._end, end)
        if start >= self._end or start < self._start or end < self._end:
            for array in (self._weight, self._total, self._all, self._below):
                array[:] = 0.0
            self._pointer[:] = 0
            gone, come = (0, 0), (start, end)
        for chunk in self._log.chunks_between(*gone):
            self._add(chunk, -1.0)
        for chunk in self._log.chunks_between(*come):
            self._add(chunk, 1.0)
        self._start, self._end = start, end
        self._log.forget(start)

    def read(self) -> Floats:
        """The percentile by slot; meaningful only where the window has samples."""
        if not self._bins.size:
            return np.full(self._size, np.nan)
        self._follow()
        flat = np.arange(self._size) * self._weight.shape[1] + self._order[self._pointer]
        weight, total = self._weight.ravel()[flat], self._total.ravel()[flat]
        with np.errstate(invalid="ignore", divide="ignore"):
            return round_values(total / weight)

    def _binned(self, batch: SlotBatch) -> _Bins:
        bins = bin_of(batch.value)
        slots, weight, total = batch.slots, batch.count, batch.value * batch.count
        if slots.size > 2 * self._size:  # a busy bucket: keep one row a slot and bin
            keys, inverse = np.unique(slots * (2 * _MOST + 1) + bins, return_inverse=True)
            slots, bins = keys // (2 * _MOST + 1), keys % (2 * _MOST + 1)
            weight, total = (np.bincount(inverse, row, keys.size).astype(np.float64) for row in (weight, total))
        return _Bins(slots.astype(np.int32), bins.astype(np.int16), weight, total)

    def _add(self, chunk: _Bins, sign: float) -> None:
        columns = self._column[chunk.bins]
        if sign > 0 and (columns < 0).any():
            self._widen(np.unique(chunk.bins[columns < 0]))
            columns = self._column[chunk.bins]
        slots, weight = chunk.slots, chunk.weight * sign
        flat = slots.astype(np.intp) * self._weight.shape[1] + columns
        np.add.at(self._weight.ravel(), flat, weight)
        np.add.at(self._total.ravel(), flat, chunk.total * sign)
        self._all += np.bincount(slots, weights=weight, minlength=self._size)
        left = self._rank[chunk.bins] < self._pointer[slots]
        if left.any():
            self._below += np.bincount(slots[left], weights=weight[left], minlength=self._size)

    def _widen(self, new: Slots) -> None:
        """Make columns for bins that were not seen before."""
        around = (new[:, None].astype(np.intp) + np.arange(-_MARGIN, _MARGIN + 1)).ravel()
        bins = np.union1d(self._bins, np.clip(around, 0, 2 * _MOST))
        fresh = bins[self._column[bins] < 0]
        self._column[fresh] = np.arange(self._bins.size, bins.size)
        if bins.size > self._weight.shape[1]:
            room = max(bins.size, self._weight.shape[1] * 3 // 2)
            self._weight, self._total = _wider(self._weight, room), _wider(self._total, room)
        place = np.searchsorted(bins, self._bins)
        if self._bins.size:
            self._pointer = place[self._pointer]
        self._bins, self._order = bins, self._column[bins]
        self._rank[bins] = np.arange(bins.size)

    def _follow(self) -> None:
        """Bring every pointer to the bin that holds the rank: below < rank <= below + its weight."""
        rank = self._all * (self.share - _SLACK)
        flat = self._weight.ravel()
        base = np.arange(self._size) * self._weight.shape[1]
        last = self._bins.size - 1
        for step in range(_STEPS + 1):
            at = flat[base + self._order[self._pointer]]
            up = np.flatnonzero((self._below + at < rank) & (self._pointer < last))
            down = np.flatnonzero((self._below >= rank) & (self._pointer > 0))
            if not (up.size or down.size):
                break
            if step == _STEPS:
                self._count(np.concatenate([up, down]))
                break
            self._walk(up, down, rank)
        empty = self._all <= 0
        self._pointer[empty] = 0
        self._below[empty] = 0.0

    def _walk(self, up: Slots, down: Slots, rank: Floats) -> None:
        """A few bins up or down: those that are there stay, the rest go on."""
        flat, width, order = self._weight.ravel(), self._weight.shape[1], self._order
        for _ in range(_STEPS):
            if not up.size:
                break
            self._below[up] += flat[up * width + order[self._pointer[up]]]
            self._pointer[up] += 1
            short = self._below[up] + flat[up * width + order[self._pointer[up]]] < rank[up]
            up = up[short & (self._pointer[up] < order.size - 1)]
        for _ in range(_STEPS):
            if not down.size:
                break
            self._pointer[down] -= 1
            self._below[down] -= flat[down * width + order[self._pointer[down]]]
            over = self._below[down] >= rank[down]
            down = down[over & (self._pointer[down] > 0)]

    def _count(self, slots: Slots) -> None:
        """Find the rank of these slots in their whole rows."""
        rows = np.cumsum(self._weight[slots[:, None], self._order], axis=1)
        rank = (self._all * (self.share - _SLACK))[slots]
        self._pointer[slots] = np.minimum((rows < rank[:, None]).sum(axis=1), self._bins.size - 1)
        before = np.maximum(self._pointer[slots] - 1, 0)
        below = np.take_along_axis(rows, before[:, None], axis=1)[:, 0]
        self._below[slots] = np.where(self._pointer[slots] > 0, below, 0.0)


def _wider(array: Floats, room: int) -> Floats:
    wide = np.zeros((array.shape[0], room))
    wide[:, : array.shape[1]] = array
    return wide


def bin_of(values: Floats) -> Slots:
    """The bin of each value: ascending with the value, the middle one for zero."""
    size = np.maximum(np.abs(values), _SMALLEST)
    index = np.minimum(1 + (np.log(size / _SMALLEST) / _LOG_WIDTH).astype(np.intp), _MOST)
    index[np.abs(values) < _SMALLEST] = 0
    bins: Slots = np.where(values < 0, -index, index) + _MOST
    return bins


def round_values(values: Floats) -> Floats:
    """Round to twelve digits: beyond them is only the rounding error of a sum and its division."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** np.clip(_DIGITS - 1 - np.nan_to_num(size, posinf=0.0, neginf=0.0), -300, 300)
    result: Floats = np.round(values * scale) / scale
    return result
