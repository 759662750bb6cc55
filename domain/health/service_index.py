"""Service indices: efficiency, resolution and mood as one number each, 0 to 100. Pure.

The formula is ours and deliberately plain; the weights are data (`health.yaml`), and each part is shown
beside the index. A part scores 100 (value - zero) / (full - zero), not below 0 and not above 100. The index
is the mean of its parts, weighted; parts without figures are left out, and where those that remain have
less than a given share of all weight there is no index: a number made of one part in five would only look
like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.health.plan import IndexComponent


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One part of an index: its value and its score of 100; None: no data."""

    component: IndexComponent
    value: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class ServiceIndex:
    """An index: None where too little is known. `covered`: the share of the weights that has figures."""

    value: float | None
    covered: float
    parts: tuple[IndexPart, ...]


def score_value(value: float, zero: float, full: float) -> float:
    """Score a value from 0 (at `zero` or worse) to 100 (at `full` or better)."""
    return min(100.0, max(0.0, 100 * (value - zero) / (full - zero)))


def compute_index(components: Sequence[IndexComponent], values: Sequence[float | None], covered: float) -> ServiceIndex:
    """Compute the index of these components and values.

    `covered`: the least share of weight that must be known.
    """
    parts = tuple(
        IndexPart(one, value, None if value is None else score_value(value, one.zero, one.full))
        for one, value in zip(components, values, strict=True)
    )
    known = [(part.component.weight, part.score) for part in parts if part.score is not None]
    weight, whole = sum(weight for weight, _ in known), sum(one.weight for one in components)
    share = weight / whole if whole else 0.0
    if not weight or share < covered - 1e-9:
        return ServiceIndex(None, share, parts)
    return ServiceIndex(sum(weight * points for weight, points in known) / weight, share, parts)
