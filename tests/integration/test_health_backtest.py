"""The forecast on real figures: half-hourly taxi rides of New York, seven months (see tests/data/README.md)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.health.forecast import VolumeHistory

DATA = Path(__file__).parents[1] / "data" / "nyc_taxi.csv"
ZONE = "America/New_York"
SLOT, DAY = 1800, 86_400
HOLIDAYS = ("2014-07-04", "2014-09-01", "2014-11-27", "2014-12-25", "2015-01-01", "2015-01-19")


@pytest.fixture(name="rides", scope="module")
def rides_fixture() -> dict[int, float]:
    zone = ZoneInfo(ZONE)
    with DATA.open(newline="") as file:
        return {
            int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=zone).timestamp()): float(row["value"])
            for row in csv.DictReader(file)
        }


def slots(rides: dict[int, float]) -> Sequence[int]:
    """From the fifth week on, every slot of which the week and the day before are known (clocks changed once)."""
    since = min(rides) + 28 * DAY
    return [start for start in rides if start >= since and {start - 7 * DAY, start - DAY} <= rides.keys()]


def wape(rides: dict[int, float], of: Sequence[int], forecast: Callable[[int], float]) -> float:
    """The weighted absolute percentage error: the sum of errors over the sum of volumes."""
    return sum(abs(rides[one] - forecast(one)) for one in of) / sum(rides[one] for one in of)


@pytest.mark.parametrize(("holidays", "over_week", "over_day"), [((), 0.93, 0.57), (HOLIDAYS, 0.86, 0.52)])
def test_it_is_better_than_last_week_and_better_than_yesterday(
    rides: dict[int, float], holidays: Sequence[str], over_week: float, over_day: float
) -> None:
    history, of = VolumeHistory(rides, SLOT, ZONE, holidays), slots(rides)

    def two_days_ahead(start: int) -> float:
        found = history._median(start, start - 2 * DAY)
        assert found is not None
        return found

    mine = wape(rides, of, two_days_ahead)
    week = wape(rides, of, lambda start: rides[start - 7 * DAY])
    yesterday = wape(rides, of, lambda start: rides[start - DAY])
    print(f"\nforecast {mine:.1%}, same hour last week {week:.1%}, yesterday {yesterday:.1%}, holidays {len(holidays)}")
    assert mine / week < over_week
    assert mine / yesterday < over_day


def test_the_level_of_the_last_hours_makes_the_next_two_better(rides: dict[int, float]) -> None:
    history = VolumeHistory(rides, SLOT, ZONE, HOLIDAYS)
    ahead = [(start - 2 * SLOT, start) for start in slots(rides)[::7]]
    plain = level = 0.0
    for issued, start in ahead:
        usual = history._median(start, issued)
        assert usual is not None
        plain += abs(rides[start] - usual)
        level += abs(rides[start] - usual * history.recent_level(issued))
    print(f"\none hour ahead: error with the level of the last two hours / without: {level / plain:.2f}")
    assert level / plain < 0.75


def test_the_band_holds_four_fifths_of_what_is_to_come(rides: dict[int, float]) -> None:
    """Nine tenths of the past lay in it; of what comes, 48 hours ahead and from the 35 days kept, a little less."""
    inside = told = 0
    for issued in slots(rides)[:: 11 * 48]:
        kept = {start: value for start, value in rides.items() if issued - 35 * DAY <= start < issued}
        for one in VolumeHistory(kept, SLOT, ZONE, HOLIDAYS).forecast_ahead(issued, 2 * DAY):
            if one.low is not None and one.high is not None and one.start in rides:
                told += 1
                inside += one.low <= rides[one.start] <= one.high
    print(f"\nin the band: {inside / told:.0%} of {told}")
    assert told > 1000
    assert 0.75 < inside / told < 0.95
