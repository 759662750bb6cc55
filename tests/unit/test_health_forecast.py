"""The forecast by its written rules: same hours, holes, holidays, the days on which clocks change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from domain.health.forecast import MIN_RATIOS, ForecastPattern, VolumeHistory, compute_quantile

HOUR = 3600
BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 3, 16, tzinfo=ZoneInfo("UTC"))
NOW = int(MONDAY.timestamp())


def past(
    value: Callable[[datetime], float | None], weeks: int = 5, zone: str = "UTC", until: int = NOW
) -> Mapping[int, float]:
    """Hourly volumes of so many weeks, from the local time of each."""
    clock = ZoneInfo(zone)
    found = {}
    for start in range(until - weeks * 7 * 24 * HOUR, until, HOUR):
        volume = value(datetime.fromtimestamp(start, clock))
        if volume is not None:
            found[start] = volume
    return found


def week_of(at: datetime) -> int:
    """Weeks before NOW, from 1."""
    return (MONDAY.date() - at.date()).days // 7 + (1 if (MONDAY.date() - at.date()).days % 7 else 0)


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def test_it_is_the_median_of_the_last_four_same_hours() -> None:
    # Four Mondays at nine: 10, 20, 40, 80 from the latest; the fifth does not count.
    of_week = {1: 10.0, 2: 20.0, 3: 40.0, 4: 80.0, 5: 1000.0}
    history = VolumeHistory(past(lambda one: of_week[week_of(one)]), HOUR, "UTC")
    found = history.expect(at("2026-03-16T09:00"))
    assert (found.value, found.days, found.pattern) == (30, 4, ForecastPattern.SAME_HOURS)


def test_other_hours_and_days_do_not_count() -> None:
    history = VolumeHistory(past(lambda one: one.weekday() * 100 + one.hour), HOUR, "UTC")
    assert history.expect(at("2026-03-17T05:00")).value == 105


@pytest.mark.parametrize(("weeks", "value"), [(1, None), (2, 7.0), (3, 7.0)])
def test_two_weeks_are_the_least(weeks: int, value: float | None) -> None:
    history = VolumeHistory(past(lambda _: 7.0, weeks), HOUR, "UTC")
    found = history.expect(at("2026-03-16T09:00"))
    assert (found.value, found.low is None) == (value, value is None)


def test_a_hole_is_unknown_and_the_week_before_it_counts() -> None:
    gap = at("2026-03-09T09:00")
    volumes = {start: value for start, value in past(lambda _: 6.0).items() if start != gap}
    found = VolumeHistory(volumes, HOUR, "UTC").expect(at("2026-03-16T09:00"))
    assert (found.value, found.days) == (6, 4)
    at_night = VolumeHistory(past(lambda one: 6.0 if one.hour >= 8 else None), HOUR, "UTC")
    assert at_night.expect(at("2026-03-16T03:00")).value is None
    assert at_night.expect(at("2026-03-16T08:00")).value == 6


def test_nothing_later_than_the_issue_is_known() -> None:
    of_week = {1: 0.0, 2: 10.0, 3: 20.0, 4: 30.0, 5: 40.0}
    history = VolumeHistory(past(lambda one: of_week[week_of(one)]), HOUR, "UTC")
    monday = at("2026-03-16T09:00")
    # On the Monday before, at half past nine, the slot of nine is not over.
    assert history.expect(monday, at("2026-03-09T09:30")).value == 25
    assert history.expect(monday, at("2026-03-09T10:00")).value == 15
    assert history.forecast_ahead(NOW + 1800, 2 * HOUR)[0].start == NOW
    assert len(history.forecast_ahead(NOW + 1800, 2 * HOUR)) == 3


# --- holidays


def test_an_ordinary_day_passes_holidays_over() -> None:
    history = VolumeHistory(
        past(lambda one: 99.0 if week_of(one) <= 2 else 4.0), HOUR, "UTC", ["2026-03-09", "2026-03-02"]
    )
    found = history.expect(at("2026-03-16T09:00"))
    assert (found.value, found.days) == (4, 3)


def test_a_holiday_is_like_the_holidays_before_it() -> None:
    holidays = ["2026-03-03", "2026-03-05", "2026-03-17"]
    volumes = past(lambda one: 2.0 if one.date().isoformat() in holidays else 50.0)
    found = VolumeHistory(volumes, HOUR, "UTC", holidays).expect(at("2026-03-17T09:00"))
    assert (found.value, found.days, found.pattern) == (2, 2, ForecastPattern.HOLIDAYS)


def test_a_first_holiday_is_like_a_sunday_that_was_none() -> None:
    holidays = ["2026-03-15", "2026-03-17"]  # the last Sunday itself was a holiday
    volumes = past(lambda one: 1000.0 if one.day == 15 and one.month == 3 else 20.0 if one.weekday() == 6 else 50.0)
    found = VolumeHistory(volumes, HOUR, "UTC", holidays).expect(at("2026-03-17T09:00"))
    assert (found.value, found.days, found.pattern) == (20, 4, ForecastPattern.SUNDAYS)


# --- clocks


def test_it_goes_by_the_clock_on_the_wall_when_summer_time_begins() -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00. Nine o'clock is 08:00 UTC before and 07:00 UTC after.
    until = at("2026-03-29T00:00", BERLIN)
    history = VolumeHistory(past(lambda one: float(one.hour), zone=BERLIN, until=until), HOUR, BERLIN)
    nine = at("2026-03-30T09:00", BERLIN)
    assert datetime.fromtimestamp(nine, ZoneInfo("UTC")).hour == 7
    assert history.expect(nine).value == 9
    hours = [one.value for one in history.forecast_ahead(until, 24 * HOUR)]
    assert hours[:4] == [0, 1, 3, 4]  # there is no two o'clock that day


def test_a_skipped_hour_is_passed_over() -> None:
    until = at("2026-04-26T00:00", BERLIN)
    sundays = {19: 1.0, 12: 2.0, 5: 3.0, 22: 100.0}  # of April, and the 22nd of March; the 29th had no two o'clock
    history = VolumeHistory(past(lambda one: sundays.get(one.day, 50), zone=BERLIN, until=until), HOUR, BERLIN)
    found = history.expect(at("2026-04-26T02:00", BERLIN))
    assert (found.value, found.days) == (2.5, 4)


def test_an_hour_that_comes_twice_is_forecast_twice_alike_and_counts_once() -> None:
    # Berlin, 25 October 2026: 03:00 becomes 02:00, so that two o'clock comes twice.
    first = at("2026-10-25T02:00", BERLIN)
    before = VolumeHistory(past(lambda one: float(one.hour), zone=BERLIN, until=first - 2 * HOUR), HOUR, BERLIN)
    assert before.expect(first).value == before.expect(first + HOUR).value == 2
    volumes = {first: 10.0, first + HOUR: 30.0, at("2026-10-18T02:00", BERLIN): 60.0}
    found = VolumeHistory(volumes, HOUR, BERLIN).expect(at("2026-11-01T02:00", BERLIN))
    assert (found.value, found.days) == (40, 2)  # the median of (10 + 30) / 2 and 60


# --- level and bands


def test_the_level_is_what_the_last_two_hours_were_worth() -> None:
    volumes = dict(past(lambda _: 30.0))
    assert VolumeHistory(volumes, HOUR, "UTC").recent_level(NOW) == 1
    volumes |= {NOW - HOUR: 60.0, NOW - 2 * HOUR: 30.0}
    assert VolumeHistory(volumes, HOUR, "UTC").recent_level(NOW) == 1.5
    volumes |= {NOW - HOUR: 3000.0}
    assert VolumeHistory(volumes, HOUR, "UTC").recent_level(NOW) == 4
    assert VolumeHistory(volumes, HOUR, "UTC").recent_level(NOW, least=61) == 1  # 60 were expected: too few to say


def test_bands_come_from_how_wrong_it_was() -> None:
    # Weeks of 120 and of 100 by turns: the forecast was too low or too high every time.
    history = VolumeHistory(past(lambda one: 100.0 * (1.2 if week_of(one) % 2 else 1.0)), HOUR, "UTC")
    found = history.expect(at("2026-03-16T09:00"))
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    exact = VolumeHistory(past(lambda _: 100.0), HOUR, "UTC").expect(at("2026-03-16T09:00"))
    assert (exact.low, exact.high) == (100, 100)


def test_with_few_errors_known_the_band_is_from_the_least_to_the_most() -> None:
    volumes = {at(f"2026-03-{day:02}T09:00"): volume for day, volume in ((2, 10.0), (9, 30.0))}
    assert len(volumes) < MIN_RATIOS
    found = VolumeHistory(volumes, HOUR, "UTC").expect(at("2026-03-16T09:00"))
    assert (found.low, found.value, found.high) == (10, 20, 30)


def test_quantiles_lie_between_neighbours() -> None:
    assert compute_quantile([0, 10, 20, 30, 40], 0.1) == 4
    assert compute_quantile([0, 10, 20, 30, 40], 0.9) == 36
    assert compute_quantile([7], 0.9) == 7


def test_without_any_history_nothing_is_told() -> None:
    empty = VolumeHistory({}, HOUR, "UTC")
    assert all(one.value is None for one in empty.forecast_ahead(NOW, 48 * HOUR))
    assert (empty.days(), empty.recent_level(NOW), len(empty)) == (0, 1, 0)
