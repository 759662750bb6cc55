"""Samples, and rows of history, as numpy columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Slots = NDArray[np.intp]
Truths = NDArray[np.bool_]

SECOND: Final = 1_000_000  # times are integer microseconds since the epoch, so that sums of them are exact
GRAIN: Final = 10 * SECOND  # one tick
MINUTE: Final = 60 * SECOND


@dataclass(frozen=True, slots=True)
class SeriesDescriptor:
    """Metric and labels of a series of samples, behind its number."""

    id: int
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SampleArrays:
    """Samples, one a row. Times in microseconds; `count` is the number of events that the value stands for."""

    series: Ints
    at: Ints
    value: Floats
    count: Floats

    @staticmethod
    def of(series: Any, at: Any, value: Any, count: Any) -> SampleArrays:
        """Make the columns from anything that numpy takes as arrays."""
        return SampleArrays(
            np.asarray(series, dtype=np.int64), np.asarray(at, dtype=np.int64),
            np.asarray(value, dtype=np.float64), np.asarray(count, dtype=np.float64),
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.series.size)

    def select(self, chosen: Truths | Slots) -> SampleArrays:
        """The rows that are chosen."""
        return SampleArrays(self.series[chosen], self.at[chosen], self.value[chosen], self.count[chosen])


@dataclass(frozen=True, slots=True)
class HistoryArrays:
    """Rows of history, each the samples of one series in one minute (or one sample): sums that add up."""

    series: Ints
    at: Ints  # the beginning of the minute
    samples: Floats  # how many samples
    events: Floats  # sum of counts
    total: Floats  # sum of values
    weighted: Floats  # sum of value times count

    @staticmethod
    def of_samples(columns: SampleArrays) -> HistoryArrays:
        """Make every sample a row of its own."""
        value, count = columns.value, columns.count
        return HistoryArrays(columns.series, columns.at, np.ones_like(value), count, value, value * count)


class BaselineHistory(Protocol):
    """Samples of past weeks, for baselines."""

    def rows(self, metric: str, start: int, end: int) -> HistoryArrays:
        """All series of a metric, `start <= at < end`, in microseconds on whole minutes. Order does not matter."""
        ...
