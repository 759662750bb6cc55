"""Periods of the calendar, and which of them a review still owes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import pendulum
from pendulum import DateTime

_NAMES = {
    "day": re.compile(r"(\d{4})-(\d{2})-(\d{2})"),
    "week": re.compile(r"(\d{4})-W(\d{2})"),
    "month": re.compile(r"(\d{4})-(\d{2})"),
    "quarter": re.compile(r"(\d{4})-Q([1-4])"),
    "half": re.compile(r"(\d{4})-H([12])"),
    "year": re.compile(r"(\d{4})"),
}
_EXAMPLES = {
    "day": "2026-10-31", "week": "2026-W44", "month": "2026-10", "quarter": "2026-Q4", "half": "2026-H2",
    "year": "2026",
}  # fmt: skip
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_YEARS = (2000, 2999)


class Span(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"  # ISO 8601, from Monday
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"


class ReviewKind(StrEnum):
    """What the calendar asks for. The value names its document, its playbook and its deployment."""

    DAILY = "daily-figures"
    WEEKLY = "weekly-service-review"
    TOPICS = "complaint-topics"
    MONTHLY = "monthly-service-report"
    RISK = "risk-meeting"
    AUDIT = "process-audit"
    EVALUATION = "half-year-evaluation"
    REVISION = "playbook-revision"


SPANS = {
    ReviewKind.DAILY: Span.DAY,
    ReviewKind.WEEKLY: Span.WEEK,
    ReviewKind.TOPICS: Span.WEEK,
    ReviewKind.MONTHLY: Span.MONTH,
    ReviewKind.RISK: Span.MONTH,
    ReviewKind.AUDIT: Span.QUARTER,
    ReviewKind.EVALUATION: Span.HALF,
    ReviewKind.REVISION: Span.YEAR,
}


class BadPeriod(ValueError):
    """No period of that kind; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of the calendar in the zone of the house: from `begins` up to, and without, `ends`."""

    span: Span
    name: str
    begins: DateTime
    ends: DateTime


def period_named(span: Span, name: str, zone: str) -> Period:
    """The period of that name, such as `2026-10`.

    Raises:
        BadPeriod: not the name of one.
    """
    match = _NAMES[span].fullmatch(name.strip())
    if match is None or not _YEARS[0] <= int(match[1]) <= _YEARS[1]:
        raise BadPeriod(f"{name[:40]!r} is no {span}: write it as {_EXAMPLES[span]}")
    numbers = [int(part) for part in match.groups()]
    try:
        first = _first(span, numbers)
    except ValueError:
        raise BadPeriod(f"there is no {span} {name}: write it as {_EXAMPLES[span]}") from None
    return period_at(span, pendulum.datetime(first.year, first.month, first.day, tz=zone), zone)


def _first(span: Span, numbers: list[int]) -> date:
    if span is Span.DAY:
        return date(*numbers)
    if span is Span.WEEK:
        return date.fromisocalendar(numbers[0], numbers[1], 1)
    number = numbers[1] if len(numbers) > 1 else 1
    return date(numbers[0], (number - 1) * _MONTHS[span] + 1, 1)


def period_at(span: Span, at: DateTime, zone: str) -> Period:
    """The period that a moment lies in."""
    local = at.in_timezone(zone)
    day = local.start_of("day")
    if span is Span.DAY:
        return Period(span, day.format("YYYY-MM-DD"), day, day.add(days=1))
    if span is Span.WEEK:
        begins = day.subtract(days=day.isoweekday() - 1)
        year, week, _ = date(begins.year, begins.month, begins.day).isocalendar()
        return Period(span, f"{year}-W{week:02d}", begins, begins.add(days=7))
    months = _MONTHS[span]
    place = (local.month - 1) // months
    begins = pendulum.datetime(local.year, place * months + 1, 1, tz=zone)
    return Period(span, _named(span, local.year, place), begins, begins.add(months=months))


def _named(span: Span, year: int, place: int) -> str:
    names = {
        Span.MONTH: f"{year}-{place + 1:02d}", Span.QUARTER: f"{year}-Q{place + 1}", Span.HALF: f"{year}-H{place + 1}",
    }  # fmt: skip
    return names.get(span, f"{year}")


def before(period: Period, zone: str) -> Period:
    """The period that ends where this one begins."""
    return period_at(period.span, period.begins - timedelta(seconds=1), zone)


def owed(span: Span, last: str, since: DateTime, now: DateTime, zone: str, *, most: int = 14) -> list[Period]:
    """The periods that are over and not reviewed yet, the oldest first.

    `last`: the newest one that was reviewed, empty where none was. `since`: when the operation began to be reviewed;
    what was over by then is not owed. Of more than `most` the oldest are given up: a year without power is not made up
    for by a year of daily figures.
    """
    newest = before(period_at(span, now, zone), zone)
    found: list[Period] = []
    one = newest
    while one.ends > since and one.name != last and len(found) < most:
        found.append(one)
        one = before(one, zone)
    return found[::-1]


def days_of(period: Period) -> list[DateTime]:
    """The beginning of each of its days."""
    found = []
    day = period.begins
    while day < period.ends:
        found.append(day)
        day = day.add(days=1)
    return found
