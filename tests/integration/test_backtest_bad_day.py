"""The example day: each tier fires and recovers when the hand-made file says, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
import yaml
from pendulum import DateTime

from domain.durations import later
from domain.warning.rule import TICK
from domain.warning.rule_state import RulePhase, RuleStateChange
from engine.warning.backtest import RecordedSamples, find_firings, read_samples
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import SampleArrays
from playbooks.rulebook import Rulebook
from storage.samples.sample_store import from_micros

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PHASES = {
    "pending": RulePhase.PENDING,
    "fires": RulePhase.FIRING,
    "recovers": RulePhase.RECOVERING,
    "ends": RulePhase.OK,
}


@pytest.fixture(scope="module", name="expected")
def expected_fixture() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / "bad_day.expected.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module", name="day")
def day_fixture() -> RecordedSamples:
    return read_samples(EXAMPLES / "bad_day.csv", "", UTC)


@pytest.fixture(scope="module", name="changes")
def changes_fixture(day: RecordedSamples) -> list[RuleStateChange]:
    return evaluate(day)


def evaluate(day: RecordedSamples) -> list[RuleStateChange]:
    """Every tick of the day, with all shipped rules on the figures that it has."""
    metrics = {series.metric for series in day.series}
    rules = [rule for rule in Rulebook().rules() if rule.metric in metrics]
    evaluator = Evaluator(rules, history=day)
    evaluator.add_series(day.series)
    now = from_micros(day.begins)
    evaluator.restore({}, now)
    first = day.begins - evaluator.reach // timedelta(microseconds=1)
    columns = day.columns.select(day.columns.at >= first)
    assert isinstance(columns, SampleArrays)
    evaluator.add_samples(columns)
    changes: list[RuleStateChange] = []
    while now <= from_micros(int(day.columns.at[-1])):
        now = later(now, TICK)
        if now.minute % 10 == 0 and now.second == 0:
            evaluator.prepare(now)
        changes += evaluator.tick(now)
    return changes


def instant(expected: dict[str, Any], clock: str) -> DateTime:
    found = pendulum.parse(f"{expected['day']}T{clock}+08:00")
    assert isinstance(found, DateTime)
    return found


def test_the_script_makes_the_file() -> None:
    made = subprocess.run([sys.executable, EXAMPLES / "make_bad_day.py"], capture_output=True, check=True)
    assert made.stdout == (EXAMPLES / "bad_day.csv").read_bytes()


def test_each_tier_takes_its_steps_at_the_ticks_worked_out_by_hand(
    expected: dict[str, Any], changes: list[RuleStateChange]
) -> None:
    assert [entry["rule"][:6] for entry in expected["warnings"]] == ["tier-1", "tier-2", "tier-3"]
    for entry in expected["warnings"]:
        key = tuple(sorted(entry["series"].items()))
        mine = [change for change in changes if change.rule == entry["rule"] and change.series == key]
        steps = [
            (change.after.phase, change.reading.at) for change in mine if change.after.phase != change.before.phase
        ]
        assert steps == [(phase, instant(expected, entry[name])) for name, phase in PHASES.items()], entry["rule"]


def test_nothing_else_fires(expected: dict[str, Any], changes: list[RuleStateChange]) -> None:
    fired = {}
    for rule in {change.rule for change in changes}:
        for firing in find_firings(change for change in changes if change.rule == rule):
            fired[rule, firing.series] = firing
    tiers = {(entry["rule"], tuple(entry["series"].items())) for entry in expected["warnings"]}
    also = {(entry["rule"], tuple(entry["series"].items())): entry for entry in expected["also"]}
    assert set(fired) == tiers | set(also)
    for name, entry in also.items():
        start, end = (instant(expected, clock) for clock in entry["between"])
        until = fired[name].until
        assert start <= fired[name].began
        assert until is not None
        assert until <= end
