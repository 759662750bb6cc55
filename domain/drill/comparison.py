"""Comparison of two drills by a moving-block bootstrap of their per-second figures. Pure, seeded.

Seconds of one stage hang together (a queue, a cache), so blocks of some seconds are drawn, not single
ones: Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics
17 (1989). A regression is claimed only where it is both beyond chance and large enough to matter.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.trend import Trend

BLOCK_SECONDS = 4  # seconds
DRAWS = 1_000
SMALLEST_REGRESSION = 0.15  # a change of less than this is no regression, however sure
_TAIL = 0.005  # on each side: 99 %


@dataclass(frozen=True, slots=True)
class FigureChange:
    """The change of a figure: the ratio new to old, with its 99 % interval."""

    ratio: float
    low: float
    high: float
    trend: Trend


def compare_drills(
    old: Mapping[str, Sequence[float]], new: Mapping[str, Sequence[float]], seed: int = 1
) -> FigureChange | None:
    """Compare a figure for which less is better, over the stages that both drills have.

    Args:
        old: stage -> the figure of each of its steady seconds, above zero.
        new: the same of the newer drill.
        seed: of the draws.

    Returns:
        None where no stage has two blocks in both.
    """
    shared = [name for name in new if name in old and min(len(old[name]), len(new[name])) >= 2 * BLOCK_SECONDS]
    if not shared:
        return None
    dice = random.Random(seed)  # noqa: S311 - draws of a bootstrap
    at = _ratio([old[name] for name in shared], [new[name] for name in shared])
    drawn = sorted(
        _ratio([_redraw(old[name], dice) for name in shared], [_redraw(new[name], dice) for name in shared])
        for _ in range(DRAWS)
    )
    low, high = drawn[int(_TAIL * DRAWS)], drawn[-1 - int(_TAIL * DRAWS)]
    return FigureChange(at, low, high, _trend(at, low, high))


def _trend(at: float, low: float, high: float) -> Trend:
    if low > 1 and at > 1 + SMALLEST_REGRESSION:
        return Trend.WORSE
    if high < 1 and at < 1 / (1 + SMALLEST_REGRESSION):
        return Trend.BETTER
    return (
        Trend.SAME if high < 1 + 2 * SMALLEST_REGRESSION and low > 1 / (1 + 2 * SMALLEST_REGRESSION) else Trend.UNKNOWN
    )


def _ratio(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> float:
    """The geometric mean over the stages of the ratio of their means: each stage counts alike."""
    logs = [math.log(_mean(b) / _mean(a)) for a, b in zip(old, new, strict=True)]
    return math.exp(sum(logs) / len(logs))


def _mean(values: Sequence[float]) -> float:
    return max(sum(values) / len(values), 1e-9)


def _redraw(values: Sequence[float], dice: random.Random) -> list[float]:
    found: list[float] = []
    while len(found) < len(values):
        begin = dice.randrange(len(values) - BLOCK_SECONDS + 1)
        found += values[begin : begin + BLOCK_SECONDS]
    return found[: len(values)]
