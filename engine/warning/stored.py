"""Figures from the store, as the evaluator takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pendulum import DateTime

from engine.warning.columns import MINUTE, Columns, Past
from storage import figures as store
from storage.figures import Figures, moment
from storage.figures_history import course


def fresh(found: store.Columns) -> Columns:
    """The samples that a window may look at: not those that came too late."""
    columns = Columns.of(
        np.frombuffer(found.series, dtype=np.int64) if len(found) else np.zeros(0),
        np.frombuffer(found.at, dtype=np.int64) if len(found) else np.zeros(0),
        np.frombuffer(found.value, dtype=np.float64) if len(found) else np.zeros(0),
        np.frombuffer(found.events, dtype=np.float64) if len(found) else np.zeros(0),
    )
    if not len(found):
        return columns
    stale = np.frombuffer(found.stale, dtype=np.int8) != 0
    return columns.where(~stale) if stale.any() else columns


class StoredHistory:
    """History of one lane, from its rows of minutes."""

    def __init__(self, figures: Figures, lane: str) -> None:
        self._figures, self._lane = figures, lane

    def rows(self, metric: str, start: int, end: int) -> Past:
        """All series of a metric, minute by minute."""
        found = course(self._figures, self._lane, metric, moment(start), moment(end))
        names = ("series", "bucket", "samples", "events", "total", "weighted")
        series, bucket, *rest = (np.array([getattr(one, name) for one in found]) for name in names)
        sums: list[Any] = [row.astype(np.float64) for row in rest]
        return Past(series.astype(np.int64), start + bucket.astype(np.int64) * MINUTE, *sums)


def in_batches(figures: Figures, cursor: int, take: Callable[[Columns], None], limit: int = 50_000) -> int:
    """Hand on all that arrived after the cursor; the new cursor."""
    while True:
        found, cursor = figures.after(cursor, limit)
        if len(found):
            take(fresh(found))
        if len(found) < limit:
            return cursor


def samples_between(figures: Figures, lane: str, start: DateTime, end: DateTime, until: int) -> Columns:
    """Samples of a lane, as far as they had arrived at the cursor `until`."""
    return fresh(figures.between(lane, None, start, end, until=until))
