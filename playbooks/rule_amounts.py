"""Amounts in rule files: `30s`, `85%`, `10 points`, `0.5`. Never an expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from domain.durations import format_duration, parse_duration
from domain.warning.metrics import MetricKind, format_metric
from playbooks.errors import quote_value

_NUMBER = re.compile(r"([-+]?(?:\d+(?:\.\d+)?|\.\d+)) ?(%|ms|s|points?)?", re.ASCII)
_LONGEST = 40
_LIKE = {
    MetricKind.DURATION: "30s or 2m",
    MetricKind.SHARE: "85% or 0.85",
    MetricKind.VOLUME: "120",
    MetricKind.SCORE: "40",
    MetricKind.GAUGE: "120",
}
SUSPICIOUS_CHANGE = 5  # `50` for 50 % is a mistake that would never fire; +500 % is written 500%


class NotAnAmount(ValueError):
    """A value is no number; the message is the reason, a semicolon, and what would be right."""


@dataclass(frozen=True, slots=True)
class RuleAmount:
    """A number as it was written, with its unit: nothing, `%`, `s` or `points`."""

    number: float
    unit: str = ""
    text: str = ""


def parse_amount(value: object) -> RuleAmount:
    """Parse the number of a file.

    Raises:
        NotAnAmount: anything else; values are never evaluated.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return RuleAmount(float(value), "", str(value))
    text = value.strip() if isinstance(value, str) else ""
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match:
        number, unit = float(match[1]), match[2] or ""
        if unit == "ms":
            return RuleAmount(number / 1000, "s", text)
        return RuleAmount(number, "points" if unit.startswith("point") else unit, text)
    try:
        return RuleAmount(parse_duration(text[:_LONGEST]).total_seconds(), "s", text)
    except ValueError:
        shown = value if isinstance(value, str) else str(value)
        raise NotAnAmount(f"{quote_value(shown)} is not a number; for example 30, 0.85, 85% or 30s") from None


def to_figure(amount: RuleAmount, kind: MetricKind, most: float | None = None) -> float:
    """Convert the amount to the unit of the figures that it is compared with.

    Raises:
        NotAnAmount: it is written in another unit, or larger than any such figure can be.
    """
    if amount.unit not in {MetricKind.DURATION: ("", "s"), MetricKind.SHARE: ("", "%")}.get(kind, ("",)):
        raise NotAnAmount(f"{quote_value(amount.text)} does not fit: the figure is a {kind}; write {_LIKE[kind]}")
    number = amount.number / 100 if amount.unit == "%" else amount.number
    if most is not None and abs(number) > most:
        if kind is MetricKind.SHARE and not amount.unit:
            raise NotAnAmount(f"{quote_value(amount.text)} would be {number * 100:g} %; write {amount.text}%")
        raise NotAnAmount(f"{quote_value(amount.text)} can never be reached; at most {format_metric(most, kind)}")
    return number


def to_relative_change(amount: RuleAmount) -> float:
    """Convert the amount to a relative change: `50%` and `0.5` are half as much again.

    Raises:
        NotAnAmount: another unit, below zero, or a number that surely was meant in percent.
    """
    if amount.unit not in ("", "%"):
        raise NotAnAmount(f"{quote_value(amount.text)} is no relative change; write 50%, or 10 points for a difference")
    number = amount.number / 100 if amount.unit == "%" else amount.number
    if number < 0:
        raise NotAnAmount(f"{quote_value(amount.text)} is below zero; write the size: {amount.text.lstrip('-')}")
    if not amount.unit and number >= SUSPICIOUS_CHANGE:
        raise NotAnAmount(f"{quote_value(amount.text)} would be {number * 100:g} %; write {amount.text}%")
    return number


def to_points(amount: RuleAmount, kind: MetricKind) -> float:
    """Convert the amount to a difference in the figure's own unit: ten points of a share are 0.1.

    Raises:
        NotAnAmount: another unit, or below zero.
    """
    if amount.unit != "points":
        remedy = f"write {amount.number:g} points, as the other thresholds"
        raise NotAnAmount(f"{quote_value(amount.text)} is not in points; {remedy}")
    if amount.number < 0:
        raise NotAnAmount(f"{quote_value(amount.text)} is below zero; write the size: {amount.text.lstrip('-')}")
    return amount.number / 100 if kind is MetricKind.SHARE else amount.number


def format_threshold(figure: float, kind: MetricKind, *, change: bool = False, points: bool = False) -> str:
    """Format a threshold as a file has it; read back it is the same figure."""
    if points:
        return f"{_plain(figure * 100 if kind is MetricKind.SHARE else figure)} points"
    if change or kind is MetricKind.SHARE:
        return f"{_plain(figure * 100)}%"
    if kind is MetricKind.DURATION and figure > 0 and figure == int(figure):
        return format_duration(timedelta(seconds=figure))
    return _plain(figure) + ("s" if kind is MetricKind.DURATION else "")


def _plain(number: float) -> str:
    rounded = round(number, 9)
    return str(int(rounded)) if rounded == int(rounded) else f"{rounded:.9f}".rstrip("0")
