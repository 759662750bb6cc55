"""Chart of a backtest: the metric, its baseline, the thresholds, and the firings marked."""

from __future__ import annotations

from datetime import tzinfo

from domain.warning.rule import Tier
from engine.warning.backtest import BacktestResult, threshold_lines
from engine.warning.svg_plot import Plot, PlotBand, PlotLine
from locales import translator
from storage.samples.sample_store import to_micros


def draw_backtest(outcome: BacktestResult, zone: tzinfo, language: str) -> str:
    """Draw the series with the first firing as SVG. Times in `zone`."""
    _ = translator(language)
    rule, track = outcome.rule, outcome.track
    named = " ".join(f"{name}={label}" for name, label in track.series)
    begins = track.at[0] if track.at.size else to_micros(outcome.began)
    ends = track.at[-1] if track.at.size else to_micros(outcome.ended)
    colours = {Tier.YELLOW: _("yellow"), Tier.RED: _("red")}
    lines = [
        PlotLine(colours[level.tier], track.at, limit, f"limit {level.tier}")
        for level, limits in threshold_lines(rule, track).items()
        for limit in limits
    ]
    if rule.condition.compares:
        lines.append(PlotLine(_("baseline"), track.at, track.baseline, "base"))
    lines.append(PlotLine(rule.metric, track.at, track.value))  # last, so that it lies on top
    bands = [
        PlotBand(
            to_micros(firing.began),
            to_micros(firing.until) if firing.until else int(ends),
            str(firing.level),
            f"{firing.level} {firing.began.in_timezone(_name(zone)).to_datetime_string()}",
        )
        for firing in outcome.firings
        if firing.series == track.series
    ]
    count = _("{firings} warnings, {rate} a day").format(firings=len(bands), rate=f"{outcome.warnings_per_day:.2g}")
    subtitle = " · ".join(part for part in (rule.id, named, count) if part)
    return Plot(rule.title.in_(language), subtitle, int(begins), int(ends), lines, zone, bands).svg()


def _name(zone: tzinfo) -> str:
    return getattr(zone, "key", "UTC")
