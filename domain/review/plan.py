"""The review plan as data: what `reviews.yaml` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from domain.review.return_on_investment import ValueInputs
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
    """The content of `reviews.yaml`."""

    zone: str
    serious: tuple[str, ...]  # severities of incidents that get a retrospective
    clocks: tuple[ClockPlan, ...]
    levels: tuple[LevelPlan, ...]
    five: tuple[str, ...]  # figures of the weekly service-value review
    traced: tuple[str, ...]  # figures whose effects are traced
    trace_for: timedelta
    improvements: float  # aims, 0 to 1
    situations: float
    inputs: ValueInputs = field(default_factory=ValueInputs)
    aims: Mapping[str, float] = field(default_factory=dict)  # figure -> its target, for the reports
