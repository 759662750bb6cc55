"""Groups of suggestions that say the same in the same or nearly the same words. Pure.

How near two texts are is asked of a function of the caller's; who comes first makes the group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.learning.text_comparison import normalize_text

# For a text: the nearest of these, as its place and how near it is (0.0 to 1.0); None: none is near enough.
NearestText = Callable[[str, Sequence[str], float], tuple[int, float] | None]
MIN_FUZZY_LENGTH = 4  # characters below which only the same words are the same


@dataclass(frozen=True, slots=True)
class PlacedSuggestion:
    """The group of one suggestion: a known group, or one begun by an earlier suggestion of the batch.

    `group` is the key of a known group, or None with `first` the place of the suggestion that makes a new one.
    """

    place: int
    group: int | None
    first: int


def group_suggestions(
    texts: Sequence[str], known: Mapping[int, str], nearest: NearestText, at_least: float
) -> list[PlacedSuggestion]:
    """Assign each suggestion to a group, in their order.

    Args:
        texts: As customers wrote them; empty ones are left out.
        known: Key of each group to its example as it is compared (`plain`), the oldest first.
        nearest: Which of several texts is the nearest; of two equally near the first.
        at_least: From how near on two texts say the same.
    """
    examples = list(known.values())
    owners: list[tuple[int | None, int]] = [(key, -1) for key in known]
    exact = {example: index for index, example in reversed(list(enumerate(examples)))}
    placed = []
    for place, text in enumerate(texts):
        wanted = normalize_text(text)
        if not wanted:
            continue
        index = exact.get(wanted)
        if index is None and len(wanted) >= MIN_FUZZY_LENGTH:
            found = nearest(wanted, examples, at_least)
            index = found[0] if found else None
        if index is None:
            index = len(examples)
            examples.append(wanted)
            owners.append((None, place))
        exact.setdefault(wanted, index)
        group, first = owners[index]
        placed.append(PlacedSuggestion(place, group, first))
    return placed
