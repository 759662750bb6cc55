"""How alike two incidents are, and why: service, playbook, kind, words of the title. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.durations import elapsed
from domain.learning.words import in_common, overlap, words
from domain.text import N_, Reason

# What each says of the cause; ours. A field that either of the two leaves empty counts for neither side.
_KIND, _SERVICE, _PLAYBOOK, _WORDS = 0.35, 0.20, 0.15, 0.30
_SHOWN_WORDS = 6


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an incident is known by."""

    id: str
    title: str
    at: DateTime
    service: str = ""
    playbook: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two are, 0.0 to 1.0, and what they have in common."""

    score: float
    reasons: tuple[Reason, ...]


def alike(one: Fingerprint, other: Fingerprint) -> float:
    """How alike two incidents are: the weight of what agrees among all that can be compared."""
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
    my_words, their_words = words(one.title), words(other.title)
    if my_words and their_words:
        compared += _WORDS
        agreed += _WORDS * overlap(my_words, their_words)
    # Two that can be compared by their playbook alone are not alike for it.
    return agreed / compared if compared > _PLAYBOOK else 0.0


def likeness(one: Fingerprint, other: Fingerprint) -> Likeness:
    """How alike two incidents are, and what they have in common."""
    reasons: list[Reason] = []
    for mine, theirs, says in (
        (one.kind, other.kind, N_("same kind: {what}")),
        (one.service, other.service, N_("same service: {what}")),
        (one.playbook, other.playbook, N_("same playbook: {what}")),
    ):
        if mine and mine.casefold() == theirs.casefold():
            reasons.append(Reason(says, {"what": mine}))
    common = in_common(one.title, other.title, _SHOWN_WORDS)
    if common:
        reasons.append(Reason(N_("words in common: {what}"), {"what": ", ".join(common)}))
    return Likeness(alike(one, other), tuple(reasons))


def most_alike(
    one: Fingerprint, others: Iterable[Fingerprint], *, at_least: float, most: int
) -> list[tuple[Fingerprint, Likeness]]:
    """Those that are alike, the most alike first and of those the newest."""
    scored = [(alike(one, other), other) for other in others if other.id != one.id]
    found = [pair for pair in scored if pair[0] >= at_least]
    found.sort(key=lambda pair: (-round(pair[0], 6), -pair[1].at.timestamp(), pair[1].id))
    return [(other, likeness(one, other)) for _, other in found[:most]]


def often_enough(at: DateTime, others: Sequence[Fingerprint], window: timedelta, count: int) -> list[Fingerprint]:
    """Those of `others` that lie with `at` within one window which holds `count` of them or more, else none.

    The earliest first. A case may be back-dated, so that the others may be later than it.
    """
    near = sorted((one for one in others if abs(elapsed(one.at, at)) <= window), key=lambda one: (one.at, one.id))
    times = sorted([*(one.at for one in near), at])
    for first in times:
        inside = [time for time in times if timedelta(0) <= elapsed(first, time) <= window]
        if len(inside) >= count and first <= at <= inside[-1]:
            return near
    return []


def name_of(cases: Sequence[Fingerprint]) -> str:
    """What a kind of problem is called: its kind and service where they agree, else the words in common."""
    parts = []
    for values in ({case.kind for case in cases}, {case.service for case in cases}):
        if len(values) == 1 and "" not in values:
            parts += list(values)
    if not parts:
        parts = in_common(cases[0].title, cases[-1].title, 3)
    return " ".join(parts or [cases[0].title])[:40]
