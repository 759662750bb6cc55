"""Blocks of a document, written once and drawn as a page and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "good", "bad", "soft"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Field of a table that stands out."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Paragraph of text."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """Figure to be seen at a glance."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Figures side by side."""

    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class TableBlock:
    """Table of fields. `numbers`: columns set to the right; `steady`: columns that are never broken."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    numbers: frozenset[int] = frozenset()
    empty: str = ""  # what is said where there are no rows
    steady: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ShareBar:
    """Share against its aim, 0 to 1; None: not known."""

    label: str
    share: float | None
    text: str
    aim: float | None = None
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class ShareBars:
    """Shares one below the other."""

    bars: Sequence[ShareBar]


@dataclass(frozen=True, slots=True)
class Picture:
    """Plot: SVG of ours, and a caption for readers who cannot see it."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class FillInSection:
    """Section for people: what they wrote, else the question to answer there."""

    question: str
    answer: str = ""


Block = Heading | Paragraph | Tiles | TableBlock | ShareBars | Picture | FillInSection


@dataclass(frozen=True, slots=True)
class DocumentSheet:
    """Whole document in one language."""

    language: str
    title: str
    subtitle: str
    blocks: Sequence[Block]
    foot: str = ""
    badges: Sequence[str] = field(default_factory=tuple)
