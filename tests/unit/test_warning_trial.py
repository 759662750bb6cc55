"""The tests that rules bring along can fail, and say how."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from domain.text import Text
from domain.warning.metrics import METRICS
from domain.warning.rule import Aggregate, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_checks import check_rule
from domain.warning.rule_state import RulePhase
from domain.warning.rule_trial import RuleTrial, TrialExpectation, TrialSeries, find_trial_failures

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RULE = Rule(
    "queue",
    Text("Q"),
    "backlog",
    Aggregate.LAST,
    MINUTE,
    Condition.ABOVE,
    (ThresholdLevel(Tier.RED, 50, 40),),
    by=("queue",),
)


def line(*values: float | None, **more: Any) -> TrialSeries:
    return TrialSeries("backlog", values, **more)


def expect(seconds: int, phase: str, tier: Tier | None = None, **labels: str) -> TrialExpectation:
    return TrialExpectation(SECOND * seconds, RulePhase(phase), tier, labels)


LONG, SHORT = line(60, 60, 60, labels={"queue": "a"}), line(10, 10, 10, labels={"queue": "b"})


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (RuleTrial("as expected", (LONG,), (expect(10, "firing", queue="a"),)), []),
        (RuleTrial("a sample is seen by the next tick", (LONG,), (expect(0, "ok", queue="a"),)), []),
        (RuleTrial("between two ticks it stands as at the last", (LONG,), (expect(9, "ok", queue="a"),)), []),
        (RuleTrial("another phase", (LONG,), (expect(10, "ok", queue="a"),)),
         ["queue=a at 10s it should be ok, and is firing red"]),
        (RuleTrial("another tier", (LONG,), (expect(10, "firing", Tier.YELLOW, queue="a"),)),
         ["queue=a at 10s it should be firing yellow, and is firing red"]),
        (RuleTrial("the other series", (LONG, SHORT),
                   (expect(10, "ok", queue="b"), expect(10, "firing", queue="a"))), []),
        (RuleTrial("a series that nobody expected fires too", (LONG, SHORT), never_fires=True),
         ["queue=a fires at 10s, and never should"]),
        (RuleTrial("none fires", (SHORT,), never_fires=True), []),
        (RuleTrial("a series without figures is silent", (SHORT,), (expect(600, "no_data", queue="z"),)), []),
        (RuleTrial("two in one tick", (LONG,), (expect(11, "firing", queue="a"), expect(12, "ok", queue="a"))),
         ["queue=a at 12s it should be ok, and is firing red"]),
    ],
    ids=lambda value: value.name if isinstance(value, RuleTrial) else "",
)  # fmt: skip
def test_a_trial_passes_or_says_what_was_otherwise(trial: RuleTrial, said: list[str]) -> None:
    assert find_trial_failures(RULE, trial) == said


def test_a_line_lies_where_it_says() -> None:
    start = pendulum.datetime(2026, 3, 30, 10, tz="Europe/Berlin")
    now = line(1, None, 3, every=MINUTE, starts=-2 * MINUTE, count=5, labels={"queue": "a"})
    assert [(one.at, one.value, one.count) for one in now.samples(start)] == [
        (start.subtract(minutes=2), 1, 5),
        (start, 3, 5),
    ]
    weekly = [one.at for one in replace(now, values=(1,), weeks=2).samples(start)]
    assert weekly == [pendulum.datetime(2026, 3, day, 9, 58, tz="Europe/Berlin") for day in (23, 16)]


def test_a_trial_lasts_to_its_last_figure_or_expectation() -> None:
    assert RuleTrial("", (line(1, 1, 1),)).lasts == 30 * SECOND
    assert RuleTrial("", (line(1, 1, 1),), (expect(90, "ok"),)).lasts == 90 * SECOND
    assert RuleTrial("", (line(1, weeks=4, every=MINUTE),)).lasts == timedelta(0)


def test_a_sound_rule_has_no_problem_and_each_limit_is_where_it_is_said_to_be() -> None:
    def found(**more: Any) -> list[tuple[str | int, ...]]:
        return [problem.path for problem in check_rule(replace(RULE, **more), METRICS["backlog"])]

    assert found() == []
    assert found(window=timedelta(days=28)) == []
    assert found(window=timedelta(days=28) + 10 * SECOND) == [("window",)]
    assert found(window=10 * SECOND) == []
    assert found(levels=(ThresholdLevel(Tier.RED, 50, 50),)) == []
    assert found(levels=(ThresholdLevel(Tier.RED, 50, 51),)) == [("recover",)]
    assert found(for_=timedelta(days=29), keep_firing=timedelta(days=29)) == [("for",), ("keep_firing",)]
    assert found(min_samples=-1) == [("min_samples",)]
    assert found(zone="Nowhere") == [("zone",)]
    assert found(aggregate=Aggregate.SUM) == [("aggregate",)]
    assert found(at_least=3.0) == [("at_least",)]
