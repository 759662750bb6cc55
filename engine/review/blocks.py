"""A document as blocks, written once and drawn as a page and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "good", "bad", "soft"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of a table that stands out."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A section begins."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure to be seen at a glance."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Some of them, side by side."""

    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of fields. `numbers`: columns that are set to the right; `steady`: those that are never broken."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    numbers: frozenset[int] = frozenset()
    empty: str = ""  # what is said where there are no rows
    steady: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Bar:
    """A share against its aim, 0 to 1; None: not known."""

    label: str
    share: float | None
    text: str
    aim: float | None = None
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares one below the other."""

    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot: SVG of ours, and what it shows for whoever cannot see it."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Fill:
    """A section for people: what they wrote, else what to write there."""

    question: str
    answer: str = ""


Block = Heading | Words | Tiles | Table | Bars | Picture | Fill


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole document in one language."""

    language: str
    title: str
    subtitle: str
    blocks: Sequence[Block]
    foot: str = ""
    badges: Sequence[str] = field(default_factory=tuple)
