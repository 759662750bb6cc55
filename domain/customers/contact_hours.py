"""Contact hours of customers: nobody is written to in the quiet hours of their own time zone."""

from __future__ import annotations

from dataclasses import dataclass

from pendulum import DateTime

_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class ContactQuietHours:
    """Quiet hours from one time of day to another, in minutes since midnight; `begins == ends`: never quiet."""

    begins: int = 21 * 60
    ends: int = 9 * 60

    def includes(self, minute: int) -> bool:
        """Whether that minute of the day is quiet. The end itself is not."""
        if self.begins <= self.ends:
            return self.begins <= minute < self.ends
        return minute >= self.begins or minute < self.ends


def is_quiet_time(zone: str, now: DateTime, quiet: ContactQuietHours) -> bool:
    """Whether it is quiet in a zone now."""
    local = now.in_timezone(zone)
    return quiet.includes(local.hour * 60 + local.minute)


def next_contact_time(zone: str, now: DateTime, quiet: ContactQuietHours) -> DateTime:
    """Return `now` where it is not quiet in the zone, else when the quiet ends, in UTC.

    Where the clocks are put forward over the end, the first minute after it counts (pendulum moves it on).
    """
    if not is_quiet_time(zone, now, quiet):
        return now
    local = now.in_timezone(zone)
    ends = local.start_of("day").set(hour=quiet.ends // 60 % 24, minute=quiet.ends % 60)
    if ends <= local:
        ends = local.start_of("day").add(days=1).set(hour=quiet.ends // 60 % 24, minute=quiet.ends % 60)
    found: DateTime = ends.in_timezone("UTC")
    return found


def parse_minute_of_day(text: str) -> int:
    """Parse `21:00` as minutes since midnight; `24:00` is the day's end.

    Raises:
        ValueError: no time of day.
    """
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and len(minute) == 2 and text.isascii()):  # noqa: PLR2004
        raise ValueError(f"{text!r} is no time of day: write 21:00")
    found = int(hour) * 60 + int(minute)
    if found > _DAY or int(minute) > 59:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{text!r} is no time of day: write 21:00")
    return found % _DAY
