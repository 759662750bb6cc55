"""Shipped and plain rules on real figures with labelled disruptions, beside what a naive rule makes of them.

Neither file has a labelled disruption in its first half. So the first half can say one thing only: how far a threshold
must be from what is ordinary. The thresholds are the lowest, in steps of five points or units, that keep the first half
quiet enough; shape of window, `for` and `keep_firing` are taken as given. What the second half gave is printed apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from pathlib import Path

import pendulum
import pytest
from pendulum import DateTime

from domain.text import Text
from domain.warning.rule import Aggregate, Baseline, Condition, Level, Rule, Tier
from engine.warning.backtest import Outcome, Recorded, backtest, read_file
from engine.warning.columns import Columns
from playbooks.rule_loader import load_rule
from playbooks.rulebook import SHIPPED
from storage.figures import moment

DATA = Path(__file__).parent.parent / "data"
TAXI, LATENCY = "nyc_taxi.csv", "ec2_request_latency_system_failure.csv"


@dataclass(frozen=True)
class Score:
    """Of a stretch of time: labelled windows in which a warning began, out of how many; warnings that began in none."""

    found: int
    labelled: int
    false: int

    def __str__(self) -> str:
        return f"{self.found} of {self.labelled} found, {self.false} false"


def windows(name: str) -> list[tuple[DateTime, DateTime]]:
    document = json.loads((DATA / "labelled_windows.json").read_text(encoding="utf-8"))[name]
    return [(instant(start), instant(end)) for start, end in document]


def instant(text: str) -> DateTime:
    found = pendulum.parse(text)
    assert isinstance(found, DateTime)
    return found


def figures(name: str, metric: str) -> Recorded:
    return read_file(DATA / name, metric, UTC)


def first_half(whole: Recorded) -> Recorded:
    middle = half(whole)
    part = whole.columns.where(whole.columns.at < int(middle.timestamp() * 1e6))
    assert isinstance(part, Columns)
    return replace(whole, columns=part)


def half(whole: Recorded) -> DateTime:
    return moment(int(whole.columns.at[len(whole.columns) // 2]))


def score(outcome: Outcome, name: str, since: DateTime | None = None, until: DateTime | None = None) -> Score:
    since, until = since or outcome.began, until or outcome.ended
    labelled = [(start, end) for start, end in windows(name) if since <= end < until]
    began = [firing.began for firing in outcome.firings if since <= firing.began < until]
    found = sum(any(start <= at <= end for at in began) for start, end in labelled)
    false = sum(not any(start <= at <= end for start, end in windows(name)) for at in began)
    return Score(found, len(labelled), false)


def tell(rule: Rule, outcome: Outcome, name: str, whole: Recorded) -> Score:
    middle, total = half(whole), score(outcome, name)
    halves = score(outcome, name, until=middle), score(outcome, name, since=middle)
    print(f"{name}: {rule.id}: {total}; first half: {halves[0]}; second half: {halves[1]}")
    return total


def naive(metric: str) -> Rule:
    """What is tried first everywhere: half as much again as in the hour before."""
    return Rule(
        "naive-hour-on-hour",
        Text("50 % on the previous hour"),
        metric,
        Aggregate.MEAN,
        timedelta(hours=1),
        Condition.CHANGE_ABOVE,
        (Level(Tier.YELLOW, 0.5, 0.5),),
        baseline=Baseline("previous"),
    )


def with_threshold(rule: Rule, threshold: float) -> Rule:
    level = rule.levels[0]
    return replace(
        rule, levels=(replace(level, threshold=threshold, recover=threshold * level.recover / level.threshold),)
    )


@pytest.fixture(scope="module", name="taxi")
def taxi_fixture() -> Recorded:
    return figures(TAXI, "contacts")


def test_the_shipped_seasonal_rule_finds_every_disruption_of_demand(taxi: Recorded) -> None:
    rule = load_rule(SHIPPED / "seasonal-volume.yaml").rule
    found = tell(rule, backtest(rule, taxi), TAXI, taxi)
    assert (found.found, found.labelled) == (5, 5)
    assert found.false <= 3
    plain = naive("contacts")
    cried = tell(plain, backtest(plain, taxi), TAXI, taxi)
    assert cried.false > 10 * found.false


def test_its_threshold_is_the_lowest_that_keeps_the_first_half_quiet(taxi: Recorded) -> None:
    rule = load_rule(SHIPPED / "seasonal-volume.yaml").rule
    half = first_half(taxi)
    false = {limit: score(backtest(with_threshold(rule, limit), half), TAXI).false for limit in (0.10, 0.15)}
    print(f"{TAXI}: false in the first half by threshold: {false}")
    assert rule.levels[0].threshold == min(limit for limit, cried in false.items() if cried <= 2)


def test_a_latency_rule_finds_two_failures_of_three_and_cries_never() -> None:
    whole = figures(LATENCY, "latency")
    rule = load_rule(DATA / "slow-requests.yaml").rule
    found = tell(rule, backtest(rule, whole), LATENCY, whole)
    assert found.labelled == 3
    assert found.found >= 2
    assert found.false == 0
    quiet = {limit: len(backtest(with_threshold(rule, limit), first_half(whole)).firings) for limit in (50.0, 55.0)}
    print(f"{LATENCY}: warnings in the first half by threshold: {quiet}")
    assert rule.levels[0].threshold == min(limit for limit, cried in quiet.items() if not cried)
    fixed = replace(with_threshold(rule, 50.0), id="naive-fixed-50", keep_firing=timedelta(0))
    cried = tell(fixed, backtest(fixed, whole), LATENCY, whole)
    assert cried.false > 0
    plain = naive("latency")
    assert tell(plain, backtest(plain, whole), LATENCY, whole).found < found.found
