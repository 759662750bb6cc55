"""Measurements of load by second and by segment: counts, and histograms that merge without loss."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from hdrh.histogram import HdrHistogram

# Microseconds: 1 us to 10 min, three significant digits.
LOWEST: Final = 1
HIGHEST: Final = 600_000_000
DIGITS: Final = 3


def new_histogram() -> HdrHistogram:
    """Make an empty histogram of the one shape used here, so that all of them merge."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


def record_duration(into: HdrHistogram, seconds: float) -> None:
    """Record one duration."""
    into.record_value(min(max(round(seconds * 1e6), LOWEST), HIGHEST))


def percentile_ms(of: HdrHistogram, percent: float) -> float | None:
    """A percentile in milliseconds; None where nothing was counted."""
    return round(of.get_value_at_percentile(percent) / 1000, 2) if of.get_total_count() else None


@dataclass(slots=True)
class StepResult:
    """Result of one step. `latency` counts from when it was due, `service` from when it was sent; seconds."""

    journey: str
    step: str
    latency: float
    service: float
    ok: bool
    answered: bool  # anything but a 5xx, a time-out, a broken connection
    why: str = ""  # a short cause: `status 503`, `timeout`, `check`


@dataclass(slots=True)
class SecondCounts:
    """Counts of one second."""

    offered: int = 0
    completed: int = 0  # journeys that ended well
    broken: int = 0  # journeys that did not
    steps: int = 0
    failed: int = 0
    unanswered: int = 0
    latency: HdrHistogram = field(default_factory=new_histogram)
    lag: HdrHistogram = field(default_factory=new_histogram)
    by_step: dict[str, list[float]] = field(default_factory=dict)  # step -> [steps, failed, latency summed]
    why: Counter[str] = field(default_factory=Counter)

    def add(self, result: StepResult) -> None:
        """Add one step."""
        self.steps += 1
        self.failed += not result.ok
        self.unanswered += not result.answered
        record_duration(self.latency, result.latency)
        row = self.by_step.setdefault(result.step, [0, 0, 0.0])
        row[0] += 1
        row[1] += not result.ok
        row[2] += result.latency
        if result.why:
            self.why[f"{result.step}: {result.why}"] += 1

    def line(self) -> dict[str, Any]:
        """Convert to the line of JSON that is sent each second."""
        return {
            "offered": self.offered,
            "completed": self.completed,
            "broken": self.broken,
            "steps": self.steps,
            "failed": self.failed,
            "unanswered": self.unanswered,
            "p50": percentile_ms(self.latency, 50),
            "p95": percentile_ms(self.latency, 95),
            "p99": percentile_ms(self.latency, 99),
            "lag": percentile_ms(self.lag, 99) or 0.0,
            "by_step": self.by_step,
            "why": dict(self.why.most_common(5)),
        }


@dataclass(slots=True)
class SegmentTotals:
    """Totals of one segment."""

    latency: dict[str, HdrHistogram] = field(default_factory=dict)
    service: dict[str, HdrHistogram] = field(default_factory=dict)
    why: Counter[str] = field(default_factory=Counter)

    def add(self, result: StepResult) -> None:
        """Add one step."""
        record_duration(self.latency.setdefault(result.step, new_histogram()), result.latency)
        record_duration(self.service.setdefault(result.step, new_histogram()), result.service)
        if result.why:
            self.why[f"{result.step}: {result.why}"] += 1

    def line(self) -> dict[str, Any]:
        """Convert to JSON by step: the encoded histograms, with the usual percentiles."""
        return {
            "latency": {step: _of(found) for step, found in self.latency.items()},
            "service": {step: _of(found) for step, found in self.service.items()},
            "why": dict(self.why),
        }


def _of(found: HdrHistogram) -> dict[str, Any]:
    return {
        "count": found.get_total_count(),
        **{f"p{percent:g}": percentile_ms(found, percent) for percent in (50, 95, 99, 99.9)},
        "max": round(found.get_max_value() / 1000, 2),
        "encoded": found.encode().decode("ascii"),
    }
