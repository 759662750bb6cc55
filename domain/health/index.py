"""Service efficiency, resolution and mood as one number each, 0 to 100. Pure.

The formula is ours and deliberately plain; the weights are data (`health.yaml`), and each part is shown beside the
index. A part scores 100 (value - zero) / (full - zero), not below 0 and not above 100. The index is the mean of its
parts, weighted; parts without figures are left out, and where those that remain have less than a given share of all
weight there is no index: a number made of one part in five would only look like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.health.plan import Component


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its value and its score of 100; None: no data."""

    component: Component
    value: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class Index:
    """An index: None where too little is known. `covered`: the share of the weights that has figures."""

    value: float | None
    covered: float
    parts: tuple[Part, ...]


def score(value: float, zero: float, full: float) -> float:
    """How good a value is, from 0 (at `zero` or worse) to 100 (at `full` or better)."""
    return min(100.0, max(0.0, 100 * (value - zero) / (full - zero)))


def index(components: Sequence[Component], values: Sequence[float | None], covered: float) -> Index:
    """The index of these components and their values. `covered`: the least share of weight that must be known."""
    parts = tuple(
        Part(one, value, None if value is None else score(value, one.zero, one.full))
        for one, value in zip(components, values, strict=True)
    )
    known = [(part.component.weight, part.score) for part in parts if part.score is not None]
    weight, whole = sum(weight for weight, _ in known), sum(one.weight for one in components)
    share = weight / whole if whole else 0.0
    if not weight or share < covered - 1e-9:
        return Index(None, share, parts)
    return Index(sum(weight * points for weight, points in known) / weight, share, parts)
