"""How long a tick takes: 10,000 series x 5 rules, and Prometheus' own rule evaluation beside it where it is installed.

    python benchmarks/tick.py [--series 10000] [--ticks 120] [--no-prometheus]

Rules: mean, 95th percentile, share, change against the previous window, and a mean with `for`; five-minute windows, one
sample a series and tick. Samples are in before a tick is timed; what it costs to take them is printed apart.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pendulum

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.tick_prometheus import evaluation_ms
from domain.text import Text
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import SampleArrays, SeriesDescriptor
from storage.samples.sample_store import to_micros

START = pendulum.datetime(2026, 3, 2, 9)
FIVE = timedelta(minutes=5)
FILL = 65  # ticks until every window is full


def rule(name: str, aggregate: Aggregate, condition: Condition, limit: float, recover: float, **more: object) -> Rule:
    """A rule on every agent's response time."""
    level = ThresholdLevel(Tier.YELLOW, limit, recover)
    return Rule(name, Text(name), "response_time", aggregate, FIVE, condition, (level,), by=("agent",), **more)  # type: ignore[arg-type]


RULES = (
    rule("mean", Aggregate.MEAN, Condition.ABOVE, 30, 25),
    rule("p95", Aggregate.P95, Condition.ABOVE, 60, 50),
    rule("share", Aggregate.SHARE, Condition.BELOW, 0.2, 0.25, at_least=10.0),
    rule("change", Aggregate.MEAN, Condition.CHANGE_ABOVE, 0.5, 0.3, baseline=Baseline("previous")),
    rule("for", Aggregate.MEAN, Condition.ABOVE, 25, 22, for_=timedelta(minutes=2)),
)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=120)
    parser.add_argument("--no-prometheus", action="store_true")
    options = parser.parse_args()
    found = measure(options.series, options.ticks)
    if not options.no_prometheus:
        theirs = evaluation_ms(options.series)
        if theirs is not None:
            found["prometheus_evaluation_ms"] = round(theirs, 1)
            found["prometheus_to_tocsin"] = round(theirs / found["tick_ms_median"], 1)
    print(json.dumps(found, indent=2))


def measure(series: int, ticks: int) -> dict[str, float]:
    """Milliseconds of a tick once every window is full."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    evaluator = Evaluator(RULES)
    evaluator.add_series(SeriesDescriptor(number, "response_time", {"agent": f"a{number}"}) for number in range(series))
    random = np.random.default_rng(7)
    numbers = np.arange(series)
    took, taken, changes = [], [], 0
    for tick in range(1, FILL + ticks + 1):
        now = START.add(seconds=10 * tick)
        at = to_micros(now) - random.integers(1, 10_000_000, series)
        # A tenth of the agents is slow for a while now and then: warnings come and go.
        slow = (numbers + tick // 40) % 10 == 0
        value = random.gamma(4.0, 4.0, series) * np.where(slow, 3.0, 1.0)
        begun = time.perf_counter()
        evaluator.add_samples(SampleArrays.of(numbers, at, value, np.ones(series)))
        middle = time.perf_counter()
        found = evaluator.tick(now)
        ended = time.perf_counter()
        if tick > FILL:
            taken.append((middle - begun) * 1000)
            took.append((ended - middle) * 1000)
            changes += len(found)
    gc.collect()
    return {
        "series": series,
        "rules": len(RULES),
        "ticks": ticks,
        "tick_ms_median": round(statistics.median(took), 2),
        "tick_ms_p99": round(float(np.percentile(took, 99)), 2),
        "tick_ms_max": round(max(took), 2),
        "take_ms_median": round(statistics.median(taken), 2),
        "changes_a_tick": round(changes / ticks, 1),
        "memory_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
        "firing_at_the_end": evaluator.count_firing(),
    }


if __name__ == "__main__":
    main()
