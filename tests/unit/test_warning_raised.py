"""What is made of a warning: called, joined, held, shown; one sentence a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pendulum
import pytest

from domain.text import Text
from domain.warning.disposition import (  # fmt: skip
    Disposition,
    RaisedWarning,
    Silence,
    WarningContext,
    WarningMove,
    decide_disposition,
    warning_move,
)
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Condition, Rule, RuleStart, SeriesKey, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange

NOW = pendulum.datetime(2026, 11, 2, 3, 0)
WEB: SeriesKey = (("service", "web"),)
RULE = Rule(
    "slow",
    Text("Slow"),
    "response_time",
    Aggregate.MEAN,
    timedelta(minutes=5),
    Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 30, 25),),
    by=("service",),
    starts=RuleStart("standby-agents"),
    quiet=timedelta(minutes=30),
)
FIRING = RuleState(RulePhase.FIRING, NOW, Tier.YELLOW, firing_since=NOW)


def raised(**fields: Any) -> RaisedWarning:
    given = {
        "id": "w1", "rule": "other", "series": WEB, "tier": Tier.YELLOW, "course": Disposition.CALLED, "began_at": NOW,
        "matter": "m1", "playbook": "standby-agents", "service": "web",
    }  # fmt: skip
    return RaisedWarning(**{**given, **fields})


def ruling(
    scene: WarningContext = WarningContext(), rule: Rule = RULE, standing: RuleState = FIRING
) -> tuple[Disposition, str]:
    found = decide_disposition(rule, WEB, standing, scene, NOW)
    assert str(found.because)
    return found.course, found.matter


def test_alone_it_calls() -> None:
    assert ruling() == (Disposition.CALLED, "")


def test_a_rule_that_starts_nothing_is_shown() -> None:
    assert ruling(rule=replace(RULE, starts=None)) == (Disposition.SHOWN, "")


@pytest.mark.parametrize(
    ("silence", "course"),
    [
        ({}, Disposition.HELD),
        ({"rule": "slow"}, Disposition.HELD),
        ({"rule": "other"}, Disposition.CALLED),
        ({"labels": {"service": "web"}}, Disposition.HELD),
        ({"labels": {"service": "app"}}, Disposition.CALLED),
        ({"labels": {"region": "eu"}}, Disposition.CALLED),
        ({"until": NOW}, Disposition.CALLED),
    ],
)
def test_a_silence_holds_what_it_covers_until_its_end(silence: dict[str, Any], course: Disposition) -> None:
    one = Silence("s", silence.pop("until", NOW.add(minutes=1)), "moving house", **silence)
    assert ruling(WarningContext(silences=[one])) == (course, "")


def test_a_related_warning_is_joined_and_nobody_is_called_again() -> None:
    assert ruling(WarningContext(open=[raised()])) == (Disposition.JOINED, "m1")
    assert ruling(WarningContext(open=[raised(service="app")])) == (Disposition.CALLED, "")
    assert ruling(WarningContext(open=[raised(playbook="process-retrospective")])) == (Disposition.CALLED, "")
    assert ruling(WarningContext(open=[raised(course=Disposition.HELD, matter="")])) == (Disposition.CALLED, "")


def test_a_rule_that_inhibits_it_holds_it_for_the_same_service_only() -> None:
    louder = replace(RULE, id="other", inhibits=("slow",))
    rules = {"other": louder, "slow": RULE}
    assert ruling(WarningContext(open=[raised(playbook="x")], rules=rules)) == (Disposition.HELD, "")
    assert ruling(WarningContext(open=[raised(playbook="x", service="app")], rules=rules)) == (Disposition.CALLED, "")


def test_a_new_firing_within_quiet_joins_its_own_earlier_matter() -> None:
    def ended(minutes: int, **fields: Any) -> WarningContext:
        one = raised(rule="slow", ended_at=NOW.subtract(minutes=minutes), **fields)
        return WarningContext(ended=[one])

    assert ruling(ended(29)) == (Disposition.JOINED, "m1")
    assert ruling(ended(30)) == (Disposition.CALLED, "")
    assert ruling(ended(29, series=(("service", "app"),))) == (Disposition.CALLED, "")
    assert ruling(ended(29, matter="")) == (Disposition.CALLED, ""), "it was held: nobody heard of it"


def test_a_silence_is_stronger_than_quiet() -> None:
    scene = WarningContext(ended=[raised(rule="slow", ended_at=NOW)], silences=[Silence("s", NOW.add(hours=1), "x")])
    assert ruling(scene) == (Disposition.HELD, "")


OK = RuleState(RulePhase.OK, NOW)
PENDING = RuleState(RulePhase.PENDING, NOW, Tier.RED)
YELLOW, RED = FIRING, replace(FIRING, tier=Tier.RED)
RECOVERING = replace(FIRING, phase=RulePhase.RECOVERING)
NO_DATA = RuleState(RulePhase.NO_DATA, NOW)
MOVES = {
    (OK, YELLOW): WarningMove.RAISE,
    (PENDING, RED): WarningMove.RAISE,
    (NO_DATA, YELLOW): WarningMove.RAISE,
    (OK, RED): WarningMove.RAISE,
    (PENDING, YELLOW): WarningMove.RAISE,
    (NO_DATA, RED): WarningMove.RAISE,
    (OK, RECOVERING): WarningMove.RAISE,
    (PENDING, RECOVERING): WarningMove.RAISE,
    (NO_DATA, RECOVERING): WarningMove.RAISE,
    (YELLOW, RED): WarningMove.WORSEN,
    (RECOVERING, RED): WarningMove.WORSEN,
    (RED, YELLOW): WarningMove.EASE,
    (RED, RECOVERING): WarningMove.EASE,
} | {(before, after): WarningMove.END for before in (YELLOW, RED, RECOVERING) for after in (OK, PENDING, NO_DATA)}


@pytest.mark.parametrize(("before", "after"), list(product((OK, PENDING, NO_DATA, YELLOW, RED, RECOVERING), repeat=2)))
def test_the_table_of_moves(before: RuleState, after: RuleState) -> None:
    change = RuleStateChange("slow", WEB, before, after, RuleReading(NOW, 1.0))
    assert warning_move(change) is MOVES.get((before, after), WarningMove.NOTHING)
