"""Moving aggregate of a rule over a range of time, for every slot at once.

The reference is domain/warning/reference_evaluator.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from domain.warning.rule import PERCENTILES, Aggregate, Rule
from engine.warning.extreme_windows import ExtremeWindow, LastWindow
from engine.warning.quantiles import QuantileWindow
from engine.warning.sample_arrays import MINUTE, SECOND, Floats
from engine.warning.series_groups import SumKind
from engine.warning.windows import MovingWindow, SumLog

SUMMED = frozenset({Aggregate.MEAN, Aggregate.SUM, Aggregate.COUNT, Aggregate.RATE})  # what rows of minutes tell too
_SHAPES: dict[Aggregate, Callable[[], MovingWindow]] = {
    Aggregate.MIN: lambda: ExtremeWindow(-1),
    Aggregate.MAX: lambda: ExtremeWindow(1),
    Aggregate.LAST: LastWindow,
}


class WindowSource(Protocol):
    """Source of sums and windows."""

    def log(self, kind: SumKind) -> SumLog:
        """The sums of a kind."""
        ...

    def add(self, window: MovingWindow) -> None:
        """Add a window of another kind."""
        ...


def sum_kind_of(rule: Rule) -> SumKind:
    """The kind of sums that a rule needs of its samples."""
    if rule.per is not None or rule.aggregate in (Aggregate.SUM, Aggregate.RATE):
        return SumKind("volume")
    if rule.aggregate is Aggregate.SHARE:
        return SumKind("share", 1.0 if rule.at_least is None else rule.at_least)
    return SumKind("events")


class MovingAggregate:
    """One aggregate over one moving range."""

    def __init__(self, rule: Rule, sources: Sequence[WindowSource], grain: int, back: int = 0) -> None:
        """Make the aggregate; it looks `back` microseconds earlier than the rule's own window.

        Rules with the same range share sums.
        """
        self._rule, self._grain = rule, grain
        self._minutes = rule.window.total_seconds() * SECOND / MINUTE
        kind = sum_kind_of(rule)
        key = (rule.window, rule.zone if rule.daily else "", back)
        self._sums = [(log, log.window(key)) for log in (source.log(kind) for source in sources)]
        self._shape: MovingWindow | None = None
        if rule.per is None:
            if rule.aggregate in PERCENTILES:
                self._shape = QuantileWindow(PERCENTILES[rule.aggregate])
            elif rule.aggregate in _SHAPES:
                self._shape = _SHAPES[rule.aggregate]()
            if self._shape is not None:
                sources[0].add(self._shape)

    def read(self, start: int, end: int) -> tuple[Floats, Floats]:
        """Value and events by slot over [start, end), in microseconds; a value is NaN where there is none."""
        first, past = start // self._grain, -(-end // self._grain)
        for log, window in self._sums:
            log.move(window, first, past)
        if self._shape is not None:
            self._shape.move(first, past)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._per() if self._rule.per is not None else self._own()

    def _own(self) -> tuple[Floats, Floats]:
        window = self._sums[0][1]
        some = window.row(0) > 0
        aggregate = self._rule.aggregate
        if aggregate in (Aggregate.SUM, Aggregate.RATE):
            value, events = window.row(1), window.row(2)
            if aggregate is Aggregate.RATE:
                value = value / self._minutes
        else:
            events = window.row(1)
            if self._shape is not None:
                value = self._shape.read()
            else:
                value = events if aggregate is Aggregate.COUNT else window.row(2) / events
        return np.where(some, value, np.nan), np.where(some, events, 0.0)

    def _per(self) -> tuple[Floats, Floats]:
        own, per = self._sums[0][1], self._sums[-1][1]
        part = np.where(own.row(0) > 0, own.row(1), 0.0)
        whole = np.where(per.row(0) > 0, per.row(1), 0.0)
        return np.where(whole > 0, part / whole, np.nan), np.maximum(whole, 0.0)
