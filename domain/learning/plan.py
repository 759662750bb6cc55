"""The learning plan as data: product meeting, recurrence, issue tracker; and the times computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.durations import LONGEST, parse_duration

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AGENDA_LEAD = timedelta(hours=24)  # the clock of the playbook `product-meeting` begins so long before the meeting
SHORTEST_TERM = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How an operation learns from incidents and suggestions.

    Attributes:
        weekday, minute, zone: When the product meeting is held: 0 is Monday; minutes since midnight there.
        minutes: How long it is.
        lead: How long before it the agenda is sent.
        near: From how near on two suggestions say the same, 0.0 to 1.0.
        count, window: So many of a kind within that time are a warning.
        same_from: From how alike on two incidents are of a kind, 0.0 to 1.0.
        similar_from: From how alike on a past incident is shown.
        improvement_aim: Share of complaints that are to become a recorded improvement.
        tracker_url, tracker_token_env: Where suggestions are posted, and the variable that holds its token.
    """

    weekday: int
    minute: int
    zone: str
    minutes: int
    lead: timedelta
    near: float
    count: int
    window: timedelta
    same_from: float
    similar_from: float
    improvement_aim: float
    tracker_url: str = ""
    tracker_token_env: str = ""


def next_meeting(plan: LearningPlan, now: DateTime) -> DateTime:
    """Return the first meeting that begins after `now`, in UTC. The same local hour in winter and summer."""
    local = now.in_timezone(plan.zone)
    day = local.start_of("day").add(days=(plan.weekday - local.isoweekday() + 1) % 7)
    begins = _at(day, plan.minute)
    found: DateTime = (begins if begins > now else _at(day.add(days=7), plan.minute)).in_timezone("UTC")
    return found


def _at(day: DateTime, minute: int) -> DateTime:
    found: DateTime = day.set(hour=minute // 60, minute=minute % 60)
    return found


class BadDueDate(ValueError):
    """A due date is refused; the message says what would be right."""


def parse_due_date(text: str, zone: str, now: DateTime) -> timedelta:
    """Parse a due date into the span from now: `14d`, or `2026-12-01`, whose end it is in `zone`.

    Whole minutes, so that parts of it can be written down.

    Raises:
        BadDate: no such date, in the past, within the hour, or more than a year away.
    """
    written = text.strip()
    try:
        span = parse_duration(written)
    except ValueError:
        span = _until(written, zone, now)
    if span < timedelta(0):
        raise BadDueDate(f"{written[:40]} is in the past: nothing can be promised for then")
    if span < SHORTEST_TERM:
        raise BadDueDate(f"{written[:40]!r} is less than an hour from now: give it more time, for example 14d")
    if span > LONGEST:
        raise BadDueDate(f"{written[:40]!r} is more than a year away: promise a first part of it")
    return timedelta(minutes=span // timedelta(minutes=1))


def _until(written: str, zone: str, now: DateTime) -> timedelta:
    try:
        year, month, day = (int(part) for part in written.split("-"))
        ends = DateTime(year, month, day, tzinfo=now.in_timezone(zone).tzinfo).add(days=1)
    except (ValueError, OverflowError):
        raise BadDueDate(f"{written[:40]!r} is no date: write 14d for fourteen days, or 2026-12-01") from None
    return timedelta(seconds=(ends - now).total_seconds())
