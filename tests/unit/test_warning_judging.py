"""What one reading says about a rule: thresholds, evidence, chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from math import comb, inf
from typing import Any

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.text import Text
from domain.warning import significance_tests
from domain.warning.judgement import MissingEvidence, compared_figure, judge_reading
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier

AT = pendulum.datetime(2026, 3, 2, 10)
YELLOW, RED = Tier.YELLOW, Tier.RED


def rule(condition: Condition = Condition.ABOVE, *levels: tuple[Tier, float, float], **more: Any) -> Rule:
    made = tuple(ThresholdLevel(*level) for level in levels) or (ThresholdLevel(RED, 30, 25),)
    base = Baseline() if condition.compares else None
    whole: dict[str, Any] = {"aggregate": Aggregate.MEAN, "window": timedelta(minutes=10), "baseline": base, **more}
    return Rule("r", Text("R"), "m", condition=condition, levels=made, **whole)


def reading(
    value: float | None, events: float = 100, baseline: float | None = None, behind: float = 100
) -> RuleReading:
    return RuleReading(AT, value, events, baseline, behind, AT)


TWO = ((YELLOW, 0.5, 0.3), (RED, 1.0, 0.8))
VOLUME = {"aggregate": Aggregate.SUM, "significance": 0.05}


@pytest.mark.parametrize(
    ("says", "condition", "figures", "breached", "held"),
    [
        ("above is strict", "above", (30.0,), None, RED),
        ("just above", "above", (30.1,), RED, RED),
        ("between the two", "above", (27.0,), None, RED),
        ("at recover it is recovered", "above", (25.0,), None, None),
    ],
)
def test_above(says: str, condition: str, figures: tuple[float], breached: Tier | None, held: Tier | None) -> None:
    found = judge_reading(rule(Condition(condition)), reading(*figures))
    assert (found.breached, found.held) == (breached, held), says


@pytest.mark.parametrize(
    ("value", "breached", "held"), [(0.85, None, RED), (0.849, RED, RED), (0.87, None, RED), (0.88, None, None)]
)
def test_below(value: float, breached: Tier | None, held: Tier | None) -> None:
    found = judge_reading(rule(Condition.BELOW, (RED, 0.85, 0.88)), reading(value))
    assert (found.breached, found.held) == (breached, held)


@pytest.mark.parametrize(
    ("condition", "value", "baseline", "breached", "held"),
    [
        ("change_above", 149, 100, None, YELLOW),
        ("change_above", 150, 100, YELLOW, YELLOW),  # up 50 % is 50 % or more
        ("change_above", 200, 100, RED, RED),
        ("change_above", 185, 100, YELLOW, RED),
        ("change_above", 129, 100, None, None),
        ("change_above", 50, 100, None, None),  # a fall is no rise
        ("change_below", 50, 100, YELLOW, YELLOW),
        ("change_below", 0, 100, RED, RED),
        ("change_below", 200, 100, None, None),
        ("change_either", 150, 100, YELLOW, YELLOW),
        ("change_either", 50, 100, YELLOW, YELLOW),
        ("change_either", 71, 100, None, None),
        ("change_above", -10, -30, YELLOW, YELLOW),  # NPS can be below zero: up by two thirds of 30
        ("change_above", 0, 0, None, None),
        ("change_above", 1, 0, RED, RED),  # out of nothing: infinite
        ("change_below", -1, 0, RED, RED),
        ("change_above", 5, None, None, None),
    ],
)
def test_changes(condition: str, value: float, baseline: float | None, breached: Tier | None, held: Any) -> None:
    found = judge_reading(rule(Condition(condition), *TWO), reading(value, baseline=baseline))
    assert (found.breached, found.held) == (breached, held)


def test_a_change_of_20_percent_is_one_whatever_the_floating_point_makes_of_it() -> None:
    up = rule(Condition.CHANGE_ABOVE, (RED, 0.2, 0.1))
    assert (1.2 - 1.0) / 1.0 < 0.2
    assert judge_reading(up, reading(1.2, baseline=1.0)).breached is RED


def test_points_are_the_difference_itself() -> None:
    down = rule(Condition.CHANGE_BELOW, (YELLOW, 0.10, 0.05), points=True)
    assert judge_reading(down, reading(0.70, baseline=0.80)).breached is YELLOW
    assert judge_reading(down, reading(0.71, baseline=0.80)).breached is None
    assert compared_figure(replace(down, points=False), reading(1.0, baseline=0.0)) == inf


def test_without_value_or_baseline_nothing_is_concluded() -> None:
    assert judge_reading(rule(), reading(None)).want is MissingEvidence.NO_VALUE
    week = judge_reading(rule(Condition.CHANGE_ABOVE, *TWO), reading(1000, baseline=None))
    assert (week.want, week.concludes, week.breached, week.held) == (MissingEvidence.NO_BASELINE, False, None, None)


@pytest.mark.parametrize(
    ("aggregate", "condition", "events", "behind", "concludes", "breached"),
    [
        ("mean", "above", 19, 0, False, None),
        ("mean", "above", 20, 0, True, RED),
        ("mean", "change_above", 20, 19, False, None),
        ("mean", "change_above", 20, 20, True, RED),
        ("sum", "above", 19, 0, True, None),  # of a volume few events end a warning but raise none
        ("sum", "change_above", 20, 1, True, RED),  # a surge out of nothing
        ("sum", "change_above", 19, 19, True, None),
        ("share", "change_above", 19, 500, False, None),
    ],
)
def test_min_samples(
    aggregate: str, condition: str, events: float, behind: float, concludes: bool, breached: Tier | None
) -> None:
    limit = rule(Condition(condition), (RED, 1.0, 0.5), aggregate=Aggregate(aggregate), min_samples=20)
    found = judge_reading(limit, reading(30, events, baseline=10, behind=behind))
    assert (found.concludes, found.breached) == (concludes, breached)


@pytest.mark.parametrize(
    ("complaints", "against", "weeks", "fires"),
    [
        (3, 2, 1, False),  # +50 %, and means nothing: P = 0.5
        (15, 10, 1, False),  # P = 0.21
        (60, 40, 1, True),  # P = 0.028
        (7, 0, 1, True),  # P = 1/128
        (4, 0, 1, False),  # P = 1/16
        (14, 7, 1, False),  # P = 0.095 against one window...
        (14, 7, 4, True),  # ... and 0.024 when four weeks stand behind the 7
    ],
)
def test_complaints_are_tested_for_chance(complaints: int, against: int, weeks: int, fires: bool) -> None:
    up = rule(Condition.CHANGE_ABOVE, (RED, 0.5, 0.3), **VOLUME)
    found = judge_reading(up, reading(complaints, complaints, against, against * weeks))
    assert (found.breached is RED) is fires, found.probability
    assert found.want is (MissingEvidence.NOTHING if fires else MissingEvidence.CHANCE)
    assert found.held is RED  # going on asks no test


def test_a_rate_is_tested_by_the_events_of_its_window() -> None:
    up = rule(Condition.CHANGE_ABOVE, (RED, 0.5, 0.3), aggregate=Aggregate.RATE, significance=0.05)
    assert judge_reading(up, reading(6.0, 60, 4.0, 40)).probability == pytest.approx(0.0284, abs=1e-4)


def test_a_fall_is_tested_on_its_own_side_and_two_sided_doubles() -> None:
    down = rule(Condition.CHANGE_BELOW, (RED, 0.3, 0.2), **VOLUME)
    one = judge_reading(down, reading(40, 40, 60, 60)).probability
    both = judge_reading(replace(down, condition=Condition.CHANGE_EITHER), reading(40, 40, 60, 60)).probability
    assert one == pytest.approx(0.0284, abs=1e-4)
    assert both == pytest.approx(2 * 0.0284, abs=2e-4)


def test_a_red_by_chance_may_be_a_yellow_beyond_it() -> None:
    low = rule(Condition.BELOW, (YELLOW, 0.85, 0.88), (RED, 0.70, 0.75), aggregate=Aggregate.SHARE, significance=0.05)
    found = judge_reading(low, reading(0.68, 50))
    assert (found.breached, found.held) == (YELLOW, RED)
    assert judge_reading(low, reading(0.50, 50)).breached is RED


@pytest.mark.parametrize(("share", "of", "fires"), [(0.80, 20, False), (0.80, 400, True), (0.84, 400, False)])
def test_satisfaction_below_its_target_is_tested_against_the_target(share: float, of: int, fires: bool) -> None:
    low = rule(Condition.BELOW, (RED, 0.85, 0.88), aggregate=Aggregate.SHARE, significance=0.05)
    assert (judge_reading(low, reading(share, of)).breached is RED) is fires


@pytest.mark.parametrize(("of", "behind", "fires"), [(20, 2000, False), (300, 20, False), (300, 300, True)])
def test_a_share_against_a_share_knows_that_both_are_samples(of: int, behind: int, fires: bool) -> None:
    jump = rule(Condition.CHANGE_ABOVE, (RED, 0.5, 0.3), aggregate=Aggregate.SHARE, significance=0.01)
    assert (judge_reading(jump, reading(0.20, of, 0.10, behind)).breached is RED) is fires


def binomial_tail(k: int, n: int, p: Fraction) -> float:
    return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
@example(1, 9, 1)  # exactly at the mean: rounding made one side of it significant
def test_the_binomial_tail_is_exact_wherever_it_matters(a: int, b: int, tenths: int) -> None:
    exact = binomial_tail(a, a + b, Fraction(tenths, 10))
    found = significance_tests.binomial_at_least(a, a + b, tenths / 10)
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and exact > 0.4)
    other = significance_tests.binomial_at_most(
        b, a + b, 1 - tenths / 10
    )  # at the mean itself rounding decides on which side of it it is
    assert other == pytest.approx(exact, rel=1e-6) or (other == 1.0 and exact > 0.4)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fishers_test_is_exact_wherever_it_matters(k: int, rest: int, other: int, other_rest: int) -> None:
    n, m, wins = k + rest, other + other_rest, k + other
    exact = sum(comb(n, i) * comb(m, wins - i) for i in range(k, min(n, wins) + 1)) / comb(n + m, wins)
    found = significance_tests.fisher_higher_share(k, n, other, m)
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and exact > 0.4)


def test_a_thousand_million_events_are_judged_at_once() -> None:
    assert significance_tests.poisson_excess(1_000_000_000, 900_000_000, 0.5) < 1e-100
    assert 0.01 < significance_tests.poisson_excess(500_700, 500_000, 0.5) < 0.5
    assert significance_tests.fisher_higher_share(10**9, 2 * 10**9, 9 * 10**8, 2 * 10**9) < 1e-100


numbers = st.none() | st.floats(-1e12, 1e12)


@given(
    st.sampled_from(list(Condition)), st.sampled_from(list(Aggregate)), numbers, numbers,
    st.floats(0, 1e9), st.floats(0, 1e9), st.booleans(), st.none() | st.floats(0.001, 0.2),
)  # fmt: skip
def test_every_reading_has_an_answer_and_the_breached_is_held(  # noqa: PLR0917
    condition: Condition, aggregate: Aggregate, value: Any, baseline: Any, events: float, behind: float,
    points: bool, significance: float | None,
) -> None:  # fmt: skip
    limit = rule(condition, *TWO, aggregate=aggregate, points=points, significance=significance, min_samples=5)
    if condition is Condition.BELOW:
        limit = replace(limit, levels=(ThresholdLevel(YELLOW, 1.0, 1.2), ThresholdLevel(RED, 0.5, 0.7)))
    found = judge_reading(limit, reading(value, events, baseline, behind))
    if found.breached is not None:
        assert found.concludes
        assert found.held is RED or found.held is found.breached
