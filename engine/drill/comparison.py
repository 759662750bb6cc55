"""Comparison of a drill with earlier ones: latency, service time and failures of the stages they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from domain.drill.comparison import FigureChange, compare_drills
from domain.drill.measurement import steady_seconds
from engine.drill.record import DrillRecord


@dataclass(frozen=True, slots=True)
class DrillComparison:
    """Comparison of one figure with that of one earlier drill, or with the median of several."""

    figure: str
    earlier: str
    change: FigureChange


def compare_with_earlier(records: Sequence[DrillRecord], new: DrillRecord) -> list[DrillComparison]:
    """Compare with the last drill, and with the median of the last three where there are three."""
    found = []
    series = {figure: _series(new, figure) for figure in ("latency", "failures")}
    for figure, mine in series.items():
        if records and (change := compare_drills(_series(records[0], figure), mine)):
            found.append(DrillComparison(figure, records[0].id, change))
        if len(records) < 3:  # noqa: PLR2004 - of fewer there is no median
            continue
        if change := compare_drills(_median([_series(one, figure) for one in records[:3]]), mine):
            found.append(DrillComparison(figure, f"{records[2].id} - {records[0].id}", change))
    return found


def _series(record: DrillRecord, figure: str) -> dict[str, list[float]]:
    """Stage -> the figure in each steady second: mean latency in ms, or one more than failures in a thousand steps."""
    found: dict[str, list[float]] = {}
    for stage in record.stages:
        if stage.mode != "level" or stage.overloaded:
            continue
        values = []
        for second in steady_seconds(record.seconds_of(stage)):
            steps = sum(row[0] for row in second.by_step.values())
            if steps and figure == "latency":
                values.append(1000 * sum(row[2] for row in second.by_step.values()) / steps)
            elif steps:
                values.append(1 + 1000 * second.failed / steps)
        found[stage.name] = values
    return found


def _median(series: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Of each stage the drill whose mean is in the middle: what it measured is kept, not smoothed."""
    found: dict[str, list[float]] = {}
    for name in set.intersection(*(set(one) for one in series)):
        rows = [list(one[name]) for one in series if one[name]]
        if rows:
            means = [sum(row) / len(row) for row in rows]
            middle = median(means)
            found[name] = min(zip(means, rows, strict=True), key=lambda pair: abs(pair[0] - middle))[1]
    return found
