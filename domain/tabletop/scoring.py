"""How well a sudden situation was met: 40 adaptability, 30 manner, 30 skill. What is not known is not scored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.tabletop.scenario import MOST, WEIGHTS, Question, Scale
from domain.text import Text


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is scored.

    Attributes:
        share: from 0 (not at all) to 1 (fully); None: not known, and so not scored.
        measured: by the records; else an observer said so.
        because: the evidence in a few words.
    """

    id: str
    scale: Scale
    text: Text
    share: float | None
    measured: bool
    because: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One scale. `points` of `weight`; None where nothing of it is known."""

    scale: Scale
    weight: int
    points: float | None
    known: int
    items: int


@dataclass(frozen=True, slots=True)
class Score:
    """The whole: points of those scales of which something is known, and how many these could give (`of`)."""

    parts: tuple[Part, ...]
    points: float
    of: int


def score(items: Sequence[Item]) -> Score:
    """Every item of a scale counts alike; a scale without a known item is left out of the whole, not guessed."""
    parts = []
    for scale, weight in WEIGHTS.items():
        mine = [item for item in items if item.scale is scale]
        known = [item.share for item in mine if item.share is not None]
        points = round(weight * sum(known) / len(known), 1) if known else None
        parts.append(Part(scale, weight, points, len(known), len(mine)))
    scored = [part for part in parts if part.points is not None]
    return Score(
        tuple(parts), round(sum(part.points or 0.0 for part in scored), 1), sum(part.weight for part in scored)
    )


def answered(questions: Iterable[Question], answers: Mapping[str, int]) -> list[Item]:
    """An observer's answers as items; a question without one is not scored.

    Raises:
        ValueError: an answer to no question, or one that is not 0 to 4.
    """
    asked = {question.id: question for question in questions}
    for name, value in answers.items():
        if name not in asked:
            raise ValueError(f"no question {name!r}: one of {', '.join(asked)}")
        if not 0 <= value <= MOST:
            raise ValueError(f"{name}: {value} is not 0 to {MOST}")
    return [
        Item(one.id, one.scale, one.text, answers[one.id] / MOST if one.id in answers else None, measured=False)
        for one in asked.values()
    ]


def timely(took: float | None, allowed: float) -> float:
    """1 in time; then less and less, until at three times what was allowed, or never, it is 0."""
    if took is None:
        return 0.0
    return 1.0 if took <= allowed else max(0.0, 1.0 - (took - allowed) / (2 * allowed))
