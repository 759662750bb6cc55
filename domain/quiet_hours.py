"""Quiet hours of a person: only pages are delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from pendulum import DateTime

from domain.wall_clock import resolve_wall_time

_WRITTEN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Quiet hours [start, end) of the day, over midnight where `end` is not after `start`."""

    start: time
    end: time

    def until(self, now: DateTime, zone: tzinfo) -> DateTime | None:
        """When the quiet hours in which `now` falls are over, on the clocks of `zone`; None: it is not quiet."""
        today = datetime.fromtimestamp(now.timestamp(), zone).date()
        for day in (today - _DAY, today):
            begins = resolve_wall_time(datetime.combine(day, self.start), zone)
            last = day if self.start < self.end else day + _DAY
            ends = resolve_wall_time(datetime.combine(last, self.end), zone, ends=True)
            if begins <= now < ends:
                return ends
        return None


def parse_quiet_hours(text: str) -> QuietHours:
    """Parse `22:00-07:00`.

    Raises:
        ValueError: it is not written so, or names no time at all.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:20]!r} is no span of a day")
    hours = [int(part) for part in match.groups()]
    found = QuietHours(time(hours[0], hours[1]), time(hours[2], hours[3]))
    if found.start == found.end:
        raise ValueError(f"{text[:20]!r} begins when it ends")
    return found
