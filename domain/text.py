"""Texts in English and Chinese, and reasons that can be read in either."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["en", "zh_CN"]
LANGUAGES: tuple[Language, ...] = ("en", "zh_CN")


@dataclass(frozen=True, slots=True)
class Text:
    """One text in English and, where it was written, Simplified Chinese."""

    en: str
    zh: str = ""

    def in_(self, language: str) -> str:
        """The text for a reader of `language`; English where no Chinese was written."""
        return self.zh if language == "zh_CN" and self.zh else self.en

    def __bool__(self) -> bool:
        return bool(self.en or self.zh)


def N_(template: str) -> str:  # noqa: N802 - gettext's own name for "mark, do not translate here"
    """Mark a template for the catalogues; it is translated where it is read."""
    return template


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was or was not done: a template of the catalogues and its values."""

    template: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.values)


def find_unprintable(text: str) -> str:
    """Find the first character that no message and no page can carry, as `U+0000`; empty where there is none.

    Line breaks and tabs are fine; other control characters and halves of characters are not.
    """
    for character in text:
        if (
            not character.isprintable()
            and character not in "\n\r\t"
            and unicodedata.category(character) in ("Cc", "Cs")
        ):
            return f"U+{ord(character):04X}"
    return ""
