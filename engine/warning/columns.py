"""What comes in, as numpy columns: samples, and rows of history."""

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
class Series:
    """Who a number stands for: the metric and labels of a series of samples."""

    id: int
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples, one a row. Times in microseconds; `count` is the number of events that the value stands for."""

    series: Ints
    at: Ints
    value: Floats
    count: Floats

    @staticmethod
    def of(series: Any, at: Any, value: Any, count: Any) -> Columns:
        """From whatever numpy takes as arrays."""
        return Columns(
            np.asarray(series, dtype=np.int64), np.asarray(at, dtype=np.int64),
            np.asarray(value, dtype=np.float64), np.asarray(count, dtype=np.float64),
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.series.size)

    def where(self, chosen: Truths | Slots) -> Columns:
        """The rows that are chosen."""
        return Columns(self.series[chosen], self.at[chosen], self.value[chosen], self.count[chosen])


@dataclass(frozen=True, slots=True)
class Past:
    """Rows of history, each the samples of one series in one minute (or one sample): sums that add up."""

    series: Ints
    at: Ints  # the beginning of the minute
    samples: Floats  # how many samples
    events: Floats  # sum of counts
    total: Floats  # sum of values
    weighted: Floats  # sum of value times count

    @staticmethod
    def of_samples(columns: Columns) -> Past:
        """Every sample as a row of its own."""
        value, count = columns.value, columns.count
        return Past(columns.series, columns.at, np.ones_like(value), count, value, value * count)


class History(Protocol):
    """Figures of past weeks, for baselines."""

    def rows(self, metric: str, start: int, end: int) -> Past:
        """All series of a metric, `start <= at < end`, in microseconds on whole minutes. Order does not matter."""
        ...
