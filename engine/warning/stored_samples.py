"""Stored samples, as the evaluator takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pendulum import DateTime

from engine.warning.sample_arrays import MINUTE, HistoryArrays, SampleArrays
from storage.samples import sample_store as store
from storage.samples.rollups import read_history
from storage.samples.sample_store import SampleStore, from_micros


def drop_late(found: store.SampleColumns) -> SampleArrays:
    """Keep the samples that a window may look at: not those that came too late."""
    columns = SampleArrays.of(
        np.frombuffer(found.series, dtype=np.int64) if len(found) else np.zeros(0),
        np.frombuffer(found.at, dtype=np.int64) if len(found) else np.zeros(0),
        np.frombuffer(found.value, dtype=np.float64) if len(found) else np.zeros(0),
        np.frombuffer(found.events, dtype=np.float64) if len(found) else np.zeros(0),
    )
    if not len(found):
        return columns
    stale = np.frombuffer(found.stale, dtype=np.int8) != 0
    return columns.select(~stale) if stale.any() else columns


class StoredHistory:
    """History of one feed, from its rows of minutes."""

    def __init__(self, figures: SampleStore, feed: str) -> None:
        self._figures, self._feed = figures, feed

    def rows(self, metric: str, start: int, end: int) -> HistoryArrays:
        """All series of a metric, minute by minute."""
        found = read_history(self._figures, self._feed, metric, from_micros(start), from_micros(end))
        names = ("series", "bucket", "samples", "events", "total", "weighted")
        series, bucket, *rest = (np.array([getattr(one, name) for one in found]) for name in names)
        sums: list[Any] = [row.astype(np.float64) for row in rest]
        return HistoryArrays(series.astype(np.int64), start + bucket.astype(np.int64) * MINUTE, *sums)


def read_new_samples(
    figures: SampleStore, cursor: int, take: Callable[[SampleArrays], None], limit: int = 50_000
) -> int:
    """Hand on all samples that arrived after the cursor, in batches; the new cursor."""
    while True:
        found, cursor = figures.after(cursor, limit)
        if len(found):
            take(drop_late(found))
        if len(found) < limit:
            return cursor


def samples_between(figures: SampleStore, feed: str, start: DateTime, end: DateTime, until: int) -> SampleArrays:
    """Samples of a feed, as far as they had arrived at the cursor `until`."""
    return drop_late(figures.between(feed, None, start, end, until=until))
