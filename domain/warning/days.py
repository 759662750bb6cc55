"""Rules of whole calendar days: "on three days in a row". Pure.

A day is a calendar day of the rule's zone (23 or 25 hours where the clocks change). It is judged once, at the first
reading after it is over. A day without enough data breaks no row and counts for none: three bad days with a closed
Sunday between them are three in a row. So does a day that nobody judged, because the engine was down.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pendulum
from pendulum import DateTime

from domain.warning.judging import judge
from domain.warning.reading import Reading
from domain.warning.rule import Rule
from domain.warning.standing import Phase, Standing

_QUARTER = 900  # seconds: every zone's midnight falls on a quarter of an hour of UTC


def day_before(at: DateTime, zone: str) -> tuple[str, DateTime, DateTime]:
    """The last calendar day of `zone` that is over at `at`: its ISO date, its first moment, the first after it."""
    return _day_before(int(at.timestamp()) // _QUARTER, zone)


@lru_cache(maxsize=4096)
def _day_before(quarter: int, zone: str) -> tuple[str, DateTime, DateTime]:
    end = pendulum.from_timestamp(quarter * _QUARTER, zone).start_of("day")
    start = end.subtract(days=1)
    return start.to_date_string(), start, end


def advance_day(rule: Rule, standing: Standing, reading: Reading) -> Standing:
    """The standing after a reading of the last whole day; the same object until there is another day."""
    day, _, _ = day_before(reading.at, rule.zone)
    if day <= standing.last_day:
        return standing
    judgement = judge(rule, reading)
    judged = replace(standing, last_day=day, value=reading.value, baseline=reading.baseline)
    if not judgement.concludes or (judgement.breached is None and judgement.held and standing.warns):
        return judged
    if judgement.breached is None:
        began = standing.since if standing.phase is Phase.OK else reading.at
        return Standing(since=began, last_day=day, value=reading.value, baseline=reading.baseline)
    bad = replace(judged, bad_days=standing.bad_days + 1, tier=judgement.breached)
    if standing.warns:
        return bad
    if bad.bad_days >= rule.consecutive_days:
        return replace(bad, phase=Phase.FIRING, since=reading.at, firing_since=reading.at)
    return bad if standing.phase is Phase.PENDING else replace(bad, phase=Phase.PENDING, since=reading.at)
