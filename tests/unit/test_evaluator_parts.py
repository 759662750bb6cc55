"""Parts of the evaluator where a random test seldom goes: many samples, big numbers, label sets that come and go."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pendulum
import pytest

from domain.durations import later
from domain.text import Text
from domain.warning.rule import Aggregate, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState
from engine.warning.evaluator import Evaluator
from engine.warning.extreme_windows import LastWindow
from engine.warning.quantiles import QuantileWindow, bin_of, round_values
from engine.warning.sample_arrays import SampleArrays, SeriesDescriptor
from engine.warning.windows import SlotBatch
from storage.samples.sample_store import to_micros

START = pendulum.datetime(2026, 3, 2, 9)


def rule(aggregate: Aggregate = Aggregate.MEAN, limit: float = 30, **more: object) -> Rule:
    level = ThresholdLevel(Tier.YELLOW, limit, limit)
    window = timedelta(minutes=1)
    return Rule("r", Text("R"), "m", aggregate, window, Condition.ABOVE, (level,), by=("who",), **more)  # type: ignore[arg-type]


def batch(slots: list[int], values: list[float], counts: list[float] | None = None) -> SlotBatch:
    size = len(slots)
    return SlotBatch(np.array(slots), np.arange(size), np.array(values), np.array(counts or [1.0] * size))


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95, 0.99])
def test_a_percentile_of_many_values_is_within_one_percent(share: float) -> None:
    chance = np.random.default_rng(3)
    window = QuantileWindow(share)
    window.grow(3)
    kept: list[list[np.ndarray]] = []
    for bucket in range(60):
        values = [chance.lognormal(slot, 1.5, 80) * (-1 if slot == 2 else 1) for slot in range(3)]
        kept = [*kept, values][-6:]
        slots = np.repeat(np.arange(3), 80)
        window.move(bucket - 6, bucket)
        window.insert(bucket, SlotBatch(slots, slots, np.concatenate(values), np.ones(240)))
        window.move(bucket - 5, bucket + 1)
        got = window.read()
        for slot in range(3):
            inside = np.sort(np.concatenate([values[slot] for values in kept]))
            wanted = inside[int(np.ceil(share * inside.size - 1e-9)) - 1]
            assert abs(got[slot] - wanted) <= 0.01 * abs(wanted)


def test_a_percentile_that_jumps_far_is_found() -> None:
    window = QuantileWindow(0.5)
    window.grow(1)
    for bucket, value in enumerate([1e-6, 1e9, 5.0, -1e9, 0.0, 7.25]):
        window.insert(bucket, batch([0] * 3, [value] * 3))
        window.move(bucket, bucket + 1)
        assert window.read()[0] == value


def test_bins_ascend_with_their_values() -> None:
    values = np.array([-1e12, -5.0, -1e-3, 0.0, 1e-12, 1e-3, 0.02, 1.0, 1.02, 1e12, 1e15])
    bins = bin_of(values)
    assert (np.diff(bins) >= 0).all()
    assert bins[3] == bins[4]
    assert bins[7] < bins[8]


def test_what_rounding_leaves_is_gone() -> None:
    assert round_values(np.array([0.1 + 0.2, 30.000000000000004, -2.5, 0.0])).tolist() == [0.3, 30.0, -2.5, 0.0]


def test_the_greater_of_two_newest_counts() -> None:
    window = LastWindow()
    window.grow(2)
    window.insert(0, SlotBatch(np.array([0, 0, 1]), np.array([5, 5, 1]), np.array([1.0, 3.0, 9.0]), np.ones(3)))
    window.move(0, 1)
    window.insert(0, SlotBatch(np.array([0, 1]), np.array([4, 2]), np.array([8.0, 7.0]), np.ones(2)))
    assert window.read().tolist() == [3.0, 7.0]


def test_a_huge_value_that_has_left_leaves_no_trace() -> None:
    evaluator = Evaluator([rule(limit=0.5)])
    evaluator.add_series([SeriesDescriptor(1, "m", {"who": "a"})])
    for tick, value in enumerate([1e12, 0.3, 0.1, 0.2, 0.3, 0.1, 0.1, 0.1], start=1):
        now = START.add(seconds=10 * tick)
        evaluator.add_samples(SampleArrays.of([1], [to_micros(now) - 1], [value], [1]))
        evaluator.tick(now)
    readings = evaluator.trackers[0].readings
    assert readings is not None
    assert readings.value[0] == pytest.approx((0.1 + 0.2 + 0.3 + 0.1 + 0.1 + 0.1) / 6, rel=1e-15)


def test_label_sets_that_have_gone_quiet_are_forgotten_and_their_place_is_given_again() -> None:
    evaluator = Evaluator([rule(no_data_after=timedelta(minutes=5))])
    changes = []
    number = 0
    now = START
    for hour in range(60):
        for _ in range(20):
            number += 1
            evaluator.add_series([SeriesDescriptor(number, "m", {"who": f"customer-{number}"})])
            evaluator.add_samples(SampleArrays.of([number], [to_micros(now) + 1], [60.0 if number == 7 else 10.0], [1]))
        for _ in range(3):
            now = later(now, timedelta(minutes=20))
            changes += evaluator.tick(now)
        assert hour < 30 or len(evaluator.trackers[0].groups.keys) <= 20 * 28
    who = {change.series for change in changes if change.after == RuleState()}
    assert (("who", "customer-1"),) in who
    standing = {key: one for _, key, one in evaluator.rule_states()}
    assert (("who", "customer-1"),) not in standing
    evaluator.add_samples(SampleArrays.of([1], [to_micros(now) + 1], [50.0], [1]))  # it comes back
    now = later(now, timedelta(seconds=10))
    evaluator.tick(now)
    standing = {key: one for _, key, one in evaluator.rule_states()}
    assert standing[(("who", "customer-1"),)].phase is RulePhase.FIRING


def test_a_tick_is_on_the_tick_and_after_the_last() -> None:
    evaluator = Evaluator([rule()])
    evaluator.tick(START)
    for at in (START, START.add(seconds=-10), START.add(seconds=13)):
        with pytest.raises(ValueError, match="ticks are 10 s apart"):
            evaluator.tick(at)


def test_samples_of_figures_that_no_rule_looks_at_are_passed_over() -> None:
    evaluator = Evaluator([rule()])
    evaluator.add_series([SeriesDescriptor(1, "other"), SeriesDescriptor(2, "m", {"who": "a"})])
    evaluator.add_samples(SampleArrays.of([1, 2, 77], [to_micros(START)] * 3, [99.0, 99.0, 99.0], [1, 1, 1]))
    (change,) = evaluator.tick(START.add(seconds=10))
    assert change.series == (("who", "a"),)
    assert change.after.phase is RulePhase.FIRING


def test_one_rule_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    other = rule()
    evaluator = Evaluator([rule(), other])

    def broken(at: int) -> None:
        raise ZeroDivisionError

    evaluator.trackers[0].reader.read = broken  # type: ignore[method-assign, assignment]
    evaluator.add_series([SeriesDescriptor(2, "m", {"who": "a"})])
    evaluator.add_samples(SampleArrays.of([2], [to_micros(START)], [99.0], [1]))
    (change,) = evaluator.tick(START.add(seconds=10))
    assert change.after.phase is RulePhase.FIRING
    evaluator.tick(START.add(seconds=20))
    assert len([record for record in caplog.records if "could not be evaluated" in record.message]) == 1
