"""Document as Markdown: for messages, and for people who go on writing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.review.blocks import (
    Block,
    Cell,
    DocumentSheet,
    FillInSection,
    Heading,
    Paragraph,
    Picture,
    ShareBars,
    TableBlock,
    Tiles,
)

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def render_markdown(sheet: DocumentSheet) -> str:
    """Draw the whole document as Markdown."""
    lines = [f"# {escape_markdown(sheet.title)}", "", escape_markdown(sheet.subtitle), ""]
    lines += [f"**{escape_markdown(badge)}**\n" for badge in sheet.badges]
    for block in sheet.blocks:
        lines += [*_block(block), ""]
    if sheet.foot:
        lines += ["---", "", escape_markdown(sheet.foot)]
    return "\n".join(lines).rstrip() + "\n"


def escape_markdown(text: str) -> str:
    """Escape text: what people wrote is no markup, and no link."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"## {escape_markdown(block.text)}"
        case Paragraph():
            yield escape_markdown(block.text)
        case Tiles():
            for tile in block.tiles:
                note = f" ({escape_markdown(tile.note)})" if tile.note else ""
                yield f"- {escape_markdown(tile.label)}: **{escape_markdown(tile.value)}**{note}"
        case TableBlock():
            yield from _table(block)
        case ShareBars():
            for bar in block.bars:
                yield f"- {escape_markdown(bar.label)}: {escape_markdown(bar.text)}"
        case Picture():
            yield f"*{escape_markdown(block.caption)}*"
        case FillInSection():
            yield f"**{escape_markdown(block.question)}**"
            yield ""
            yield escape_markdown(block.answer) if block.answer else "..."


def _table(table: TableBlock) -> Iterator[str]:
    if not table.rows:
        yield escape_markdown(table.empty)
        return
    yield "| " + " | ".join(escape_markdown(name) for name in table.head) + " |"
    yield "| " + " | ".join("---:" if place in table.numbers else "---" for place in range(len(table.head))) + " |"
    for row in table.rows:
        cells = (cell.text if isinstance(cell, Cell) else cell for cell in row)
        yield "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"
