"""Stored history for a backtest: minute by minute, as long as it is kept."""

from __future__ import annotations

import time

from domain.warning.rule import Aggregate, Rule
from engine.samples.csv_file import BadSamplesFile
from engine.warning.backtest import RecordedSamples, collect_samples
from engine.warning.moving_aggregate import sum_kind_of
from engine.warning.sample_arrays import MINUTE, SECOND, SeriesDescriptor
from storage.samples.rollups import ROLLUP_RETENTION, RollupSums, read_history
from storage.samples.sample_store import LIVE_FEED, from_micros, open_sample_store
from storage.settings import Settings


def read_stored_samples(settings: Settings, rule: Rule, now: float | None = None) -> RecordedSamples:
    """Read the live samples that the rule looks at, each minute of a series as one sample.

    Of a minute the mean, the sum, the least and the greatest are known; how its values were spread is not.

    Raises:
        BadSamplesFile: there are none.
        StorageError: the store cannot be read.
    """
    at = int((time.time() if now is None else now) * SECOND)
    start = (at // MINUTE) * MINUTE - int(ROLLUP_RETENTION.total_seconds()) * SECOND
    figures = open_sample_store(settings)
    try:
        metrics = {rule.metric, rule.per} - {None}
        series = [SeriesDescriptor(one.id, one.metric, one.labels) for one in figures.series() if one.lane == LIVE_FEED]
        found = [
            row
            for name in metrics
            if name
            for row in read_history(figures, LIVE_FEED, name, from_micros(start), from_micros(at))
        ]
    finally:
        figures.close()
    if not found:
        raise BadSamplesFile(f"no figures of {rule.metric} are kept: push some, or name a CSV file")
    rows = [(one.series, start + one.bucket * MINUTE, *_sample(rule, one)) for one in found]
    return collect_samples(rows, [one for one in series if one.metric in metrics])


def _sample(rule: Rule, one: RollupSums) -> tuple[float, float]:
    if rule.aggregate is Aggregate.MIN:
        return one.least, one.events
    if rule.aggregate is Aggregate.MAX:
        return one.most, one.events
    if sum_kind_of(rule).name == "volume":
        return one.total, one.events
    return one.weighted / one.events, one.events
