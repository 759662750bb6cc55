"""Forecast of contacts: the median of the last four same hours of the week, with bands. Pure.

Written rules, so that nobody has to guess:

- A slot is a stretch of 15, 30 or 60 minutes that begins on a multiple of itself in UTC. It belongs to the
  calendar day and the clock time at which it begins in the zone of the operation.
- The same hours are the slots of the same weekday and clock time in the weeks before, the latest four that
  have figures and were no holidays. With fewer than two nothing can be told. A slot without figures is
  unknown, never 0.
- Daylight saving: what counts is the clock on the wall. An hour that the clocks skipped is not there, and
  that week is passed over. An hour that comes twice counts as the mean of both, and both are forecast
  alike.
- A holiday is like the holidays before it: the latest four at that clock time. Where the history has fewer
  than two, it is like a Sunday.
- Bands are empirical: the 5 % and 95 % quantiles of what volumes were, relative to what this forecast would
  have said of them at the time, over all the history. Where fewer than `MIN_RATIOS` of those are known, the
  least and the most of the same hours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from statistics import fmean, median
from zoneinfo import ZoneInfo

SAME_HOURS = 4
LEAST_WEEKS = 2
WEEKS_BACK = 8  # holidays and holes are passed over, but not into another season
MIN_RATIOS = 96
BAND = (0.05, 0.95)
_SUNDAY = 6
_DAY_SECONDS = 86_400
_WEEK = 7

WallTime = tuple[int, int]  # a day (its ordinal) and the minute of that day, on the clock of the zone


class ForecastPattern(StrEnum):
    """Which past days a forecast is based on."""

    SAME_HOURS = "same-hours"
    HOLIDAYS = "holidays"
    SUNDAYS = "sundays"


@dataclass(frozen=True, slots=True)
class ForecastSlot:
    """The forecast of one slot.

    Attributes:
        start: seconds of the epoch.
        value: contacts in the slot; None: cannot be told.
        low, high: of the band; None as `value`.
        days: how many days of the past it is the median of.
    """

    start: int
    value: float | None
    low: float | None = None
    high: float | None = None
    days: int = 0
    pattern: ForecastPattern = ForecastPattern.SAME_HOURS


class VolumeHistory:
    """Past volumes by slot, the basis of a forecast.

    `volumes`: seconds of the epoch at which a slot begins -> how many. `holidays`: ISO dates of the zone.
    """

    def __init__(self, volumes: Mapping[int, float], slot: int, zone: str, holidays: Collection[str] = ()) -> None:
        self.slot = slot
        self._zone = ZoneInfo(zone)
        self._volumes = dict(sorted(volumes.items()))
        self._holidays = {date.fromisoformat(day).toordinal() for day in holidays}
        self._by_wall: dict[WallTime, list[tuple[int, float]]] = {}
        for start, volume in self._volumes.items():
            self._by_wall.setdefault(wall_time(start, self._zone), []).append((start, volume))
        self._latest = next(reversed(self._volumes), 0)
        self._known_holidays = sorted(self._holidays)
        self._ratios: tuple[int, list[float]] | None = None

    def __len__(self) -> int:
        return len(self._volumes)

    def days(self) -> float:
        """The days between its first and its last slot."""
        return (self._latest + self.slot - next(iter(self._volumes))) / _DAY_SECONDS if self._volumes else 0.0

    def expect(self, start: int, issued: int | None = None) -> ForecastSlot:
        """Forecast the slot that begins at `start`, from slots that were over at `issued` (default: all)."""
        known = self._latest + self.slot if issued is None else issued
        pattern, found = self._same(start, known)
        if len(found) < LEAST_WEEKS:
            return ForecastSlot(start, None, days=len(found), pattern=pattern)
        value = median(found)
        low, high = self._band(value, found, known)
        return ForecastSlot(start, value, low, high, len(found), pattern)

    def forecast_ahead(self, now: int, span: int) -> list[ForecastSlot]:
        """Forecast the slots that begin in [the one that `now` lies in, now + span)."""
        first = now // self.slot * self.slot
        return [self.expect(start, now) for start in range(first, now + span, self.slot)]

    def recent_level(self, now: int, span: int = 7200, least: float = 20.0) -> float:
        """The factor of recent actual over expected volume, from 1/4 to 4; 1 where few hours are known.

        What is coming in the next two hours is judged by it: a day that began twice as busy goes on so (see the
        backtest in docs/health.md). `least`: contacts expected in the span below which the factor would be chance.
        """
        last = now // self.slot * self.slot
        pairs = [
            (actual, expected)
            for start in range(last - span, last, self.slot)
            if (actual := self._volumes.get(start)) is not None and (expected := self._median(start, start)) is not None
        ]
        usual = sum(expected for _, expected in pairs)
        if not pairs or usual < least:
            return 1.0
        return min(4.0, max(0.25, sum(actual for actual, _ in pairs) / usual))

    # --- the same hours

    def _median(self, start: int, known: int) -> float | None:
        _, found = self._same(start, known)
        return median(found) if len(found) >= LEAST_WEEKS else None

    def _same(self, start: int, known: int) -> tuple[ForecastPattern, list[float]]:
        day, minute = wall_time(start, self._zone)
        if day not in self._holidays:
            weeks = range(day - _WEEK, day - _WEEK * (WEEKS_BACK + 1), -_WEEK)
            return ForecastPattern.SAME_HOURS, self._of(
                (one for one in weeks if one not in self._holidays), minute, known
            )
        before = self._known_holidays[: bisect_left(self._known_holidays, day)]
        found = self._of(reversed(before), minute, known)
        if len(found) >= LEAST_WEEKS:
            return ForecastPattern.HOLIDAYS, found
        last_sunday = day - 1 - (date.fromordinal(day - 1).weekday() - _SUNDAY) % _WEEK
        sundays = range(last_sunday, last_sunday - _WEEK * WEEKS_BACK, -_WEEK)
        return ForecastPattern.SUNDAYS, self._of((one for one in sundays if one not in self._holidays), minute, known)

    def _of(self, days: Iterator[int], minute: int, known: int) -> list[float]:
        """The volumes of these days at that clock time, the first four that are known."""
        found: list[float] = []
        for day in days:
            slots = [volume for start, volume in self._by_wall.get((day, minute), ()) if start + self.slot <= known]
            if slots:
                found.append(fmean(slots))
                if len(found) == SAME_HOURS:
                    break
        return found

    # --- bands

    def _band(self, value: float, found: Sequence[float], known: int) -> tuple[float, float]:
        ratios = self._past_ratios(known)
        if len(ratios) < MIN_RATIOS:
            return min(found), max(found)
        return value * compute_quantile(ratios, BAND[0]), value * compute_quantile(ratios, BAND[1])

    def _past_ratios(self, known: int) -> list[float]:
        """Actual over forecast of every slot over at `known` that could have been forecast, in order of size."""
        if self._ratios is None or self._ratios[0] != known:
            pairs = (
                (volume, self._median(start, start))
                for start, volume in self._volumes.items()
                if start + self.slot <= known
            )
            self._ratios = known, sorted(volume / usual for volume, usual in pairs if usual)
        return self._ratios[1]


def wall_time(start: int, zone: ZoneInfo) -> WallTime:
    """Return day and minute on the clock of the zone."""
    return _wall(start, zone)


@lru_cache(maxsize=65_536)
def _wall(start: int, zone: ZoneInfo) -> WallTime:
    local = datetime.fromtimestamp(start, UTC).astimezone(zone)
    return local.toordinal(), local.hour * 60 + local.minute


def compute_quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values, interpolated between neighbours (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
