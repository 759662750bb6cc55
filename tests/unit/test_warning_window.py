"""What an aggregate, a window and a baseline mean, computed by hand."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import Text
from domain.warning.reading import RuleReading
from domain.warning.reference_evaluator import Sample, SampleHistory, list_series, read_window
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier

AT = pendulum.datetime(2026, 3, 16, 10)  # a Monday


def rule(aggregate: str = "mean", window: int = 10, condition: str = "above", **more: Any) -> Rule:
    levels = (ThresholdLevel(Tier.RED, 1, 1),)
    return Rule(
        "r", Text("R"), "m", Aggregate(aggregate), timedelta(minutes=window), Condition(condition), levels, **more
    )


def sample(minutes_ago: float, value: float, count: float = 1, metric: str = "m", **labels: str) -> Sample:
    return Sample(metric, AT.subtract(seconds=round(minutes_ago * 60)), value, count, labels)


FIVE = [sample(5, 10, 1), sample(4, 20, 2), sample(3, 30, 3), sample(2, 5, 4), sample(1, 50, 10)]


@pytest.mark.parametrize(
    ("aggregate", "value", "events"),
    [
        ("mean", (10 + 40 + 90 + 20 + 500) / 20, 20),
        ("sum", 115, 115),
        ("count", 20, 20),
        ("min", 5, 20),
        ("max", 50, 20),
        ("last", 50, 20),
        ("rate", 11.5, 115),
        ("p50", 30, 20),  # 10 of 20 events are at most 30
        ("p75", 50, 20),
        ("p99", 50, 20),
    ],
)
def test_aggregates(aggregate: str, value: float, events: float) -> None:
    found = read_window(rule(aggregate), FIVE, AT)
    assert found.value == pytest.approx(value)
    assert found == RuleReading(AT, found.value, events, newest=AT.subtract(minutes=1))


def test_a_percentile_is_the_value_of_an_event() -> None:
    hundred = [sample(number / 20, number) for number in range(1, 101)]
    random.Random(1).shuffle(hundred)
    for name, value in (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99)):
        assert read_window(rule(name), hundred, AT).value == value


def test_the_window_takes_its_beginning_and_not_its_end() -> None:
    edge = [sample(10, 1), sample(0, 100), sample(-1, 100), sample(10.1, 1000)]
    assert read_window(rule("sum"), edge, AT) == RuleReading(AT, 1, 1, newest=AT.subtract(minutes=10))


def test_of_one_moment_the_last_is_the_largest_whatever_came_first() -> None:
    both = [sample(1, 7), sample(1, 9), sample(1, 8)]
    assert read_window(rule("last"), both, AT).value == read_window(rule("last"), both[::-1], AT).value == 9


def test_satisfied_are_those_of_at_least_4() -> None:
    scores = [sample(1, score, count) for score, count in ((1, 5), (3, 5), (4, 10), (5, 20))]
    assert read_window(rule("share", at_least=4), scores, AT) == RuleReading(
        AT, 0.75, 40, newest=AT.subtract(minutes=1)
    )


def test_a_share_per_another_metric_counts_the_denominator() -> None:
    both = [sample(3, 2), sample(2, 4), sample(4, 100, metric="n"), sample(1, 200, metric="n")]
    found = read_window(rule("share", per="n"), both, AT)
    assert found == RuleReading(AT, 6 / 300, 300, newest=AT.subtract(minutes=2))
    none = read_window(rule("share", per="n"), both[:2], AT)
    assert (none.value, none.events, none.newest) == (None, 0, None)
    no_complaints = read_window(rule("share", per="n"), [sample(30, 1), *both[2:]], AT)
    assert (no_complaints.value, no_complaints.newest) == (0.0, AT.subtract(minutes=30))


def test_labels_choose_and_by_tells_apart() -> None:
    mixed = [
        sample(1, 1, service="pay", queue="a"), sample(1, 2, service="pay", queue="b"), sample(1, 4, service="pay"),
        sample(1, 8, service="ship", queue="a"), sample(1, 16, metric="n", service="pay", queue="z"),
    ]  # fmt: skip
    limit = rule("sum", labels={"service": "pay"}, by=("queue",))
    keys = list_series(limit, mixed)
    assert keys == [(("queue", ""),), (("queue", "a"),), (("queue", "b"),)]
    assert [read_window(limit, mixed, AT, key).value for key in keys] == [4, 1, 2]
    assert list_series(rule(), []) == [()]
    assert read_window(rule("sum", labels={"service": "pay"}), mixed, AT).value == 7


def test_nothing_in_the_window_is_no_value_but_the_newest_is_known() -> None:
    assert read_window(rule(), [sample(11, 1)], AT) == RuleReading(AT, None, 0, newest=AT.subtract(minutes=11))
    assert read_window(rule(), [], AT) == RuleReading(AT, None)


def every_minute(first: int, last: int, value: float) -> list[Sample]:
    """A figure a minute from `first` minutes ago until before `last` minutes ago."""
    return [sample(minute, value) for minute in range(first, last, -1)]


PREVIOUS: dict[str, Any] = {"condition": "change_above", "baseline": Baseline()}


def test_previous_is_the_window_just_before_or_so_much_earlier() -> None:
    figures = [*every_minute(60, 20, 1), *every_minute(20, 10, 3), *every_minute(10, 0, 6)]
    found = read_window(rule("sum", **PREVIOUS), figures, AT)
    assert (found.value, found.events, found.baseline, found.baseline_events) == (60, 60, 30, 30)
    earlier = Baseline(offset=timedelta(minutes=30))
    assert read_window(rule("sum", condition="change_above", baseline=earlier), figures, AT).baseline == 10


@pytest.mark.parametrize(
    ("says", "aggregate", "figures", "baseline"),
    [
        ("heard for exactly two windows", "sum", every_minute(20, 0, 1), 10),
        ("half a window is none", "sum", every_minute(15, 0, 1), None),
        ("a mean of half a window is a mean", "mean", every_minute(15, 0, 1), 1),
        ("a hole in the baseline", "sum", [*every_minute(30, 18, 1), *every_minute(12, 0, 1)], None),
        ("a hole into the baseline", "sum", [*every_minute(30, 22, 1), *every_minute(16, 0, 1)], None),
        ("a hole in the window", "sum", [*every_minute(30, 8, 1), *every_minute(3, 0, 1)], None),
        ("a hole before both", "sum", [*every_minute(40, 30, 1), *every_minute(20, 0, 1)], 10),
        ("a short hole", "sum", [*every_minute(30, 17, 1), *every_minute(14, 0, 1)], 7),
        ("silence now", "sum", every_minute(30, 4, 1), None),
    ],
)
def test_a_volume_is_compared_only_where_it_was_heard_all_along(
    says: str, aggregate: str, figures: list[Sample], baseline: float | None
) -> None:
    assert read_window(rule(aggregate, **PREVIOUS), figures, AT).baseline == baseline


def test_a_hole_that_touches_neither_window_is_no_hole() -> None:
    earlier = rule("sum", condition="change_above", baseline=Baseline(offset=timedelta(minutes=30)))
    around = [*every_minute(60, 45, 1), *every_minute(40, 29, 1), *every_minute(10, 0, 1)]
    assert read_window(earlier, around, AT).baseline == 10
    into = [*(one for one in around if one.at < AT.subtract(minutes=31)), *around[-10:]]
    assert read_window(earlier, into, AT).baseline is None


def test_a_hole_that_is_still_to_come_is_not_known() -> None:
    history = SampleHistory(rule("sum", **PREVIOUS), [*every_minute(30, 0, 1), sample(-20, 1)])
    assert history.read(AT).baseline == 10
    assert history.read(AT.add(minutes=4)).baseline is None  # by then five minutes without a figure


seconds = st.integers(0, 3600)


@given(
    st.lists(st.tuples(seconds, st.sampled_from([0.0, 1.0, 5.0, 7.5]), st.integers(1, 3), st.booleans()), max_size=30),
    st.sampled_from(list(Aggregate)), st.booleans(), st.sampled_from([None, 600, 1800]), seconds,
)  # fmt: skip
def test_what_comes_later_is_not_known_before(
    drawn: list[tuple[int, float, int, bool]], aggregate: Aggregate, per: bool, offset: int | None, now: int
) -> None:
    samples = [Sample("n" if other else "m", AT.add(seconds=at), value, count) for at, value, count, other in drawn]
    at = AT.add(seconds=now)
    back = timedelta(seconds=offset) if offset else None
    limit = rule(
        aggregate, condition="change_above", baseline=Baseline(offset=back), at_least=5, per="n" if per else None
    )
    assert SampleHistory(limit, samples).read(at) == read_window(limit, [one for one in samples if one.at < at], at)


def weeks(*values: float | None, hour: int = 10, zone: str = "UTC", at: pendulum.DateTime = AT) -> list[Sample]:
    """A mean for the same hour 0, 1, 2 ... weeks ago."""
    local = at.in_timezone(zone)
    moments = [local.subtract(weeks=week).subtract(minutes=5) for week in range(len(values))]
    return [Sample("m", when, value, 10) for when, value in zip(moments, values, strict=True) if value is not None]


def seasonal(**base: Any) -> Rule:
    return rule(condition="change_either", baseline=Baseline("same-hours", **base))


@pytest.mark.parametrize(
    ("values", "baseline", "events"),
    [
        ((9, 1, 2, 3, 40), 2.5, 40),
        ((9, 1, None, 3, None), 2, 20),  # two weeks are enough
        ((9, 1, None, None, None), None, 0),  # one is not
        ((9, None, None, None, None, 5, 5), None, 0),  # older ones do not count
    ],
)
def test_same_hours_is_the_median_of_the_weeks_with_data(values: Any, baseline: float | None, events: float) -> None:
    found = read_window(seasonal(), weeks(*values), AT)
    assert (found.value, found.baseline, found.baseline_events) == (9, baseline, events)


def test_a_holiday_is_left_out_of_the_baseline_and_has_none_itself() -> None:
    figures = weeks(9, 1, 2, 3, 40)
    assert read_window(seasonal(), figures, AT, holidays={"2026-03-09"}).baseline == 3  # of 2, 3, 40
    assert read_window(seasonal(), figures, AT, holidays={"2026-03-16"}).baseline is None
    assert read_window(seasonal(), figures, AT, holidays={"2026-03-09", "2026-03-02", "2026-02-23"}).baseline is None


@pytest.mark.parametrize("at", ["2026-03-30T08:00:00Z", "2026-10-26T09:00:00Z"])
def test_the_same_hour_is_that_of_the_wall_across_a_change_of_clocks(at: str) -> None:
    now = pendulum.parse(at)
    assert isinstance(now, pendulum.DateTime)
    assert now.in_timezone("Europe/Berlin").hour == 10
    figures = weeks(9, 1, 2, 3, 4, zone="Europe/Berlin", at=now)
    assert read_window(seasonal(zone="Europe/Berlin"), figures, now).baseline == 2.5
    assert read_window(seasonal(zone="UTC"), figures, now).baseline is None


def test_a_rule_of_days_sees_the_day_that_is_over_in_its_zone() -> None:
    daily = rule(window=24 * 60, consecutive_days=3, zone="Europe/Berlin")
    at = pendulum.datetime(2026, 10, 26, 3)
    hours = [Sample("m", pendulum.datetime(2026, 10, 24, 12).add(hours=hour), hour) for hour in range(48)]
    # Sunday the 25th in Berlin has 25 hours: from 22:00 UTC of the 24th to 23:00 UTC of the 25th.
    assert read_window(daily, hours, at) == RuleReading(at, sum(range(10, 35)) / 25, 25, newest=at.subtract(hours=1))
