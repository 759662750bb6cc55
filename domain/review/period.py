"""Calendar periods, and the ones that still need a review."""

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


class PeriodLength(StrEnum):
    """The length of a period."""

    DAY = "day"
    WEEK = "week"  # ISO 8601, from Monday
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"


class ReviewKind(StrEnum):
    """A kind of periodic review. The value names its document, its playbook and its deployment."""

    DAILY = "daily-figures"
    WEEKLY = "weekly-service-review"
    TOPICS = "complaint-topics"
    MONTHLY = "monthly-service-report"
    RISK = "risk-meeting"
    AUDIT = "process-audit"
    EVALUATION = "half-year-evaluation"
    REVISION = "playbook-revision"


REVIEW_LENGTHS = {
    ReviewKind.DAILY: PeriodLength.DAY,
    ReviewKind.WEEKLY: PeriodLength.WEEK,
    ReviewKind.TOPICS: PeriodLength.WEEK,
    ReviewKind.MONTHLY: PeriodLength.MONTH,
    ReviewKind.RISK: PeriodLength.MONTH,
    ReviewKind.AUDIT: PeriodLength.QUARTER,
    ReviewKind.EVALUATION: PeriodLength.HALF,
    ReviewKind.REVISION: PeriodLength.YEAR,
}


class BadPeriod(ValueError):
    """A period's name is refused; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period in the zone of the installation: from `begins` up to, and without, `ends`."""

    span: PeriodLength
    name: str
    begins: DateTime
    ends: DateTime


def parse_period(span: PeriodLength, name: str, zone: str) -> Period:
    """Parse a period's name, such as `2026-10`.

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


def _first(span: PeriodLength, numbers: list[int]) -> date:
    if span is PeriodLength.DAY:
        return date(*numbers)
    if span is PeriodLength.WEEK:
        return date.fromisocalendar(numbers[0], numbers[1], 1)
    number = numbers[1] if len(numbers) > 1 else 1
    return date(numbers[0], (number - 1) * _MONTHS[span] + 1, 1)


def period_at(span: PeriodLength, at: DateTime, zone: str) -> Period:
    """Return the period that a moment lies in."""
    local = at.in_timezone(zone)
    day = local.start_of("day")
    if span is PeriodLength.DAY:
        return Period(span, day.format("YYYY-MM-DD"), day, day.add(days=1))
    if span is PeriodLength.WEEK:
        begins = day.subtract(days=day.isoweekday() - 1)
        year, week, _ = date(begins.year, begins.month, begins.day).isocalendar()
        return Period(span, f"{year}-W{week:02d}", begins, begins.add(days=7))
    months = _MONTHS[span]
    place = (local.month - 1) // months
    begins = pendulum.datetime(local.year, place * months + 1, 1, tz=zone)
    return Period(span, _named(span, local.year, place), begins, begins.add(months=months))


def _named(span: PeriodLength, year: int, place: int) -> str:
    names = {
        PeriodLength.MONTH: f"{year}-{place + 1:02d}",
        PeriodLength.QUARTER: f"{year}-Q{place + 1}",
        PeriodLength.HALF: f"{year}-H{place + 1}",
    }
    return names.get(span, f"{year}")


def previous_period(period: Period, zone: str) -> Period:
    """Return the period that ends where this one begins."""
    return period_at(period.span, period.begins - timedelta(seconds=1), zone)


def unreviewed_periods(
    span: PeriodLength, last: str, since: DateTime, now: DateTime, zone: str, *, most: int = 14
) -> list[Period]:
    """List the periods that are over and not reviewed yet, the oldest first.

    `last`: the newest one that was reviewed, empty where none was. `since`: when the operation began to be
    reviewed; what was over by then is not owed. Of more than `most` the oldest are given up: a year without
    power is not made up for by a year of daily figures.
    """
    newest = previous_period(period_at(span, now, zone), zone)
    found: list[Period] = []
    one = newest
    while one.ends > since and one.name != last and len(found) < most:
        found.append(one)
        one = previous_period(one, zone)
    return found[::-1]


def days_of(period: Period) -> list[DateTime]:
    """Return the beginning of each of a period's days."""
    found = []
    day = period.begins
    while day < period.ends:
        found.append(day)
        day = day.add(days=1)
    return found
