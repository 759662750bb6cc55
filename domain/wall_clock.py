"""Time zones, and wall-clock times as points in time: also one that comes twice in autumn or never in spring."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import pendulum
from pendulum import DateTime

from domain.durations import elapsed, later

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def is_time_zone(name: str) -> bool:
    """Whether a name is that of a time zone, as in `Asia/Shanghai`."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def resolve_wall_time(wall: datetime, zone: tzinfo, *, ends: bool = False) -> DateTime:
    """Return when a clock on the wall of `zone` shows `wall` (naive).

    A time that comes twice starts at its first occurrence and ends at its last; one that never comes is the
    moment of the jump.
    """
    first, last = (_utc(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if last < first:  # the clocks jump over it
        return _jump(zone, last, first)
    return last if ends else first


def _utc(when: datetime) -> DateTime:
    offset = when.utcoffset() or timedelta(0)
    bare = when.replace(tzinfo=None) - offset
    return pendulum.datetime(bare.year, bare.month, bare.day, bare.hour, bare.minute, bare.second)


def _jump(zone: tzinfo, before: DateTime, after: DateTime) -> DateTime:
    """The first second between these two at which the zone's offset is the later one."""
    said = _offset(zone, after)
    while elapsed(before, after) > _SECOND:
        middle = later(before, timedelta(seconds=int(elapsed(before, after).total_seconds()) // 2))
        before, after = (before, middle) if _offset(zone, middle) == said else (middle, after)
    return after


def _offset(zone: tzinfo, when: DateTime) -> timedelta | None:
    return datetime.fromtimestamp(when.timestamp(), zone).utcoffset()
