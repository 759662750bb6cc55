"""Bilingual documents: one sheet drawn per language as page and Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.review import document_templates
from engine.review.blocks import DocumentSheet
from storage.documents import Document

_LANGUAGES = {"en": "en", "zh": "zh_CN"}  # as documents name them, and as people's are named


def render_document(document: Document, sheet: Callable[[str], DocumentSheet]) -> Document:
    """Return the document with its pages and texts; `sheet` makes its sheet in a language."""
    sheets = {name: sheet(language) for name, language in _LANGUAGES.items()}
    return replace(
        document,
        pages={name: document_templates.render_html(one) for name, one in sheets.items()},
        texts={name: document_templates.render_markdown(one) for name, one in sheets.items()},
    )
