"""Figures as people read them, in the language of a document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.warning.figures import Kind, Metric, show
from domain.warning.rule import Aggregate
from engine.review.blocks import Tone
from locales import Translator, format_span

SHARES = (Aggregate.SHARE,)


def is_share(metric: Metric) -> bool:
    """Whether it is read in percent."""
    return metric.aggregate in SHARES or metric.kind is Kind.SHARE


def percent(share: float | None, _: Translator, missing: str = "") -> str:
    """`93.3 %`."""
    return missing or _("no data") if share is None else show(round(share, 4), Kind.SHARE)


def seconds(count: float | None, _: Translator) -> str:
    """`2 min`; of less than two minutes to the second."""
    if count is None:
        return _("no data")
    return format_span(timedelta(seconds=count), _.language)


def figure(value: float | None, metric: Metric | None, _: Translator) -> str:
    """A figure with its unit."""
    if value is None:
        return _("no data")
    if metric is None:
        return show(value, Kind.GAUGE)
    if is_share(metric):
        return percent(value, _)
    return seconds(value, _) if metric.kind is Kind.DURATION and value >= 60 else show(value, metric.kind)  # noqa: PLR2004


def money(amount: float | None, currency: str, _: Translator) -> str:
    """`12,000 CNY`."""
    return _("not stated") if amount is None else f"{amount:,.0f} {currency}"


def plain(number: float | None, _: Translator) -> str:
    """`1,250`, `0.1`."""
    return _("not stated") if number is None else show(number, Kind.GAUGE)


def change(value: float | None, earlier: float | None, _: Translator) -> str:
    """`+12 %` against the span before."""
    if value is None or not earlier:
        return "–"
    share = (value - earlier) / abs(earlier)
    return f"{signed(share * 100, '.1f')} %"


def signed(number: float, digits: str = ".0f") -> str:
    """`+12`, `−3`, `0`."""
    shown = f"{number:+,{digits}}"
    return "0" if float(shown.replace(",", "")) == 0 else shown.replace("-", "−")


def meets(value: float | None, aim: float | None, better: str) -> Tone:
    """How a figure stands against its aim."""
    if value is None or aim is None:
        return ""
    met = value >= aim if better == "up" else value <= aim
    return "good" if met else "bad"


def title(metric: Metric | None, name: str, _: Translator) -> str:
    """A figure's name."""
    return metric.title.in_(_.language) if metric else name


def local(moment: str, zone: str, form: str = "%Y-%m-%d %H:%M") -> str:
    """A moment of the data, in the zone of the house."""
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)).strftime(form)


def two(words: Mapping[str, Any], language: str) -> str:
    """A text of the data that is there in both languages."""
    return str(words["zh"] if language == "zh_CN" else words["en"])
