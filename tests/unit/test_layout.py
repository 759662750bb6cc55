"""Offsets of a playbook as times of an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pendulum
import pytest

from domain.incident import Incident, Response
from domain.playbook import Stage
from domain.stage_schedule import clock_started_at, round_due_at, round_started_at, schedule_round
from domain.text import Text
from tests.procedures import m, playbook, step
from tests.world import START

INCIDENT = Incident(id="i", ref="INC-1", title="t", severity="critical", declared_at=START)
RESPONSE = Response(id="r", playbook=playbook(step()), started_at=START)
STAGE = Stage(
    "s", Text("s"), (step(), step("own", opens=m(20), due=m(40), ack_within=m(5), remind=m(10))), m(90), m(10)
)
ROUNDS = replace(STAGE, repeat=m(30))


def test_a_step_without_times_has_those_of_its_stage_and_one_with_its_own_keeps_them() -> None:
    plain, own = schedule_round(INCIDENT, STAGE, 1, START, START)
    assert (plain.opens_at, plain.due_at) == (START.add(minutes=10), START.add(minutes=90))
    assert (own.opens_at, own.due_at) == (START.add(minutes=20), START.add(minutes=40))
    assert (plain.id, own.ack_within, own.remind) == ("s/trace", m(5), m(10))


def test_a_pace_divides_every_span_of_its_own_clock_alone() -> None:
    fast = replace(INCIDENT, drill=True, pace={"declared": 10.0, "closed": 2.0})
    _, own = schedule_round(fast, STAGE, 1, START, START)
    assert (own.due_at, own.ack_within) == (START.add(minutes=4), timedelta(seconds=30))
    (_, later) = schedule_round(fast, replace(STAGE, clock="closed"), 1, START, START)
    assert later.due_at == START.add(minutes=20)


def test_a_later_round_has_a_name_of_its_own_and_counts_from_its_beginning() -> None:
    begins = round_started_at(INCIDENT, ROUNDS, START, 3)
    assert begins == START.add(minutes=70)
    plain, _ = schedule_round(INCIDENT, ROUNDS, 3, begins, START)
    assert (plain.id, plain.opens_at, plain.due_at) == ("s/trace#3", begins, begins.add(minutes=30))


@pytest.mark.parametrize(
    ("minute", "number"), [(0, 0), (9, 0), (10, 1), (39, 1), (40, 2), (69, 2), (70, 3), (89, 3), (90, 3), (600, 3)]
)
def test_which_round_is_on(minute: int, number: int) -> None:
    assert round_due_at(INCIDENT, ROUNDS, START, START.add(minutes=minute)) == number


def test_a_clock_that_has_not_started_lays_out_nothing() -> None:
    closed, mitigated = replace(STAGE, clock="closed"), replace(STAGE, clock="mitigated")
    assert clock_started_at(INCIDENT, RESPONSE, closed) is None
    assert clock_started_at(INCIDENT, RESPONSE, mitigated) is None
    assert clock_started_at(INCIDENT, RESPONSE, STAGE) == START
    over = replace(INCIDENT, mitigated_at=START.add(minutes=1), closed_at=START.add(minutes=2))
    assert clock_started_at(over, RESPONSE, mitigated) == START.add(minutes=1)
    assert clock_started_at(over, RESPONSE, closed) == START.add(minutes=2)


def test_summer_time_moves_no_deadline() -> None:
    """Elapsed hours: the night that loses an hour has deadlines as far apart as any other."""
    night = pendulum.datetime(2026, 3, 29, 1, 30, tz="Europe/Berlin").in_timezone("UTC")  # 02:00 becomes 03:00
    (plain, _) = schedule_round(INCIDENT, STAGE, 1, night, night)
    assert plain.due_at.in_timezone("Europe/Berlin").isoformat() == "2026-03-29T04:00:00+02:00"
