"""A document in both languages, from how it reads in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.review import html, markdown
from engine.review.blocks import Sheet
from storage.documents import Document

_LANGUAGES = {"en": "en", "zh": "zh_CN"}  # as documents name them, and as people's are named


def written(document: Document, sheet: Callable[[str], Sheet]) -> Document:
    """The document with its pages and texts; `sheet` says how it reads in a language."""
    sheets = {name: sheet(language) for name, language in _LANGUAGES.items()}
    return replace(
        document,
        pages={name: html.page(one) for name, one in sheets.items()},
        texts={name: markdown.markdown(one) for name, one in sheets.items()},
    )
