"""Periods, clocks, effects, value: the arithmetic of reviews."""

from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pendulum import DateTime

from domain.incident import StepState, StepStatus
from domain.review import deadline_results
from domain.review.deadline_results import ClockOutcome
from domain.review.effects import measure_effect
from domain.review.period import (
    BadPeriod,
    PeriodLength,
    days_of,
    parse_period,
    period_at,
    previous_period,
    unreviewed_periods,
)
from domain.review.return_on_investment import ValueInputs, compute_return
from domain.trend import Trend

SHANGHAI = "Asia/Shanghai"
T = pendulum.datetime(2026, 10, 5, 2, 0)

# --- periods


@pytest.mark.parametrize(
    ("span", "name", "begins", "ends"),
    [
        (PeriodLength.DAY, "2026-10-31", "2026-10-31", "2026-11-01"),
        (PeriodLength.WEEK, "2026-W53", "2026-12-28", "2027-01-04"),
        (PeriodLength.WEEK, "2021-W01", "2021-01-04", "2021-01-11"),
        (PeriodLength.MONTH, "2026-02", "2026-02-01", "2026-03-01"),
        (PeriodLength.QUARTER, "2026-Q4", "2026-10-01", "2027-01-01"),
        (PeriodLength.HALF, "2026-H1", "2026-01-01", "2026-07-01"),
        (PeriodLength.YEAR, "2026", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_period_by_its_name(span: PeriodLength, name: str, begins: str, ends: str) -> None:
    found = parse_period(span, name, SHANGHAI)
    assert (found.name, found.begins.to_date_string(), found.ends.to_date_string()) == (name, begins, ends)
    assert found.begins.timezone_name == SHANGHAI


@pytest.mark.parametrize(
    ("span", "name"),
    [
        (PeriodLength.MONTH, "2026-13"), (PeriodLength.MONTH, "October"), (PeriodLength.MONTH, ""),
        (PeriodLength.WEEK, "2026-W54"), (PeriodLength.WEEK, "2025-W53"), (PeriodLength.DAY, "2026-02-30"),
        (PeriodLength.QUARTER, "2026-Q5"), (PeriodLength.YEAR, "1066"),
    ],
)  # fmt: skip
def test_no_such_period_says_how_one_is_written(span: PeriodLength, name: str) -> None:
    with pytest.raises(BadPeriod, match="write it as"):
        parse_period(span, name, SHANGHAI)


@given(
    span=st.sampled_from(list(PeriodLength)),
    at=st.datetimes(min_value=pendulum.datetime(2001, 1, 2).naive(), max_value=pendulum.datetime(2099, 1, 1).naive()),
    zone=st.sampled_from([SHANGHAI, "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_periods_tile_the_calendar(span: PeriodLength, at: DateTime, zone: str) -> None:
    moment = pendulum.instance(at, tz="UTC")
    found = period_at(span, moment, zone)
    assert found.begins <= moment < found.ends
    assert parse_period(span, found.name, zone) == found
    assert previous_period(found, zone).ends == found.begins
    assert period_at(span, found.ends, zone).begins == found.ends


def test_a_month_with_a_change_of_the_clock_has_all_its_days() -> None:
    days = days_of(parse_period(PeriodLength.MONTH, "2026-10", "Europe/Berlin"))
    assert len(days) == 31
    assert {day.hour for day in days} == {0}


@pytest.mark.parametrize(
    ("last", "since", "names"),
    [
        ("", "2026-10-20", ["2026-10"]),  # the first month that was lived in
        ("", "2026-11-05", []),  # begun in November: October is not owed
        ("2026-10", "2026-01-01", []),
        ("2026-07", "2026-01-01", ["2026-08", "2026-09", "2026-10"]),  # what was missed is made up for
        ("2026-07", "2026-09-15", ["2026-09", "2026-10"]),
    ],
)
def test_what_is_owed(last: str, since: str, names: list[str]) -> None:
    now, begun = pendulum.datetime(2026, 11, 22, 3), pendulum.parse(since)
    assert isinstance(begun, DateTime)
    assert [one.name for one in unreviewed_periods(PeriodLength.MONTH, last, begun, now, SHANGHAI)] == names


def test_of_a_long_sleep_the_oldest_are_given_up() -> None:
    now = pendulum.datetime(2026, 11, 22, 3)
    found = unreviewed_periods(PeriodLength.DAY, "2026-01-01", pendulum.datetime(2026, 1, 1), now, SHANGHAI, most=3)
    assert [one.name for one in found] == ["2026-11-19", "2026-11-20", "2026-11-21"]


# --- clocks


def step(status: StepStatus, acknowledged: int | None = None, done: int | None = None) -> StepState:
    """Opened at 0, to be taken within 5 and done by 40 minutes; other times in minutes after it."""
    return StepState(
        id="s/fix", stage="s", step="fix", round=1, opens_at=T, due_at=T + timedelta(minutes=40), laid_at=T,
        ack_within=timedelta(minutes=5), opened_at=T, status=status,
        acknowledged_at=None if acknowledged is None else T + timedelta(minutes=acknowledged),
        done_at=None if done is None else T + timedelta(minutes=done),
    )  # fmt: skip


S = StepStatus


@pytest.mark.parametrize(
    ("state", "now", "deadline", "acknowledged"),
    [
        (step(S.DONE, acknowledged=4, done=40), 60, "met", "met"),
        (step(S.DONE, acknowledged=6, done=41), 60, "missed", "missed"),
        (step(S.DONE, done=5), 60, "met", "met"),  # who does it at once has taken it
        (step(S.OPEN), 4, "open", "open"),
        (step(S.OPEN), 6, "open", "missed"),
        (step(S.ACKNOWLEDGED, acknowledged=5), 41, "missed", "met"),
        (step(S.SKIPPED, done=1), 60, "none", "none"),
        (step(S.ABANDONED, done=3), 60, "none", "none"),  # closed before anything was due
        (step(S.ABANDONED, done=10), 60, "none", "missed"),
        (step(S.ABANDONED, done=50), 60, "missed", "missed"),
    ],
)
def test_a_clock(state: StepState, now: int, deadline: str, acknowledged: str) -> None:
    at = T + timedelta(minutes=now)
    assert deadline_results.judge_deadline(state, at) == deadline
    assert deadline_results.judge_acknowledgement(state, at) == acknowledged


def test_a_tally_counts_what_is_over() -> None:
    found = deadline_results.tally_outcomes(
        [ClockOutcome.MET, ClockOutcome.MET, ClockOutcome.MISSED, ClockOutcome.OPEN, ClockOutcome.NONE]
    )
    assert (found.met, found.missed, found.open, found.share) == (2, 1, 1, 2 / 3)
    assert deadline_results.tally_outcomes([]).share is None


def test_answer_times() -> None:
    assert deadline_results.answer_time(step(S.DONE, acknowledged=4, done=40)) == timedelta(minutes=4)
    assert deadline_results.answer_time(step(S.OPEN)) is None
    assert deadline_results.answer_time(step(S.ABANDONED, done=3)) is None  # given up is not answered
    found = deadline_results.summarize_durations([timedelta(minutes=one) for one in (1, 2, 9)])
    assert (found.count, found.mean, found.median) == (3, 240.0, 120.0)


# --- effects

CALM = [0.80, 0.82, 0.81, 0.79, 0.80, 0.83, 0.78] * 4


@pytest.mark.parametrize(
    ("after", "better", "verdict"),
    [
        ([0.90, 0.91, 0.89, 0.92, 0.90, 0.88, 0.91], "up", Trend.BETTER),
        ([0.90, 0.91, 0.89, 0.92, 0.90, 0.88, 0.91], "down", Trend.WORSE),
        ([0.70, 0.69, 0.71, 0.68, 0.70, 0.72, 0.69], "up", Trend.WORSE),
        ([0.80, 0.81, 0.80, 0.79, 0.82, 0.80, 0.81], "up", Trend.SAME),
        ([0.20, 0.95, 0.81, 0.30, 0.99, 0.80, 0.85], "up", Trend.UNKNOWN),  # it swings too much to tell
        ([0.95, 0.96, 0.97, 0.95], "up", Trend.UNKNOWN),  # four days tell nothing
        ([], "up", Trend.UNKNOWN),
    ],
)
def test_a_verdict(after: list[float], better: str, verdict: Trend) -> None:
    found = measure_effect(CALM, after, better)  # type: ignore[arg-type]  # one of the two
    assert found.verdict is verdict
    assert measure_effect(CALM, after, better) == found, "the same figures always say the same"  # type: ignore[arg-type]


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Two samples of one distribution differ by nothing: 95 % of intervals hold zero (here: at least 90 of 100)."""
    import random

    chance = random.Random(7)
    held = 0
    for _ in range(100):
        one, other = ([chance.gauss(100, 10) for _ in range(28)] for _ in range(2))
        found = measure_effect(one, other, "up")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert held >= 90


# --- value


def test_nothing_is_made_of_what_nobody_stated() -> None:
    found = compute_return(ValueInputs(labour_cost_per_hour=60, hours_saved_per_case=0.1, investment=8000), 4000, 0.25)
    assert found.labour == pytest.approx(6000)
    assert found.cases_measured
    assert (found.lifetime, found.saving, found.returned) == (None, None, None)
    assert compute_return(ValueInputs(), None, None).labour is None


def test_a_stated_number_of_cases_goes_before_a_measured_one() -> None:
    stated = ValueInputs(60, 0.1, 500, 800, 5, 10_000)
    found = compute_return(stated, 4000, 0.25)
    assert (found.cases, found.cases_measured, found.labour, found.lifetime) == (500, False, 3000.0, 4000.0)
    assert found.saving == 7000
    assert found.returned == pytest.approx(-0.3)  # (7000 - 10000) / 10000


def test_no_investment_has_no_return() -> None:
    assert compute_return(ValueInputs(60, 0.1, 500, 800, 5, 0), None, None).returned is None
