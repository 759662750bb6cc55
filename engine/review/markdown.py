"""A document as Markdown: for messages, and for people who go on writing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.review.blocks import Bars, Block, Cell, Fill, Heading, Picture, Sheet, Table, Tiles, Words

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(sheet: Sheet) -> str:
    """The whole document."""
    lines = [f"# {escaped(sheet.title)}", "", escaped(sheet.subtitle), ""]
    lines += [f"**{escaped(badge)}**\n" for badge in sheet.badges]
    for block in sheet.blocks:
        lines += [*_block(block), ""]
    if sheet.foot:
        lines += ["---", "", escaped(sheet.foot)]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text as text: what people wrote is no markup, and no link."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"## {escaped(block.text)}"
        case Words():
            yield escaped(block.text)
        case Tiles():
            for tile in block.tiles:
                note = f" ({escaped(tile.note)})" if tile.note else ""
                yield f"- {escaped(tile.label)}: **{escaped(tile.value)}**{note}"
        case Table():
            yield from _table(block)
        case Bars():
            for bar in block.bars:
                yield f"- {escaped(bar.label)}: {escaped(bar.text)}"
        case Picture():
            yield f"*{escaped(block.caption)}*"
        case Fill():
            yield f"**{escaped(block.question)}**"
            yield ""
            yield escaped(block.answer) if block.answer else "..."


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield escaped(table.empty)
        return
    yield "| " + " | ".join(escaped(name) for name in table.head) + " |"
    yield "| " + " | ".join("---:" if place in table.numbers else "---" for place in range(len(table.head))) + " |"
    for row in table.rows:
        cells = (cell.text if isinstance(cell, Cell) else cell for cell in row)
        yield "| " + " | ".join(escaped(cell) for cell in cells) + " |"
