"""Gaps of series: a volume is compared only between windows without one.

The reference is `whole` in domain/warning/reference_evaluator.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.warning.sample_arrays import Ints, Slots, Truths

_NEVER: Final = np.iinfo(np.int64).min
_ALWAYS: Final = np.iinfo(np.int64).max


class SeriesGaps:
    """First and newest sample of each slot, and every gap of at least `longest` microseconds."""

    def __init__(self, longest: int, size: int = 0) -> None:
        self.longest = longest
        self._first = np.full(0, _ALWAYS)
        self._newest = np.full(0, _NEVER)
        self._slots = np.zeros(0, dtype=np.intp)
        self._left: Ints = np.zeros(0, dtype=np.int64)  # a hole is between its left and its right sample
        self._right: Ints = np.zeros(0, dtype=np.int64)
        self.grow(size)

    def grow(self, size: int) -> None:
        """Make room for so many slots."""
        missing = size - self._first.size
        if missing > 0:
            self._first = np.concatenate([self._first, np.full(missing, _ALWAYS)])
            self._newest = np.concatenate([self._newest, np.full(missing, _NEVER)])

    def add_samples(self, slots: Slots, at: Ints) -> None:
        """Add samples of these slots at these times."""
        order = np.lexsort((at, slots))
        slots, at = slots[order], at[order]
        late = at < self._newest[slots]
        for slot, time in zip(slots[late].tolist(), at[late].tolist(), strict=True):
            self._hear_late(slot, time)
        slots, at = slots[~late], at[~late]
        if not slots.size:
            return
        leads = np.concatenate([[True], slots[1:] != slots[:-1]])
        before = np.where(leads, self._newest[slots], np.concatenate([at[:1], at[:-1]]))
        known = before != _NEVER
        hole = known & (at - np.where(known, before, at) >= self.longest)
        if hole.any():
            self._dig(slots[hole], before[hole], at[hole])
        np.minimum.at(self._first, slots, at)
        np.maximum.at(self._newest, slots, at)

    def _dig(self, slots: Slots, left: Ints, right: Ints) -> None:
        self._slots = np.concatenate([self._slots, slots])
        self._left = np.concatenate([self._left, left])
        self._right = np.concatenate([self._right, right])

    def _hear_late(self, slot: int, at: int) -> None:
        first = int(self._first[slot])
        if at < first:
            self._first[slot] = at
            if first - at >= self.longest:
                self._dig(np.array([slot]), np.array([at]), np.array([first]))
            return
        for index in np.flatnonzero((self._slots == slot) & (self._left < at) & (at < self._right)).tolist():
            left, right = int(self._left[index]), int(self._right[index])
            self._keep(np.arange(self._slots.size) != index)
            for one, other in ((left, at), (at, right)):
                if other - one >= self.longest:
                    self._dig(np.array([slot]), np.array([one]), np.array([other]))

    def _keep(self, chosen: Truths) -> None:
        self._slots, self._left, self._right = self._slots[chosen], self._left[chosen], self._right[chosen]

    def is_whole(self, start: int, end: int, *, past: bool = False) -> Truths:
        """By slot: begun by `start`, and no gap of `longest` touches [start, end).

        `past`: the present is known elsewhere, so that after the newest sample here there is a gap.
        """
        known = self._newest != _NEVER
        newest = np.where(known, self._newest, 0)
        sound: Truths = (
            known & (self._first <= start) & ((newest >= end) | ((end - newest < self.longest) & (not past)))
        )
        touching = (self._right > start) & (self._left < end)
        sound[self._slots[touching]] = False
        return sound

    def forget(self, before: int) -> None:
        """Drop gaps that ended before then."""
        if self._right.size and bool((self._right < before).any()):
            self._keep(self._right >= before)

    def clear_slots(self, slots: list[int]) -> None:
        """Clear these slots."""
        self._first[slots] = _ALWAYS
        self._newest[slots] = _NEVER
        if self._slots.size:
            self._keep(~np.isin(self._slots, slots))
