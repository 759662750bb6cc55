"""Findings of the chain check: one line each, with its reason, and the role that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from domain.text import Text

TECHNOLOGY = "technology-lead"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """Finding on one thing that was checked.

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


CheckFindings = Iterator[CheckFinding]


def passed(what: str, en: str, zh: str) -> CheckFinding:
    """Make a finding that a thing is as it should be."""
    return CheckFinding(what, ok=True, reason=Text(en, zh))


def failed(what: str, en: str, zh: str, owner: str = TECHNOLOGY) -> CheckFinding:
    """Make a finding that a thing is broken: what, and what would be right."""
    return CheckFinding(what, ok=False, reason=Text(en, zh), owner=owner)
