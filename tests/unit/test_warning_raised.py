"""What is made of a warning: called, joined, held, shown; one sentence a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pendulum
import pytest

from domain.text import Text
from domain.warning.raised import (
    Course,
    Move,
    Raised,
    Scene,
    Silence,
    judge_raised,
    move_of,
)  # fmt: skip
from domain.warning.reading import Reading
from domain.warning.rule import Aggregate, Condition, Level, Rule, SeriesKey, Starts, Tier
from domain.warning.standing import Change, Phase, Standing

NOW = pendulum.datetime(2026, 11, 2, 3, 0)
WEB: SeriesKey = (("service", "web"),)
RULE = Rule(
    "slow", Text("Slow"), "response_time", Aggregate.MEAN, timedelta(minutes=5), Condition.ABOVE,
    (Level(Tier.YELLOW, 30, 25),), by=("service",), starts=Starts("standby-agents"), quiet=timedelta(minutes=30),
)  # fmt: skip
FIRING = Standing(Phase.FIRING, NOW, Tier.YELLOW, firing_since=NOW)


def raised(**fields: Any) -> Raised:
    given = {
        "id": "w1", "rule": "other", "series": WEB, "tier": Tier.YELLOW, "course": Course.CALLED, "began_at": NOW,
        "matter": "m1", "playbook": "standby-agents", "service": "web",
    }  # fmt: skip
    return Raised(**{**given, **fields})


def ruling(scene: Scene = Scene(), rule: Rule = RULE, standing: Standing = FIRING) -> tuple[Course, str]:
    found = judge_raised(rule, WEB, standing, scene, NOW)
    assert str(found.because)
    return found.course, found.matter


def test_alone_it_calls() -> None:
    assert ruling() == (Course.CALLED, "")


def test_a_rule_that_starts_nothing_is_shown() -> None:
    assert ruling(rule=replace(RULE, starts=None)) == (Course.SHOWN, "")


@pytest.mark.parametrize(
    ("silence", "course"),
    [
        ({}, Course.HELD),
        ({"rule": "slow"}, Course.HELD),
        ({"rule": "other"}, Course.CALLED),
        ({"labels": {"service": "web"}}, Course.HELD),
        ({"labels": {"service": "app"}}, Course.CALLED),
        ({"labels": {"region": "eu"}}, Course.CALLED),
        ({"until": NOW}, Course.CALLED),
    ],
)
def test_a_silence_holds_what_it_covers_until_its_end(silence: dict[str, Any], course: Course) -> None:
    one = Silence("s", silence.pop("until", NOW.add(minutes=1)), "moving house", **silence)
    assert ruling(Scene(silences=[one])) == (course, "")


def test_a_related_warning_is_joined_and_nobody_is_called_again() -> None:
    assert ruling(Scene(open=[raised()])) == (Course.JOINED, "m1")
    assert ruling(Scene(open=[raised(service="app")])) == (Course.CALLED, "")
    assert ruling(Scene(open=[raised(playbook="process-retrospective")])) == (Course.CALLED, "")
    assert ruling(Scene(open=[raised(course=Course.HELD, matter="")])) == (Course.CALLED, "")


def test_a_rule_that_inhibits_it_holds_it_for_the_same_service_only() -> None:
    louder = replace(RULE, id="other", inhibits=("slow",))
    rules = {"other": louder, "slow": RULE}
    assert ruling(Scene(open=[raised(playbook="x")], rules=rules)) == (Course.HELD, "")
    assert ruling(Scene(open=[raised(playbook="x", service="app")], rules=rules)) == (Course.CALLED, "")


def test_a_new_firing_within_quiet_joins_its_own_earlier_matter() -> None:
    def ended(minutes: int, **fields: Any) -> Scene:
        one = raised(rule="slow", ended_at=NOW.subtract(minutes=minutes), **fields)
        return Scene(ended=[one])

    assert ruling(ended(29)) == (Course.JOINED, "m1")
    assert ruling(ended(30)) == (Course.CALLED, "")
    assert ruling(ended(29, series=(("service", "app"),))) == (Course.CALLED, "")
    assert ruling(ended(29, matter="")) == (Course.CALLED, ""), "it was held: nobody heard of it"


def test_a_silence_is_stronger_than_quiet() -> None:
    scene = Scene(ended=[raised(rule="slow", ended_at=NOW)], silences=[Silence("s", NOW.add(hours=1), "x")])
    assert ruling(scene) == (Course.HELD, "")


OK = Standing(Phase.OK, NOW)
PENDING = Standing(Phase.PENDING, NOW, Tier.RED)
YELLOW, RED = FIRING, replace(FIRING, tier=Tier.RED)
RECOVERING = replace(FIRING, phase=Phase.RECOVERING)
NO_DATA = Standing(Phase.NO_DATA, NOW)
MOVES = {
    (OK, YELLOW): Move.RAISE, (PENDING, RED): Move.RAISE, (NO_DATA, YELLOW): Move.RAISE,
    (OK, RED): Move.RAISE, (PENDING, YELLOW): Move.RAISE, (NO_DATA, RED): Move.RAISE,
    (OK, RECOVERING): Move.RAISE, (PENDING, RECOVERING): Move.RAISE, (NO_DATA, RECOVERING): Move.RAISE,
    (YELLOW, RED): Move.WORSEN, (RECOVERING, RED): Move.WORSEN,
    (RED, YELLOW): Move.EASE, (RED, RECOVERING): Move.EASE,
} | {(before, after): Move.END for before in (YELLOW, RED, RECOVERING) for after in (OK, PENDING, NO_DATA)}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(product((OK, PENDING, NO_DATA, YELLOW, RED, RECOVERING), repeat=2)))
def test_the_table_of_moves(before: Standing, after: Standing) -> None:
    change = Change("slow", WEB, before, after, Reading(NOW, 1.0))
    assert move_of(change) is MOVES.get((before, after), Move.NOTHING)
