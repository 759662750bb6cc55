"""Plots of daily values for documents, drawn by the plotting of warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class PlotSeries:
    """Series of a plot: a figure by the day (`2026-10-31`)."""

    name: str
    by_day: Mapping[str, float]
    factor: float = 1.0  # shares are drawn in percent


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """Marked time span of a plot: from, to, note."""

    begins: datetime
    ends: datetime
    note: str


def draw_plot(
    title: str, subtitle: str, courses: Sequence[PlotSeries], days: tuple[str, str], zone: str, *,
    stretches: Sequence[MarkedSpan] = (), aim: tuple[str, float] | None = None,
) -> str:  # fmt: skip
    """Draw an SVG of one or more figures over the days from first to last, a point at noon of each."""
    import numpy as np  # noqa: PLC0415 - heavy, and only who makes a document needs it

    from engine.warning.svg_plot import Plot, PlotBand, PlotLine  # noqa: PLC0415

    where = ZoneInfo(zone)

    def at(day: str, hours: float) -> int:
        moment = datetime.fromisoformat(day).replace(tzinfo=where) + timedelta(hours=hours)
        return round(moment.timestamp() * 1_000_000)

    lines = []
    for place, course in enumerate(courses):
        names = _every_day(*days)
        values = [course.by_day[day] * course.factor if day in course.by_day else float("nan") for day in names]
        times = np.array([at(day, 12) for day in names], dtype=np.int64)
        shape = "value" if place == 0 else "base"
        lines.append(PlotLine(course.name, times, np.array(values, dtype=np.float64), shape))
    start, end = at(days[0], 0), at(days[1], 24)
    if aim is not None:
        ends = np.array([start, end], dtype=np.int64)
        lines.append(PlotLine(aim[0], ends, np.full(2, aim[1], dtype=np.float64), "limit red"))
    bands = [
        PlotBand(round(one.begins.timestamp() * 1e6), round(one.ends.timestamp() * 1e6), "red", one.note)
        for one in stretches
    ]
    return Plot(title, subtitle, start, end, lines, where, bands).svg()


def _every_day(first: str, last: str) -> list[str]:
    day, found = datetime.fromisoformat(first), []
    while day <= datetime.fromisoformat(last):
        found.append(day.strftime("%Y-%m-%d"))
        day += timedelta(days=1)
    return found
