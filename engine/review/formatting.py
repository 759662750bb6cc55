"""Formatting of figures in the language of a document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.warning.metrics import Metric, MetricKind, format_metric
from domain.warning.rule import Aggregate
from engine.review.blocks import Tone
from locales import Translator, format_span

SHARES = (Aggregate.SHARE,)


def is_share(metric: Metric) -> bool:
    """Return whether a metric is read in percent."""
    return metric.aggregate in SHARES or metric.kind is MetricKind.SHARE


def format_percent(share: float | None, _: Translator, missing: str = "") -> str:
    """Format a share as `93.3 %`."""
    return missing or _("no data") if share is None else format_metric(round(share, 4), MetricKind.SHARE)


def format_seconds(count: float | None, _: Translator) -> str:
    """Format seconds as `2 min`; less than two minutes to the second."""
    if count is None:
        return _("no data")
    return format_span(timedelta(seconds=count), _.language)


def format_figure(value: float | None, metric: Metric | None, _: Translator) -> str:
    """Format a figure with its unit."""
    if value is None:
        return _("no data")
    if metric is None:
        return format_metric(value, MetricKind.GAUGE)
    if is_share(metric):
        return format_percent(value, _)
    if metric.kind is MetricKind.DURATION and value >= 60:  # noqa: PLR2004 - a minute
        return format_seconds(value, _)
    return format_metric(value, metric.kind)


def format_money(amount: float | None, currency: str, _: Translator) -> str:
    """Format money as `12,000 CNY`."""
    return _("not stated") if amount is None else f"{amount:,.0f} {currency}"


def format_number(number: float | None, _: Translator) -> str:
    """Format a number as `1,250`, `0.1`."""
    return _("not stated") if number is None else format_metric(number, MetricKind.GAUGE)


def format_change(value: float | None, earlier: float | None, _: Translator) -> str:
    """Format a change as `+12 %` against the period before."""
    if value is None or not earlier:
        return "–"
    share = (value - earlier) / abs(earlier)
    return f"{format_signed(share * 100, '.1f')} %"


def format_signed(number: float, digits: str = ".0f") -> str:
    """Format a signed number as `+12`, `−3`, `0`."""
    shown = f"{number:+,{digits}}"
    return "0" if float(shown.replace(",", "")) == 0 else shown.replace("-", "−")


def tone_against_aim(value: float | None, aim: float | None, better: str) -> Tone:
    """Return the tone of a figure against its aim."""
    if value is None or aim is None:
        return ""
    met = value >= aim if better == "up" else value <= aim
    return "good" if met else "bad"


def metric_title(metric: Metric | None, name: str, _: Translator) -> str:
    """Return a metric's title."""
    return metric.title.in_(_.language) if metric else name


def format_local_time(moment: str, zone: str, form: str = "%Y-%m-%d %H:%M") -> str:
    """Format a moment of the data, in the installation's zone."""
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)).strftime(form)


def pick_language(words: Mapping[str, Any], language: str) -> str:
    """Return a text of the data in the document's language, of the two it has."""
    return str(words["zh"] if language == "zh_CN" else words["en"])
