"""Figures measured from a drill's seconds: windows, guard-rails, overload, the knee, recovery. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from domain.drill.plan import LOW_IS_GOOD, DrillFigure, GuardRail

WINDOW_SECONDS = 3  # seconds of a figure's window: one alone holds too few journeys to say anything
_SIGMAS = 2.0  # of chance that a share may be off before it counts as out of band
_STEADY = 0.4  # share of a stage that is left out at its beginning: journeys of the stage before are still under way
_LAG = 100.0  # milliseconds that a journey may begin late before the generator itself is the bottleneck
_CPU = 0.92  # of one core
_TELLING = 3  # journeys begun without a word of what became of any: no chance any more


@dataclass(frozen=True, slots=True)
class DrillSecond:
    """One second as the load engine reported it. Latencies and lag in milliseconds, `at` in seconds since 1970."""

    at: float
    segment: str
    rate: float
    offered: int
    completed: int
    broken: int
    steps: int
    failed: int
    unanswered: int
    p95: float | None
    under_way: int
    oldest: float  # age of the step that waits longest for its answer
    lag: float
    cpu: float
    by_step: Mapping[str, Sequence[float]] = field(default_factory=dict)  # step -> steps, failed, latency summed (s)
    peak: float = 0.0  # measured peak, journeys a second


@dataclass(frozen=True, slots=True)
class DrillReading:
    """A figure over a window: its value and one standard deviation of chance; None: no data."""

    value: float | None
    sigma: float = 0.0


def measure_window(seconds: Sequence[DrillSecond]) -> dict[DrillFigure, DrillReading]:
    """Compute the five figures of a window (recovery is known at the end only).

    Latency where nothing was answered is the age of the waiting requests: no answers are not good latency.
    """
    steps, offered = sum(one.steps for one in seconds), sum(one.offered for one in seconds)
    answered = [one.p95 for one in seconds if one.p95 is not None]
    waits = max((one.oldest for one in seconds), default=0.0)
    completed = sum(one.completed for one in seconds)
    rate = median(max(one.rate, one.peak) for one in seconds) if seconds else 0.0
    under_way = median(one.under_way for one in seconds) if seconds else 0
    return {
        DrillFigure.LATENCY: DrillReading(median(answered) if answered else waits or None),
        DrillFigure.ERROR_RATE: _share(sum(one.failed for one in seconds), steps),
        DrillFigure.AVAILABILITY: _share(steps - sum(one.unanswered for one in seconds), steps),
        # What completes was offered earlier: both are drawn, so the chance of both is in it.
        DrillFigure.THROUGHPUT: DrillReading(completed / offered, math.sqrt(2 / offered))
        if offered
        else DrillReading(None),
        # Who is under way where arrivals are Poisson's is Poisson's too: a burst of customers is no saturation.
        DrillFigure.SATURATION: DrillReading(under_way / rate, math.sqrt(under_way) / rate)
        if rate
        else DrillReading(None),
    }


def _share(part: int, whole: int) -> DrillReading:
    if not whole:
        return DrillReading(None)
    share = part / whole
    return DrillReading(share, math.sqrt(max(share * (1 - share), 1 / whole) / whole))


def exceeds_limit(figure: DrillFigure, reading: DrillReading, limit: float) -> bool:
    """Whether a figure is worse than its limit by more than chance. A figure without data is not."""
    if reading.value is None:
        return False
    chance = _SIGMAS * reading.sigma
    return _worse(figure, reading.value - chance if figure in LOW_IS_GOOD else reading.value + chance, limit)


def _worse(figure: DrillFigure, value: float, limit: float) -> bool:
    return value > limit if figure in LOW_IS_GOOD else value < limit


def figures_out_of_band(seconds: Sequence[DrillSecond], bands: Mapping[DrillFigure, float]) -> dict[DrillFigure, float]:
    """Return the figures of a window that are outside their bands, with their values."""
    found = measure_window(seconds)
    return {
        figure: reading.value
        for figure, reading in found.items()
        if reading.value is not None and exceeds_limit(figure, reading, bands[figure])
    }


def find_crossed_guard(guards: Sequence[GuardRail], seconds: Sequence[DrillSecond]) -> GuardRail | None:
    """Return the guard-rail that was crossed for as long as it allows, judged by the newest seconds.

    In each of them the figure is worse than its limit, and in all of them together by more than chance: a
    second of light load alone holds too few steps to say anything.
    """
    for guard in guards:
        last = seconds[-guard.seconds :]
        if len(last) < guard.seconds or not exceeds_limit(
            guard.figure, measure_window(last)[guard.figure], guard.limit
        ):
            continue
        values = [measure_window([one])[guard.figure].value for one in last]
        if all(value is not None and _worse(guard.figure, value, guard.limit) for value in values):
            return guard
    return None


def blind_limit(guard: GuardRail) -> int:
    """Return the seconds without data for a guard-rail's figure after which the drill must end."""
    return max(guard.seconds, 5)


def find_blind_guard(guards: Sequence[GuardRail], seconds: Sequence[DrillSecond]) -> GuardRail | None:
    """Return the guard-rail whose figure has no data though load is sent: it would guard no more."""
    for guard in guards:
        last = seconds[-blind_limit(guard) :]
        enough = len(last) == blind_limit(guard) and sum(one.offered for one in last) >= _TELLING
        if enough and all(measure_window([one])[guard.figure].value is None for one in last):
            return guard
    return None


def steady_seconds(seconds: Sequence[DrillSecond]) -> Sequence[DrillSecond]:
    """Return the seconds of a stage without its beginning."""
    return seconds[math.ceil(len(seconds) * _STEADY) :]


def is_overloaded(seconds: Sequence[DrillSecond]) -> bool:
    """Whether a stage offered more than the chain completes: fewer end well than begin, and more are under way."""
    part = steady_seconds(seconds)
    if len(part) < 3:  # noqa: PLR2004 - nothing is steady for less
        return False
    offered, completed = sum(one.rate for one in part), sum(one.completed for one in part)
    short = offered - completed > _SIGMAS * math.sqrt(offered) and completed < 0.97 * offered
    third = max(1, len(part) // 3)
    before = sum(one.under_way for one in part[:third]) / third
    after = sum(one.under_way for one in part[-third:]) / third
    grows = after - before > _SIGMAS * math.sqrt(max(before, 1.0))
    broken = sum(one.broken for one in part)
    return short and (grows or broken > _SIGMAS * math.sqrt(offered))


@dataclass(frozen=True, slots=True)
class Knee:
    """The capacity of the chain under overload: completed journeys a second. `low` and `high`: 95 % of chance."""

    rate: float
    low: float
    high: float
    percent: int  # of peak, at the stage where it no longer kept up


def find_knee(stages: Sequence[tuple[int, Sequence[DrillSecond]]]) -> Knee | None:
    """Find the capacity from every overloaded stage (percent of peak, its seconds); None: not reached.

    Of each stage the half in which most was completed: before it the stage is only filling up, and after it
    customers may have waited for so long that they are gone when their turn comes, and all work is done for
    nobody.
    """
    over = [(percent, _best_half(seconds)) for percent, seconds in stages if is_overloaded(seconds)]
    if not over:
        return None
    seconds = sum(len(part) for _, part in over)
    completed = sum(one.completed for _, part in over for one in part)
    rate, half = completed / seconds, 1.96 * math.sqrt(max(completed, 1)) / seconds
    return Knee(rate, max(0.0, rate - half), rate + half, min(percent for percent, _ in over))


def find_bottleneck(seconds: Sequence[DrillSecond]) -> str:
    """Return why the generator, not the chain, set the pace; empty if it did not."""
    if not seconds:
        return ""
    late = [one for one in seconds if one.lag > _LAG]
    if len(late) > max(2, len(seconds) // 10):
        worst = max(one.lag for one in late)
        return f"journeys began up to {worst:.0f} ms late in {len(late)} of {len(seconds)} seconds"
    busy = [one for one in seconds if one.cpu > _CPU]
    if len(busy) > max(2, len(seconds) // 10):
        return f"the load engine itself used a whole core in {len(busy)} of {len(seconds)} seconds"
    return ""


def find_recovery(
    seconds: Sequence[DrillSecond], bands: Mapping[DrillFigure, float], since: float, stable: int = 5
) -> float | None:
    """Find the first window after `since` from which all figures stay in band until the last second.

    Dated to the end of its middle second: a window is in band once most of it is, and by chance a little
    earlier. None while they are not good, or have been for less than `stable` seconds.
    """
    after = [one for one in seconds if one.at - 1 >= since]
    windows = [after[place : place + WINDOW_SECONDS] for place in range(len(after) - WINDOW_SECONDS + 1)]
    good = 0
    for window in reversed(windows):
        if figures_out_of_band(window, bands):
            break
        good += 1
    if good < stable:
        return None
    return windows[len(windows) - good][WINDOW_SECONDS // 2].at


def _best_half(seconds: Sequence[DrillSecond]) -> Sequence[DrillSecond]:
    size = math.ceil(len(seconds) / 2)
    parts = [seconds[place : place + size] for place in range(len(seconds) - size + 1)]
    return max(parts, key=lambda part: sum(one.completed for one in part))


def find_worst_step(seconds: Sequence[DrillSecond]) -> tuple[str, float, float] | None:
    """Return the step that fails most, else the slowest: its name, share failed, mean latency (s)."""
    sums: dict[str, list[float]] = {}
    for one in seconds:
        for step, row in one.by_step.items():
            have = sums.setdefault(step, [0.0, 0.0, 0.0])
            for place, value in enumerate(row):
                have[place] += value
    if not sums:
        return None
    rows = [(step, failed / count, latency / count) for step, (count, failed, latency) in sums.items() if count]
    return max(rows, key=lambda row: (round(row[1], 3), row[2]))
