"""Score of a tabletop: 40 adaptability, 30 manner, 30 skill. Unknown items are not scored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.tabletop.scenario import MAX_ANSWER, WEIGHTS, ObserverQuestion, ScoringScale
from domain.text import Text


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """One scored item.

    Attributes:
        share: from 0 (not at all) to 1 (fully); None: not known, and so not scored.
        measured: by the records; else an observer said so.
        because: the evidence in a few words.
    """

    id: str
    scale: ScoringScale
    text: Text
    share: float | None
    measured: bool
    because: str = ""


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """The score of one scale. `points` of `weight`; None where no item is known."""

    scale: ScoringScale
    weight: int
    points: float | None
    known: int
    items: int


@dataclass(frozen=True, slots=True)
class ScenarioScore:
    """The total: points of the scales with a known item, and how many these could give (`of`)."""

    parts: tuple[ScaleScore, ...]
    points: float
    of: int


def score_items(items: Sequence[ScoredItem]) -> ScenarioScore:
    """Score items, each of a scale alike; a scale without a known item is left out of the total, not guessed."""
    parts = []
    for scale, weight in WEIGHTS.items():
        mine = [item for item in items if item.scale is scale]
        known = [item.share for item in mine if item.share is not None]
        points = round(weight * sum(known) / len(known), 1) if known else None
        parts.append(ScaleScore(scale, weight, points, len(known), len(mine)))
    scored = [part for part in parts if part.points is not None]
    return ScenarioScore(
        tuple(parts), round(sum(part.points or 0.0 for part in scored), 1), sum(part.weight for part in scored)
    )


def score_answers(questions: Iterable[ObserverQuestion], answers: Mapping[str, int]) -> list[ScoredItem]:
    """Turn an observer's answers into items; a question without one is not scored.

    Raises:
        ValueError: an answer to no question, or one that is not 0 to 4.
    """
    asked = {question.id: question for question in questions}
    for name, value in answers.items():
        if name not in asked:
            raise ValueError(f"no question {name!r}: one of {', '.join(asked)}")
        if not 0 <= value <= MAX_ANSWER:
            raise ValueError(f"{name}: {value} is not 0 to {MAX_ANSWER}")
    return [
        ScoredItem(
            one.id, one.scale, one.text, answers[one.id] / MAX_ANSWER if one.id in answers else None, measured=False
        )
        for one in asked.values()
    ]


def score_timeliness(took: float | None, allowed: float) -> float:
    """Score timeliness: 1 in time, falling to 0 at three times the allowed time, or never."""
    if took is None:
        return 0.0
    return 1.0 if took <= allowed else max(0.0, 1.0 - (took - allowed) / (2 * allowed))
