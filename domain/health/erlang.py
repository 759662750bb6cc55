"""Erlang C: how long customers wait for so many agents, and how many agents it takes. Pure.

Source: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917; derived in R. B. Cooper, Introduction to Queueing Theory, 2nd ed., chapter 3 (birth-and-death models);
worked through with numbers in Call Centre Helper, "Erlang C Formula - Made Simple With an Easy Worked Example". The
model: contacts come by chance (Poisson), are handled in exponential time, and wait in one line in order of arrival
until an agent is free. Nobody gives up, so where many do, it asks for more agents than it would take.

Units: seconds, contacts an hour; `load` in erlangs (agents' work offered at a time). Every figure is stable from 1 to
5,000 agents and beyond: nothing is a factorial or a power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

HOUR = 3600.0
MOST_AGENTS = 20_000  # what would take more is a mistake in the figures


@dataclass(frozen=True, slots=True)
class Objective:
    """A service-level objective: this share of contacts is answered within so many seconds ("80 % in 20 s")."""

    share: float
    within: float


def offered_load(contacts_an_hour: float, handle_time: float) -> float:
    """The load in erlangs of so many contacts an hour, each of `handle_time` seconds."""
    return contacts_an_hour * handle_time / HOUR


def blocking(agents: int, load: float) -> float:
    """Erlang B, the probability that all of `agents` are busy where nobody waits; the way to Erlang C.

    By the recursion B(0) = 1, B(n) = load B(n-1) / (n + load B(n-1)): every term
    lies between 0 and 1, so that none overflows.
    """
    busy = 1.0
    for number in range(1, agents + 1):
        busy = load * busy / (number + load * busy)
    return busy


def waiting_probability(agents: int, load: float) -> float:
    """Erlang C, the probability that a contact has to wait: C = n B / (n - load (1 - B)).

    1 where the load is as large as the agents or larger: the line then grows without end.
    """
    if load <= 0:
        return 0.0
    if agents <= load:
        return 1.0
    return _waiting(agents, load, blocking(agents, load))


def service_level(agents: int, load: float, handle_time: float, within: float) -> float:
    """The share answered within `within` seconds: 1 - C exp(-(n - load) within / handle_time).

    0 where the load is as large as the agents or larger: in the long run everybody waits for longer.
    """
    if load <= 0:
        return 1.0
    if agents <= load:
        return 0.0
    return _level(agents, load, handle_time, within, waiting_probability(agents, load))


def average_speed_of_answer(agents: int, load: float, handle_time: float) -> float:
    """Mean seconds until an answer, over all contacts: C handle_time / (n - load).

    Infinite where the load is as large as the agents or larger.
    """
    if load <= 0:
        return 0.0
    if agents <= load:
        return math.inf
    return waiting_probability(agents, load) * handle_time / (agents - load)


def occupancy(agents: int, load: float) -> float:
    """The share of their time for which agents are busy, at most 1."""
    return 0.0 if load <= 0 else min(1.0, load / agents) if agents > 0 else 1.0


def agents_needed(contacts_an_hour: float, handle_time: float, objective: Objective) -> int:
    """The fewest agents at their desks that keep the objective; 0 where nobody comes.

    Raises:
        ValueError: it would take more than `MOST_AGENTS`, or the objective can never be kept (a share of 1 or more).
    """
    load = offered_load(contacts_an_hour, handle_time)
    if load <= 0:
        return 0
    if load > MOST_AGENTS or objective.share >= 1:
        raise ValueError(
            f"no number of agents up to {MOST_AGENTS} keeps this objective; check contacts and handle time"
        )
    busy = 1.0
    for agents in range(1, MOST_AGENTS + 1):
        busy = load * busy / (agents + load * busy)
        if agents > load:
            waits = _waiting(agents, load, busy)
            if _level(agents, load, handle_time, objective.within, waits) >= objective.share:
                return agents
    raise ValueError(f"no number of agents up to {MOST_AGENTS} keeps this objective; check contacts and handle time")


def contacts_borne(agents: int, handle_time: float, objective: Objective) -> float:
    """The most contacts an hour that so many agents answer at the objective: the inverse of `agents_needed`.

    Found by halving, for the service level only falls as the load grows; exact to a millionth of the agents.
    """
    if agents <= 0 or handle_time <= 0:
        return 0.0
    low, high = 0.0, float(agents)
    while high - low > 1e-6 * agents:
        middle = (low + high) / 2
        if service_level(agents, middle, handle_time, objective.within) >= objective.share:
            low = middle
        else:
            high = middle
    return low * HOUR / handle_time


def _waiting(agents: int, load: float, busy: float) -> float:
    return agents * busy / (agents - load * (1 - busy))


def _level(agents: int, load: float, handle_time: float, within: float, waits: float) -> float:
    return 1 - waits * math.exp(-(agents - load) * within / handle_time)
