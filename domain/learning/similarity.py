"""Similarity of two incidents, with its reasons: service, playbook, kind, words of the title. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.durations import elapsed
from domain.learning.text_comparison import common_words, weigh_words, word_overlap
from domain.text import N_, Reason

# What each says of the cause; ours. A field that either of the two leaves empty counts for neither side.
_KIND, _SERVICE, _PLAYBOOK, _WORDS = 0.35, 0.20, 0.15, 0.30
_SHOWN_WORDS = 6


@dataclass(frozen=True, slots=True)
class IncidentFingerprint:
    """The properties by which incidents are compared."""

    id: str
    title: str
    at: DateTime
    service: str = ""
    playbook: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Similarity:
    """The similarity of two incidents, 0.0 to 1.0, and what they have in common."""

    score: float
    reasons: tuple[Reason, ...]


def similarity_score(one: IncidentFingerprint, other: IncidentFingerprint) -> float:
    """Score the similarity of two incidents: the weight of what agrees among all that can be compared."""
    agreed = compared = 0.0
    for weight, mine, theirs in (
        (_KIND, one.kind, other.kind),
        (_SERVICE, one.service, other.service),
        (_PLAYBOOK, one.playbook, other.playbook),
    ):
        if mine and theirs:
            compared += weight
            if mine == theirs or mine.casefold() == theirs.casefold():
                agreed += weight
    my_words, their_words = weigh_words(one.title), weigh_words(other.title)
    if my_words and their_words:
        compared += _WORDS
        agreed += _WORDS * word_overlap(my_words, their_words)
    # Two that can be compared by their playbook alone are not alike for it.
    return agreed / compared if compared > _PLAYBOOK else 0.0


def explain_similarity(one: IncidentFingerprint, other: IncidentFingerprint) -> Similarity:
    """Return the similarity of two incidents with what they have in common."""
    reasons: list[Reason] = []
    for mine, theirs, says in (
        (one.kind, other.kind, N_("same kind: {what}")),
        (one.service, other.service, N_("same service: {what}")),
        (one.playbook, other.playbook, N_("same playbook: {what}")),
    ):
        if mine and mine.casefold() == theirs.casefold():
            reasons.append(Reason(says, {"what": mine}))
    common = common_words(one.title, other.title, _SHOWN_WORDS)
    if common:
        reasons.append(Reason(N_("words in common: {what}"), {"what": ", ".join(common)}))
    return Similarity(similarity_score(one, other), tuple(reasons))


def find_most_similar(
    one: IncidentFingerprint, others: Iterable[IncidentFingerprint], *, at_least: float, most: int
) -> list[tuple[IncidentFingerprint, Similarity]]:
    """Find similar incidents, the most similar first and of those the newest."""
    scored = [(similarity_score(one, other), other) for other in others if other.id != one.id]
    found = [pair for pair in scored if pair[0] >= at_least]
    found.sort(key=lambda pair: (-round(pair[0], 6), -pair[1].at.timestamp(), pair[1].id))
    return [(other, explain_similarity(one, other)) for _, other in found[:most]]


def find_recurring(
    at: DateTime, others: Sequence[IncidentFingerprint], window: timedelta, count: int
) -> list[IncidentFingerprint]:
    """Find the `others` that lie with `at` in one window of `count` or more of them, else none.

    The earliest first. A case may be back-dated, so that the others may be later than it.
    """
    near = sorted((one for one in others if abs(elapsed(one.at, at)) <= window), key=lambda one: (one.at, one.id))
    times = sorted([*(one.at for one in near), at])
    for first in times:
        inside = [time for time in times if timedelta(0) <= elapsed(first, time) <= window]
        if len(inside) >= count and first <= at <= inside[-1]:
            return near
    return []


def name_problem(cases: Sequence[IncidentFingerprint]) -> str:
    """Name a kind of problem: its kind and service where they agree, else the words in common."""
    parts = []
    for values in ({case.kind for case in cases}, {case.service for case in cases}):
        if len(values) == 1 and "" not in values:
            parts += list(values)
    if not parts:
        parts = common_words(cases[0].title, cases[-1].title, 3)
    return " ".join(parts or [cases[0].title])[:40]
