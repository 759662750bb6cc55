"""How an operation reviews itself, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from domain.review.value import Inputs
from domain.text import Text


@dataclass(frozen=True, slots=True)
class ClockPlan:
    """A clock that the monthly report counts: a step of a playbook, met when it is done by its deadline."""

    id: str
    title: Text
    playbook: str
    step: str


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """A level of handling. `objective`: the share closed `within` its time; None: none was set."""

    number: int
    title: Text
    within: timedelta | None = None
    objective: float | None = None


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """What reviews.yaml says."""

    zone: str
    serious: tuple[str, ...]  # severities of incidents that get a retrospective
    clocks: tuple[ClockPlan, ...]
    levels: tuple[LevelPlan, ...]
    five: tuple[str, ...]  # figures of the weekly service-value review
    traced: tuple[str, ...]  # figures whose effects are traced
    trace_for: timedelta
    improvements: float  # aims, 0 to 1
    situations: float
    inputs: Inputs = field(default_factory=Inputs)
    aims: Mapping[str, float] = field(default_factory=dict)  # figure -> its target, for the reports
