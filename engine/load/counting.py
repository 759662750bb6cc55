"""What a second saw, and what a segment added up to: counts, and histograms that can be merged without loss."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from hdrh.histogram import HdrHistogram

# Microseconds: 1 us to 10 min, three significant digits.
LOWEST: Final = 1
HIGHEST: Final = 600_000_000
DIGITS: Final = 3


def histogram() -> HdrHistogram:
    """An empty one of the shape that all of ours have, so that they merge."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


def record(into: HdrHistogram, seconds: float) -> None:
    """Count one duration."""
    into.record_value(min(max(round(seconds * 1e6), LOWEST), HIGHEST))


def millis(of: HdrHistogram, percent: float) -> float | None:
    """A percentile in milliseconds; None where nothing was counted."""
    return round(of.get_value_at_percentile(percent) / 1000, 2) if of.get_total_count() else None


@dataclass(slots=True)
class Result:
    """What became of one step. `latency` counts from when it was due, `service` from when it was sent; seconds."""

    journey: str
    step: str
    latency: float
    service: float
    ok: bool
    answered: bool  # anything but a 5xx, a time-out, a broken connection
    why: str = ""  # a short cause: `status 503`, `timeout`, `check`


@dataclass(slots=True)
class Second:
    """One second of counting."""

    offered: int = 0
    completed: int = 0  # journeys that ended well
    broken: int = 0  # journeys that did not
    steps: int = 0
    failed: int = 0
    unanswered: int = 0
    latency: HdrHistogram = field(default_factory=histogram)
    lag: HdrHistogram = field(default_factory=histogram)
    by_step: dict[str, list[float]] = field(default_factory=dict)  # step -> [steps, failed, latency summed]
    why: Counter[str] = field(default_factory=Counter)

    def count(self, result: Result) -> None:
        """Add one step."""
        self.steps += 1
        self.failed += not result.ok
        self.unanswered += not result.answered
        record(self.latency, result.latency)
        row = self.by_step.setdefault(result.step, [0, 0, 0.0])
        row[0] += 1
        row[1] += not result.ok
        row[2] += result.latency
        if result.why:
            self.why[f"{result.step}: {result.why}"] += 1

    def line(self) -> dict[str, Any]:
        """As it goes out, one line of JSON a second."""
        return {
            "offered": self.offered, "completed": self.completed, "broken": self.broken, "steps": self.steps,
            "failed": self.failed, "unanswered": self.unanswered,
            "p50": millis(self.latency, 50), "p95": millis(self.latency, 95), "p99": millis(self.latency, 99),
            "lag": millis(self.lag, 99) or 0.0, "by_step": self.by_step, "why": dict(self.why.most_common(5)),
        }  # fmt: skip


@dataclass(slots=True)
class Total:
    """A segment added up."""

    latency: dict[str, HdrHistogram] = field(default_factory=dict)
    service: dict[str, HdrHistogram] = field(default_factory=dict)
    why: Counter[str] = field(default_factory=Counter)

    def count(self, result: Result) -> None:
        """Add one step."""
        record(self.latency.setdefault(result.step, histogram()), result.latency)
        record(self.service.setdefault(result.step, histogram()), result.service)
        if result.why:
            self.why[f"{result.step}: {result.why}"] += 1

    def line(self) -> dict[str, Any]:
        """By step: the encoded histograms, with the percentiles that people ask for."""
        return {
            "latency": {step: _of(found) for step, found in self.latency.items()},
            "service": {step: _of(found) for step, found in self.service.items()},
            "why": dict(self.why),
        }


def _of(found: HdrHistogram) -> dict[str, Any]:
    return {
        "count": found.get_total_count(),
        **{f"p{percent:g}": millis(found, percent) for percent in (50, 95, 99, 99.9)},
        "max": round(found.get_max_value() / 1000, 2),
        "encoded": found.encode().decode("ascii"),
    }
