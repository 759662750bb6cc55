"""Texts in English and Simplified Chinese: gettext catalogues, and times as people read them.

The source id of a text is its English wording; `locales/zh_CN/LC_MESSAGES/tocsin.po` holds the translation.
"""

from __future__ import annotations

from locales.catalogue import DEFAULT_LANGUAGE, LANGUAGES, Translator, normalise, translator
from locales.times import elapsed_share, format_span, format_when

__all__ = [
    "DEFAULT_LANGUAGE",
    "LANGUAGES",
    "Translator",
    "elapsed_share",
    "format_span",
    "format_when",
    "normalise",
    "translator",
]
