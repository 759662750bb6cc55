"""Document sheets as HTML pages and as Markdown, from the templates beside this module.

A page holds its styles and plots within, loads nothing from elsewhere and is fit to be printed. What people wrote is
escaped wherever it is inserted: it is no markup, and no link.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import jinja2

from engine.review.blocks import DocumentSheet

_FOLDER = Path(__file__).parent / "templates"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def render_html(sheet: DocumentSheet) -> str:
    """Draw the whole document as a page."""
    return _environment(html=True).get_template("document.html").render(sheet=sheet)


def render_markdown(sheet: DocumentSheet) -> str:
    """Draw the whole document as Markdown, for messages and for people who go on writing."""
    return _environment(html=False).get_template("document.md").render(sheet=sheet).rstrip() + "\n"


@cache
def _environment(*, html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=html,  # noqa: S701 - Markdown has an escape of its own
        finalize=None if html else _escape_markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {"kind": _kind, "percent": _percent, "tone": _tone}
    return environment


def _escape_markdown(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _kind(block: object) -> str:
    return type(block).__name__


def _percent(share: float) -> str:
    return f"{min(max(share, 0.0), 1.0) * 100:.1f}%"


def _tone(tone: str) -> str:
    return "dim" if tone == "soft" else tone
