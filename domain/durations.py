"""Durations as written in a playbook: `20m`, `1h30m`, `2d`, or ISO 8601 `PT1H30M`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pendulum import DateTime

_SHORT = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
LONGEST = timedelta(days=366)


def parse_duration(text: str) -> timedelta:
    """Read a duration. Elapsed time: a day is 24 hours.

    Raises:
        ValueError: not a duration, or longer than a year; the message says what would be right.
    """
    written = str(text).strip()
    pattern = _ISO if written.startswith("P") else _SHORT
    match = pattern.fullmatch(written)
    if not written or match is None or not any(match.groups()):
        msg = f"{written!r} is not a duration; write 20m, 1h30m, 2d or ISO 8601 such as PT20M"
        raise ValueError(msg)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if max(weeks, days, hours, minutes, seconds) < 10**9:  # keep timedelta itself from overflowing
        span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        if span <= LONGEST:
            return span
    msg = f"{written!r} is longer than a year; no clock of a playbook runs that long"
    raise ValueError(msg)


def format_duration(span: timedelta) -> str:
    """Format `span` in the shortest way that `parse_duration` reads back: `1h30m`."""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def elapsed(start: datetime, end: datetime) -> timedelta:
    """Return `end - start` as a plain timedelta.

    Pendulum's own difference is a calendar interval, slow and not divisible.
    """
    return datetime.__sub__(end, start)


def later(start: DateTime, span: timedelta) -> DateTime:
    """Return `start + span` in elapsed time.

    Pendulum's own sum goes over the calendar and takes twenty times as long.
    """
    moved = datetime.__add__(start, span)
    assert isinstance(moved, DateTime)  # noqa: S101 - datetime's sum keeps the class; this tells the type checker
    return moved
