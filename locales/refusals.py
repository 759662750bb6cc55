"""Refusals in the reader's language: raised as English lines, matched here to the text they were made of.

The texts stand in `zh_CN/LC_MESSAGES/refusals.po`: `{1}`, `{2}` are the values of a line, in their order. A
test reads every refusal out of the source and asks for its translation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from locales.catalogue import DEFAULT_LANGUAGE, normalise, translator

_FOLDER: Final = Path(__file__).resolve().parent
_PLACE: Final = re.compile(r"\{(\d+)\}")


def refusals_file(language: str) -> Path:
    """Translation file of the refusals."""
    return _FOLDER / language / "LC_MESSAGES" / "refusals.po"


def localize_refusal(line: str, language: str | None) -> str:
    """Refusal in the reader's language; the English line itself where it has no translation."""
    name = normalise(language)
    if name == DEFAULT_LANGUAGE:
        return line
    known = translator(name)
    exact = known(line)
    if exact != line:
        return exact
    for pattern, text in _patterns(name):
        found = pattern.fullmatch(line)
        if found:
            values = {name[1:]: known(value) for name, value in found.groupdict().items()}
            return "".join(values[part] if place % 2 else part for place, part in enumerate(_PLACE.split(text)))
    return line


@lru_cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Those with the most words of their own first: a general one must not take what a special one says better."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 - only whoever reads no English waits for it

    with refusals_file(language).open("rb") as file:
        messages = [(str(one.id), str(one.string)) for one in read_po(file, locale=language) if one.id and one.string]
    messages.sort(key=lambda pair: -len(_PLACE.sub("", pair[0])))
    return [(re.compile(_pattern(english), re.DOTALL), text) for english, text in messages]


def _pattern(english: str) -> str:
    parts = _PLACE.split(english)
    return "".join(re.escape(part) if place % 2 == 0 else f"(?P<p{part}>.*?)" for place, part in enumerate(parts))
