"""Rules of whole calendar days: "on three days in a row". Pure.

A day is a calendar day of the rule's zone (23 or 25 hours where the clocks change). It is judged once, at
the first reading after it is over. A day without enough data breaks no row and counts for none: three bad
days with a closed Sunday between them are three in a row. So does a day that was not judged, because the
engine was down.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pendulum
from pendulum import DateTime

from domain.warning.judgement import judge_reading
from domain.warning.reading import RuleReading
from domain.warning.rule import Rule
from domain.warning.rule_state import RulePhase, RuleState

_QUARTER = 900  # seconds: every zone's midnight falls on a quarter of an hour of UTC


def last_whole_day(at: DateTime, zone: str) -> tuple[str, DateTime, DateTime]:
    """Return the last calendar day of `zone` over at `at`: its ISO date, its first moment, the first after it."""
    return _day_before(int(at.timestamp()) // _QUARTER, zone)


@lru_cache(maxsize=4096)
def _day_before(quarter: int, zone: str) -> tuple[str, DateTime, DateTime]:
    end = pendulum.from_timestamp(quarter * _QUARTER, zone).start_of("day")
    start = end.subtract(days=1)
    return start.to_date_string(), start, end


def advance_daily_state(rule: Rule, rule_state: RuleState, reading: RuleReading) -> RuleState:
    """Return the rule state after a reading of the last whole day; the same object until there is another day."""
    day, _, _ = last_whole_day(reading.at, rule.zone)
    if day <= rule_state.last_day:
        return rule_state
    judgement = judge_reading(rule, reading)
    judged = replace(rule_state, last_day=day, value=reading.value, baseline=reading.baseline)
    if not judgement.concludes or (judgement.breached is None and judgement.held and rule_state.warns):
        return judged
    if judgement.breached is None:
        began = rule_state.since if rule_state.phase is RulePhase.OK else reading.at
        return RuleState(since=began, last_day=day, value=reading.value, baseline=reading.baseline)
    bad = replace(judged, bad_days=rule_state.bad_days + 1, tier=judgement.breached)
    if rule_state.warns:
        return bad
    if bad.bad_days >= rule.consecutive_days:
        return replace(bad, phase=RulePhase.FIRING, since=reading.at, firing_since=reading.at)
    return bad if rule_state.phase is RulePhase.PENDING else replace(bad, phase=RulePhase.PENDING, since=reading.at)
