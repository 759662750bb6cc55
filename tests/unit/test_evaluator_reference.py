"""The evaluator on columns sees and concludes what the slow reference does, tick by tick, on whatever comes."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pendulum
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pendulum import DateTime

import engine.warning.tracker
from domain.durations import later
from domain.text import Text
from domain.warning import reference_evaluator
from domain.warning.reference_evaluator import Sample
from domain.warning.rule import PERCENTILES, Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RuleState
from domain.warning.state_machine import advance_state
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import HistoryArrays, SampleArrays, SeriesDescriptor
from storage.samples.sample_store import to_micros

START = pendulum.datetime(2026, 3, 29, 0, 0)  # the night of a change of clocks in Europe
SERIES = [
    SeriesDescriptor(number, metric, labels)
    for number, (metric, labels) in enumerate(
        [
            ("m", {"team": "a", "kind": "x"}),
            ("m", {"team": "a", "kind": "y"}),
            ("m", {"team": "b", "kind": "x"}),
            ("m", {"kind": "x"}),
            ("n", {"team": "a", "kind": "x"}),
            ("n", {"team": "b", "kind": "x"}),
            ("other", {}),
        ]
    )
]


@dataclass(frozen=True)
class Arrived:
    """A sample with the second at which it came in."""

    series: SeriesDescriptor
    at: DateTime
    value: float
    count: float
    second: int


class Memory:
    """History over the samples themselves."""

    def __init__(self, samples: list[Arrived]) -> None:
        self.samples = samples

    def rows(self, metric: str, start: int, end: int) -> HistoryArrays:
        return HistoryArrays.of_samples(
            columns([one for one in self.samples if one.series.metric == metric and start <= to_micros(one.at) < end])
        )


def columns(samples: list[Arrived]) -> SampleArrays:
    return SampleArrays.of(
        [one.series.id for one in samples],
        [to_micros(one.at) for one in samples],
        [one.value for one in samples],
        [one.count for one in samples],
    )


spans = st.sampled_from([10, 20, 30, 60, 130, 300]).map(lambda value: timedelta(seconds=value))


def world(seed: int, longest: int = 600) -> list[Arrived]:
    """Figures in runs of one level, as they come: with holes, late, on the edges of ticks, several at once."""
    chance = random.Random(seed)
    found = []
    for series in chance.sample(SERIES, chance.randint(1, 4)):
        second, level = chance.choice([0, 0, 45, 200]), 1.0
        every = chance.choice([5, 10, 10, 25])
        while second < longest:
            if chance.random() < 0.15:
                level = chance.choice([0.0, 0.25, 1.0, 1.0, 2.5, 3.0, 5.0, 10.0, 100.0, -2.0])
            if chance.random() < 0.05:
                second += chance.choice([10, 40, 120, 290])
            value = chance.choice([level] * 6 + [level + 0.25, 1e12, -1e12])
            late = chance.choice([0] * 12 + [1, 5, 14, 60, 200, -30])
            at = START.add(seconds=second - late)
            found.append(Arrived(series, at, value, chance.choice([1, 1, 1, 2, 5, 0.5]), second))
            second += every
    return found


def beats(seed: int, longest: int = 600) -> list[int]:
    """Ticks, most of them one after another."""
    chance, at, found = random.Random(seed), 0, []
    while at < longest:
        at += 10 * chance.choice([1] * 25 + [2, 3, 9, 40])
        found.append(at)
    return found


@st.composite
def rules(draw: st.DrawFn, same_hours: bool = False) -> Rule:
    condition = draw(st.sampled_from([c for c in Condition if c.compares or not same_hours]))
    aggregates = [a for a in Aggregate if not same_hours or a in (Aggregate.MEAN, Aggregate.SUM, Aggregate.COUNT)]
    aggregate = draw(st.sampled_from(aggregates))
    first, second = draw(st.sampled_from([(1.0, 4.0), (0.5, 1.0), (2.5, 9.0)]))
    recover = draw(st.sampled_from([1.0, 0.5, 0.8]))
    levels = [ThresholdLevel(Tier.YELLOW, first, first * recover), ThresholdLevel(Tier.RED, second, second * recover)]
    if condition is Condition.BELOW:
        levels = [
            ThresholdLevel(Tier.YELLOW, second, second / recover),
            ThresholdLevel(Tier.RED, first, first / recover),
        ]
    base = None
    if condition.compares:
        base = draw(
            st.sampled_from([Baseline("previous"), Baseline("previous", timedelta(seconds=90))])
            if not same_hours
            else st.sampled_from(
                [Baseline("same-hours", weeks=2, min_weeks=1, zone=z) for z in ("UTC", "Europe/Paris")]
            )
        )
    share = aggregate is Aggregate.SHARE
    per = draw(st.sampled_from([None, "n"])) if share else None
    return Rule(
        id=draw(st.sampled_from("pqr")),
        title=Text("Rule"),
        metric="m",
        aggregate=aggregate,
        window=draw(spans) if not same_hours else draw(st.sampled_from([60, 300]).map(lambda v: timedelta(seconds=v))),
        condition=condition,
        levels=tuple(levels[: draw(st.integers(1, 2))]),
        labels=draw(st.sampled_from([{}, {"kind": "x"}])),
        by=draw(st.sampled_from([(), ("team",), ("team", "kind")])),
        at_least=draw(st.sampled_from([None, 2.0])) if share and per is None else None,
        per=per,
        baseline=base,
        points=draw(st.booleans()),
        min_samples=draw(st.sampled_from([0, 0, 2, 6])),
        significance=draw(st.sampled_from([None, None, 0.05])),
        for_=draw(st.sampled_from([0, 0, 10, 40])) * timedelta(seconds=1),
        keep_firing=draw(st.sampled_from([0, 0, 10, 60])) * timedelta(seconds=1),
        no_data=draw(st.sampled_from(["keep", "warn", "resolve"])),
        no_data_after=draw(st.sampled_from([10, 30, 120, 300, 300])) * timedelta(seconds=1),
    )


def near(one: float | None, other: float | None, error: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= max(error * abs(other), 1e-9)


def compare(rule: Rule, arrived: list[Arrived], ticks: list[int], memory: Memory | None = None) -> None:
    evaluator = Evaluator([rule], history=memory)
    evaluator.add_series(SERIES)
    watch = evaluator.trackers[0]
    reference: dict[tuple[tuple[str, str], ...], RuleState] = {}
    past = memory.samples if memory else []
    before = 0
    for tick in ticks:
        now = START.add(seconds=tick)
        evaluator.add_samples(columns([one for one in arrived if before <= one.second < tick]))
        before = tick
        changes = {change.series: change for change in evaluator.tick(now)}
        heard = [
            Sample(one.series.metric, one.at, one.value, one.count, one.series.labels)
            for one in (*past, *arrived)
            if one in past or one.second < tick
        ]
        got = watch.reader.read(to_micros(now))
        newest = watch.groups.newest()
        live = [one for one in heard if one.at < now and one.at >= START.subtract(days=1)]
        keys = set(reference_evaluator.list_series(rule, live)) if rule.by else {()}
        if rule.per:
            keys |= {
                reference_evaluator.make_series_key(rule, one.labels)
                for one in live
                if one.metric == "n" and reference_evaluator._matches(rule, one)
            }
        assert set(watch.groups.slots) == keys
        percentile = rule.aggregate in PERCENTILES
        for key in sorted(keys):
            wanted = reference_evaluator.read_window(rule, heard, now, key)
            if memory is not None:  # raw samples of weeks ago are not kept: the newest is one of the live ones
                wanted = replace(wanted, newest=reference_evaluator.read_window(rule, live, now, key).newest)
            slot = watch.groups.slots[key]
            error = 0.011 if percentile else 1e-12
            value = None if np.isnan(got.value[slot]) else float(got.value[slot])
            base = None if np.isnan(got.baseline[slot]) else float(got.baseline[slot])
            assert near(value, wanted.value, error), (key, value, wanted)
            assert near(base, wanted.baseline, error), (key, base, wanted)
            assert near(float(got.events[slot]), wanted.events, 1e-12), (key, got.events[slot], wanted)
            if base is not None:
                assert near(float(got.baseline_events[slot]), wanted.baseline_events, 1e-12), (key, wanted)
            seen = None if newest[slot] < 0 else int(newest[slot])
            assert seen == (None if wanted.newest is None else to_micros(wanted.newest))
            standing = reference.get(key, RuleState())
            after = advance_state(rule, standing, wanted)
            if percentile:  # a figure within 1 % of a limit may be on its other side
                after = watch._standings[slot]
            reference[key] = after
            assert watch._standings[slot] == after, (key, standing, wanted)
            assert (key in changes) == (after != standing) or percentile
    assert evaluator.last_tick is None or evaluator.at == to_micros(START.add(seconds=ticks[-1]))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(rules(), st.integers(0, 10**9))
def test_readings_and_standings_are_those_of_the_reference(rule: Rule, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.warning.tracker, "_FEW", 0)  # all judged in bulk, however few
        compare(rule, world(seed), beats(seed))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(rules(same_hours=True), st.integers(0, 10**9), st.booleans())
def test_the_same_hours_are_those_of_the_wall(rule: Rule, seed: int, winter: bool) -> None:
    # Off the edges of windows: live figures cannot know of a hole of weeks before one on an edge.
    arrived = [replace(one, at=later(one.at, timedelta(seconds=0.5))) for one in world(seed)]
    past = []
    for number in (1, 2):
        back = timedelta(days=7 * number, hours=winter)
        past += [
            Arrived(one.series, later(one.at, -back), one.value, one.count, 0) for one in world(seed // 3 + number)
        ]
    compare(rule, arrived, [60 * minute for minute in range(1, 13)], Memory(past))
