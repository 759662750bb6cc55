"""Rules of whole calendar days: three bad days in a row, whatever the clocks do."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import Text
from domain.warning.daily_rules import last_whole_day
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState
from domain.warning.state_machine import advance_state

BERLIN = "Europe/Berlin"


def rule(zone: str = "UTC", days: int = 3) -> Rule:
    return Rule(
        "slow-first-response", Text("R"), "frt", Aggregate.MEAN, timedelta(days=1), Condition.ABOVE,
        (ThresholdLevel(Tier.YELLOW, 45, 40),), consecutive_days=days, zone=zone, min_samples=20,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "zone", "day", "hours"),
    [
        ("2026-03-02T00:00:00Z", "UTC", "2026-03-01", 24),
        ("2026-03-01T23:59:50Z", "UTC", "2026-02-28", 24),
        ("2026-03-01T16:00:00Z", "Asia/Shanghai", "2026-03-01", 24),
        ("2026-03-01T15:59:50Z", "Asia/Shanghai", "2026-02-28", 24),
        ("2026-03-29T22:00:00Z", BERLIN, "2026-03-29", 23),  # the clocks go forward
        ("2026-10-25T23:00:00Z", BERLIN, "2026-10-25", 25),  # and back
        ("2026-10-25T22:59:50Z", BERLIN, "2026-10-24", 24),
        ("2026-03-01T18:15:00Z", "Asia/Kathmandu", "2026-03-01", 24),  # +05:45
        ("2026-03-01T18:14:50Z", "Asia/Kathmandu", "2026-02-28", 24),
    ],
)
def test_the_last_day_that_is_over(now: str, zone: str, day: str, hours: int) -> None:
    at = pendulum.parse(now)
    assert isinstance(at, pendulum.DateTime)
    found, start, end = last_whole_day(at, zone)
    assert found == day
    assert (end - start).total_hours() == hours
    assert start.to_date_string() == day


def days(limit: Rule, figures: list[float | None], zone: str = "UTC", first: str = "2026-03-27") -> list[str]:
    """One reading a quarter of an hour after each midnight, and one in the evening that must change nothing."""
    standing, states = RuleState(), []
    midnight = pendulum.parse(first, tz=zone)
    assert isinstance(midnight, pendulum.DateTime)
    for number, figure in enumerate(figures):
        at = midnight.add(days=number + 1)
        standing = advance_state(limit, standing, _reading(at, figure))
        for hours in (3, 22):
            assert advance_state(limit, standing, _reading(at.add(hours=hours), 1000.0)) is standing
        states.append(f"{standing.phase}:{standing.bad_days}")
    return states


def _reading(at: pendulum.DateTime, figure: float | None) -> RuleReading:
    events = 0 if figure is None else 100
    return RuleReading(at.in_timezone("UTC"), figure, events, newest=at)


TABLE: list[tuple[str, list[float | None], list[str]]] = [
    ("three in a row", [46, 46, 46], ["pending:1", "pending:2", "firing:3"]),
    ("a good day breaks the row", [46, 46, 45, 46], ["pending:1", "pending:2", "ok:0", "pending:1"]),
    ("a closed day breaks nothing", [46, None, 46, 46], ["pending:1", "pending:1", "pending:2", "firing:3"]),
    ("not recovered is not over", [46, 46, 46, 42, 41], ["pending:1", "pending:2", "firing:3", "firing:3", "firing:3"]),
    ("recovered is over", [46, 46, 46, 40, 46], ["pending:1", "pending:2", "firing:3", "ok:0", "pending:1"]),
    ("a closed day does not end it", [46, 46, 46, None], ["pending:1", "pending:2", "firing:3", "firing:3"]),
    ("more bad days are counted", [46, 46, 46, 47], ["pending:1", "pending:2", "firing:3", "firing:4"]),
]


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "Asia/Shanghai", "Pacific/Auckland"])
@pytest.mark.parametrize(("says", "figures", "states"), TABLE, ids=[row[0] for row in TABLE])
def test_days_in_a_row(says: str, figures: list[float | None], states: list[str], zone: str) -> None:
    assert days(rule(zone), figures, zone) == states  # over the change of clocks of 29 March
    assert days(rule(zone), figures, zone, "2026-10-23") == states


def test_too_few_contacts_are_no_day() -> None:
    at = pendulum.datetime(2026, 3, 2)
    few = advance_state(rule(), RuleState(), RuleReading(at, 99.0, 19, newest=at))
    assert (few.phase, few.bad_days, few.last_day) == (RulePhase.OK, 0, "2026-03-01")


def test_days_that_nobody_judged_break_nothing() -> None:
    standing = RuleState()
    for day in (2, 3, 9):
        at = pendulum.datetime(2026, 3, day)
        standing = advance_state(rule(), standing, RuleReading(at, 99.0, 100, newest=at))
    assert (standing.phase, standing.firing_since) == (RulePhase.FIRING, pendulum.datetime(2026, 3, 9))


@given(st.lists(st.sampled_from([40, 44, 46, 50, None]), max_size=20), st.sampled_from([1, 2, 3]))
def test_it_fires_exactly_when_so_many_judged_days_in_a_row_are_bad(figures: list[Any], wanted: int) -> None:
    row, firing, standing = 0, False, RuleState()
    for number, figure in enumerate(figures):
        at = pendulum.datetime(2026, 3, 1).add(days=number)
        standing = pickle.loads(pickle.dumps(advance_state(rule(days=wanted), standing, _reading(at, figure))))  # noqa: S301
        if figure is not None:
            row = row + 1 if figure > 45 else row if firing else 0
            firing = row >= wanted if not firing else figure > 40
            row = row if firing or figure > 45 else 0
        assert standing.warns is firing
