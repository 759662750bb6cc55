"""What the tracker skips in bulk, the state machine leaves as it is: each phase, on and around every limit and span.

`engine.warning.tracker` repeats in numpy, for speed, what `domain.warning.state_machine` decides one by one. Fifty
changes by hand to the tracker (a `<` made `<=`, `lasts`, `mended`, `no_worse`, `plain` or a hair dropped, thresholds
taken for `recover`, the side of a condition turned ...) each failed a test here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pendulum import DateTime

from domain.durations import later
from domain.text import Text
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState
from domain.warning.state_machine import advance_state
from engine.warning.rule_reader import SlotReadings
from engine.warning.series_groups import NEVER
from engine.warning.tracker import RuleTracker
from storage.samples.sample_store import to_micros

AT = pendulum.datetime(2026, 3, 29, 0, 50)
MICRO = timedelta(microseconds=1)
P = RulePhase


@dataclass(frozen=True)
class Case:
    """A state and the reading that comes to it."""

    state: RuleState
    reading: RuleReading


def ago(span: timedelta) -> DateTime:
    return later(AT, -span)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    condition = draw(st.sampled_from(list(Condition)))
    yellow, red = draw(st.sampled_from([(1.0, 4.0), (0.5, 0.75)]))
    recover = draw(st.sampled_from([1.0, 0.5]))
    levels = [ThresholdLevel(Tier.YELLOW, yellow, yellow * recover), ThresholdLevel(Tier.RED, red, red * recover)]
    if condition is Condition.BELOW:
        levels = [ThresholdLevel(Tier.YELLOW, red, red / recover), ThresholdLevel(Tier.RED, yellow, yellow / recover)]
    return Rule(
        id="r",
        title=Text("Rule"),
        metric="m",
        aggregate=draw(st.sampled_from([Aggregate.MEAN, Aggregate.SUM, Aggregate.SHARE])),
        window=timedelta(seconds=60),
        condition=condition,
        levels=tuple(levels[: draw(st.integers(1, 2))]),
        at_least=1.0,
        baseline=Baseline("previous") if condition.compares else None,
        points=draw(st.booleans()),
        min_samples=draw(st.sampled_from([0, 5])),
        significance=draw(st.sampled_from([None, None, 0.05])),
        for_=timedelta(seconds=draw(st.sampled_from([0, 10, 40]))),
        keep_firing=timedelta(seconds=draw(st.sampled_from([0, 10, 60]))),
        no_data=draw(st.sampled_from(["keep", "warn", "resolve"])),
        no_data_after=timedelta(seconds=120),
    )


def some_state(rule: Rule, chance: random.Random) -> RuleState:
    """A state that the machine can be in, mostly as old as one of the rule's spans, to the microsecond."""

    def old() -> DateTime:
        span = chance.choice([timedelta(0), rule.for_, rule.keep_firing, rule.no_data_after, timedelta(hours=1)])
        return ago(max(timedelta(0), span + chance.choice([-MICRO, timedelta(0), MICRO])))

    phase, since = chance.choice(list(P)), old()
    if phase in (P.OK, P.NO_DATA):
        return RuleState(phase, since if phase is P.NO_DATA or chance.random() < 0.5 else None)
    place = chance.randrange(len(rule.levels))
    higher = [level.tier for level in rule.levels[place + 1 :]] if phase is not P.RECOVERING else []
    worse = chance.choice([None, *higher])
    return RuleState(
        phase,
        since,
        rule.levels[place].tier,
        firing_since=since if phase is not P.PENDING else None,
        worse=worse,
        worse_since=old() if worse else None,
        value=chance.choice([None, 1.0]),
        silent=phase is P.FIRING and chance.random() < 0.3,
    )


def some_reading(rule: Rule, chance: random.Random) -> RuleReading:
    """A reading whose figure is mostly on a limit of the rule, or a little beside it."""
    gap = chance.choice([MICRO, MICRO, MICRO, rule.no_data_after, rule.no_data_after - MICRO, None])
    value, baseline = None, None
    if gap is not None and chance.random() < 0.85:
        limit = chance.choice([limit for level in rule.levels for limit in (level.threshold, level.recover)])
        off = chance.choice([0.0, 1e-10, -1e-10, 1e-6, -1e-6, 0.1, -0.1, 3.0, -3.0])
        value = figure = (limit + off) * chance.choice([1, 1, -1])
        if rule.condition.compares:
            baseline = chance.choice([None, 1.0, 1.0, 4.0, -4.0, 0.0])
            known = 1.0 if baseline is None else baseline
            value = known + figure * (1.0 if rule.points else abs(known))
    few, many = (max(0.0, rule.min_samples + chance.choice([-1.0, 0.0, 1.0, 50.0])) for _ in range(2))
    return RuleReading(AT, value, few, baseline, many, None if gap is None else ago(gap))


def skipped(rule: Rule, cases: list[Case]) -> list[bool]:
    """Which of them the tracker leaves out, each on a series of its own."""
    groups: Any = SimpleNamespace(size=len(cases), keys=[()] * len(cases), slots={}, slot=lambda _key: 0)
    gauge: Any = None
    tracker = RuleTracker(rule, groups, gauge)
    tracker._grow()
    for slot, case in enumerate(cases):
        tracker._set(slot, case.state)

    def column(*values: float | None) -> Any:
        return np.array([np.nan if one is None else one for one in values], dtype=np.float64)

    found = SlotReadings(
        value=column(*(case.reading.value for case in cases)),
        events=column(*(case.reading.events for case in cases)),
        baseline=column(*(case.reading.baseline for case in cases)),
        baseline_events=column(*(case.reading.baseline_events for case in cases)),
    )
    newest = [NEVER if case.reading.newest is None else to_micros(case.reading.newest) for case in cases]
    return [bool(one) for one in tracker._settled(rule, found, np.array(newest), to_micros(AT))]


@settings(deadline=None, max_examples=300)
@given(rules(), st.integers(0, 10**9))
def test_what_is_skipped_would_come_out_as_the_same_state(rule: Rule, seed: int) -> None:
    chance = random.Random(seed)
    some = [Case(some_state(rule, chance), some_reading(rule, chance)) for _ in range(100)]
    for case, settled in zip(some, skipped(rule, some), strict=True):
        assert not settled or advance_state(rule, case.state, case.reading) is case.state, case


RULE = Rule(
    id="r", title=Text("Rule"), metric="m", aggregate=Aggregate.MEAN, window=timedelta(seconds=60),
    condition=Condition.ABOVE, levels=(ThresholdLevel(Tier.YELLOW, 4, 2), ThresholdLevel(Tier.RED, 8, 6)),
    min_samples=5, for_=timedelta(seconds=40), keep_firing=timedelta(seconds=60), no_data_after=timedelta(seconds=120),
)  # fmt: skip
LATELY = ago(timedelta(seconds=10))


@pytest.mark.parametrize(
    ("phase", "tier", "value", "events"),
    [
        (P.OK, None, 3.0, 50),
        (P.OK, None, 9.0, 4),
        (P.OK, None, None, 0),
        (P.PENDING, Tier.YELLOW, 5.0, 50),
        (P.PENDING, Tier.RED, 9.0, 50),
        (P.FIRING, Tier.YELLOW, 3.0, 50),
        (P.FIRING, Tier.YELLOW, 5.0, 50),
        (P.FIRING, Tier.YELLOW, 1.0, 4),
        (P.FIRING, Tier.RED, 7.0, 50),
        (P.FIRING, Tier.RED, None, 0),
        (P.RECOVERING, Tier.YELLOW, 1.0, 50),
        (P.RECOVERING, Tier.RED, 1.0, 50),
        (P.RECOVERING, Tier.RED, 9.0, 4),
    ],
)
def test_where_nothing_happens_nothing_is_judged_one_by_one(
    phase: RulePhase, tier: Tier | None, value: float | None, events: float
) -> None:
    """Else ten thousand series that rest would each take the slow way at every tick."""
    case = Case(RuleState(phase, LATELY, tier), RuleReading(AT, value, events, newest=LATELY))
    assert advance_state(RULE, case.state, case.reading) is case.state
    assert skipped(RULE, [case]) == [True]
