"""What a check found: one line a thing, with its reason, and whose it is to mend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from domain.text import Text

TECHNOLOGY = "technology-lead"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at.

    Attributes:
        what: what it is: `role pr-lead`, `channel alice`, `file roster.yaml`.
        ok: it is as it should be.
        reason: why, and where it is not, what would be right.
        owner: the role that mends it.
    """

    what: str
    ok: bool
    reason: Text
    owner: str = TECHNOLOGY


Checks = Iterator[Found]


def good(what: str, en: str, zh: str) -> Found:
    """As it should be."""
    return Found(what, ok=True, reason=Text(en, zh))


def bad(what: str, en: str, zh: str, owner: str = TECHNOLOGY) -> Found:
    """Broken: what, and what would be right."""
    return Found(what, ok=False, reason=Text(en, zh), owner=owner)
