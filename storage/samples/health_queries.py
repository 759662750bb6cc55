"""Queries of the health board: the series of a metric, and shares that no rollup has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pendulum import DateTime
from sqlalchemy import select, text

from storage.samples.rollups import RollupSums
from storage.samples.sample_store import SampleStore, to_micros
from storage.samples.sample_tables import SERIES

# Raw samples only: of a minute the rollup keeps the mean, not how many were at least so good.
_SHARES: Final = text(
    """
    SELECT series_id, (at - :start) / :step AS bucket, count(*), sum(events), sum(value),
        sum(CASE WHEN value >= :limit THEN events ELSE 0 END), min(value), max(value)
    FROM sample
    WHERE series_id IN (SELECT id FROM series WHERE lane = :lane AND metric = :metric) AND at >= :start AND at < :end
    GROUP BY series_id, bucket ORDER BY series_id, bucket
    """
)
_MICROSECOND: Final = timedelta(microseconds=1)


def list_series_labels(figures: SampleStore, feed: str, metric: str) -> dict[int, Mapping[str, str]]:
    """Return the labels of each series of a metric on a feed, by its number."""
    query = select(SERIES.c.id, SERIES.c.labels).where(SERIES.c.lane == feed, SERIES.c.metric == metric)
    with figures.database.read() as connection:
        return {row.id: json.loads(row.labels) for row in connection.execute(query)}


def compute_shares(
    figures: SampleStore, feed: str, metric: str, limit: float, start: DateTime, end: DateTime, step: timedelta
) -> list[RollupSums]:
    """Like `read_history`, but `weighted` is the events of at least `limit`: over `events` it is their share.

    Of raw samples, so for as long as they are kept (26 hours after their arrival).
    """
    values = {
        "lane": feed, "metric": metric, "limit": limit, "start": to_micros(start), "end": to_micros(end),
        "step": step // _MICROSECOND,
    }  # fmt: skip
    with figures.database.read() as connection:
        return [RollupSums(row[0], row[1], int(row[2]), *row[3:]) for row in connection.execute(_SHARES, values)]
