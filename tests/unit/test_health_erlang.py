"""Erlang C against worked examples that others published, against exact fractions, and at five thousand agents."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.health.erlang import (
    MOST_AGENTS,
    Objective,
    agents_needed,
    average_speed_of_answer,
    blocking,
    contacts_borne,
    occupancy,
    offered_load,
    service_level,
    waiting_probability,
)

EIGHTY_IN_20 = Objective(0.8, 20)


def exactly(agents: int, load: Fraction) -> Fraction:
    """Erlang C as it is written in textbooks: powers and factorials."""
    waiting = load**agents / math.factorial(agents) * agents / (agents - load)
    return waiting / (sum(load**k / math.factorial(k) for k in range(agents)) + waiting)


def test_the_worked_example_of_call_centre_helper() -> None:
    # "Erlang C Formula - Made Simple With an Easy Worked Example": 100 calls in half an hour, three minutes each, 80 %
    # in 20 s. Ten erlangs; 14 agents; 17.41 % wait; 88.84 % in time; 7.8 s on average; 71.4 % occupied; 20 people with
    # 30 % shrinkage.
    assert offered_load(200, 180) == 10
    assert agents_needed(200, 180, EIGHTY_IN_20) == 14
    assert waiting_probability(14, 10) == pytest.approx(0.1741, abs=5e-5)
    assert service_level(14, 10, 180, 20) == pytest.approx(0.8884, abs=5e-5)
    assert average_speed_of_answer(14, 10, 180) == pytest.approx(7.8, abs=0.05)
    assert occupancy(14, 10) == pytest.approx(0.714, abs=5e-4)
    assert service_level(13, 10, 180, 20) < 0.8


def test_the_worked_example_of_tanner() -> None:
    # M. Tanner, "The Erlang-C Formula": 360 calls in half an hour, four minutes each, 55 agents, 15 s.
    load = offered_load(720, 240)
    assert load == 48
    assert waiting_probability(55, load) == pytest.approx(0.239, abs=5e-4)
    assert average_speed_of_answer(55, load, 240) == pytest.approx(8.2, abs=0.05)
    assert service_level(55, load, 240, 15) == pytest.approx(0.846, abs=5e-4)


@pytest.mark.parametrize(
    ("agents", "load"), [(1, 0.0101), (5, 1.361), (10, 4.461), (20, 12.03), (50, 37.90), (100, 84.06)]
)
def test_erlang_b_against_the_published_table_of_one_percent_blocking(agents: int, load: float) -> None:
    assert blocking(agents, load) == pytest.approx(0.01, abs=5e-5)


def test_small_ones_by_hand() -> None:
    assert waiting_probability(1, 0.5) == pytest.approx(0.5)  # M/M/1: the occupancy
    assert waiting_probability(2, 1) == pytest.approx(1 / 3)  # M/M/2 with half load
    assert average_speed_of_answer(1, 0.5, 60) == pytest.approx(60)  # 0.5 * 60 / (1 - 0.5)


@given(st.integers(1, 60), st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100))
def test_it_is_the_textbook_formula(agents: int, busy: Fraction) -> None:
    load = agents * busy
    assert waiting_probability(agents, float(load)) == pytest.approx(float(exactly(agents, load)), rel=1e-9)


@given(st.integers(1, 5000), st.floats(0.01, 0.999), st.floats(1, 3600), st.floats(0, 600))
def test_it_is_a_probability_up_to_five_thousand_agents(agents: int, busy: float, handle: float, within: float) -> None:
    load = agents * busy
    assert 0 <= waiting_probability(agents, load) <= 1
    level = service_level(agents, load, handle, within)
    assert 0 <= level <= 1
    assert service_level(agents + 1, load, handle, within) >= level - 1e-12
    assert 0 <= average_speed_of_answer(agents, load, handle) < math.inf


def test_five_thousand_agents_are_stable() -> None:
    # The square-root rule (Halfin and Whitt 1981): with a margin b = (n - load) / sqrt(n), C tends to
    # 1 / (1 + b N(b) / n(b)), N and n the normal distribution and its density.
    agents, margin = 5000, 1.0
    load = agents - margin * math.sqrt(agents)
    normal = 0.5 * (1 + math.erf(margin / math.sqrt(2)))
    density = math.exp(-margin * margin / 2) / math.sqrt(2 * math.pi)
    assert waiting_probability(agents, load) == pytest.approx(1 / (1 + margin * normal / density), abs=0.005)


@given(st.floats(1, 20_000), st.floats(10, 1200), st.floats(0.5, 0.99), st.floats(0, 120))
def test_the_agents_needed_are_the_fewest(contacts: float, handle: float, share: float, within: float) -> None:
    objective = Objective(share, within)
    agents, load = agents_needed(contacts, handle, objective), offered_load(contacts, handle)
    assert service_level(agents, load, handle, within) >= share
    assert agents == 1 or service_level(agents - 1, load, handle, within) < share


@given(st.integers(1, 300), st.floats(10, 1200), st.floats(0.5, 0.95), st.floats(1, 120))
def test_what_agents_bear_is_the_inverse(agents: int, handle: float, share: float, within: float) -> None:
    objective = Objective(share, within)
    borne = contacts_borne(agents, handle, objective)
    assert agents_needed(borne, handle, objective) <= agents
    assert agents_needed(borne * 1.0001 + 0.01, handle, objective) == agents + 1


def test_nobody_comes_and_nobody_is_there() -> None:
    assert agents_needed(0, 300, EIGHTY_IN_20) == 0
    assert contacts_borne(0, 300, EIGHTY_IN_20) == 0
    assert service_level(0, 0, 300, 20) == 1
    assert average_speed_of_answer(3, 0, 300) == 0


def test_an_overload_is_told_as_such() -> None:
    assert waiting_probability(10, 10) == 1
    assert service_level(10, 12, 180, 20) == 0
    assert average_speed_of_answer(10, 10, 180) == math.inf
    assert occupancy(10, 12) == 1


@pytest.mark.parametrize(("contacts", "share"), [(MOST_AGENTS * 60.0, 0.8), (100, 1.0)])
def test_what_nobody_can_staff_is_refused(contacts: float, share: float) -> None:
    with pytest.raises(ValueError, match="check contacts and handle time"):
        agents_needed(contacts, 300, Objective(share, 20))
