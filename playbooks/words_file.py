"""The words file: sensitive words, the mood lexicon, and whether conversation texts are kept."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from playbooks.errors import FileFinding, quote_value
from playbooks.field_types import FileForm, Id
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SHIPPED = Path(__file__).resolve().parent / "sample" / "words.yaml"
Word = Annotated[str, Field(min_length=1, max_length=60)]
Level = Literal["yellow", "red"]


@dataclass(frozen=True, slots=True)
class WordLists:
    """The lists, each word in the one form in which it is compared (see `fold_text`).

    Attributes:
        sensitive: word -> level and category.
        negative, positive: the small lexicon of the mood estimate.
        negations: words that turn the next one around.
        keep_texts: whether conversation texts are kept (for 26 hours).
    """

    sensitive: Mapping[str, tuple[Level, str]] = field(default_factory=dict)
    negative: frozenset[str] = frozenset()
    positive: frozenset[str] = frozenset()
    negations: frozenset[str] = frozenset()
    keep_texts: bool = False

    @property
    def red_categories(self) -> tuple[str, ...]:
        """The categories with a red word, in order."""
        return tuple(sorted({category for level, category in self.sensitive.values() if level == "red"}))


class WordsForm(FileForm):
    """The lists of words."""

    sensitive: dict[Level, dict[Id, list[Word]]] = Field(
        {},
        description="Words that somebody must see, by level and category; a red one tells the supervisor at once.",
        examples=["{red: {legal: [lawsuit, 起诉]}}"],
    )
    negative: list[Word] = Field([], description="Words of a customer who is not content.", examples=[["useless"]])
    positive: list[Word] = Field([], description="Words of a customer who is.", examples=[["thank you"]])
    negations: list[Word] = Field([], description="Words that turn the next one around.", examples=[["not"]])
    keep_texts: bool = Field(default=False, description="Keep conversation texts, for 26 hours.", examples=[False])


def fold_text(text: str) -> str:
    """Fold a text for comparison: full-width and compatibility forms as plain ones, lower case."""
    return unicodedata.normalize("NFKC", text).casefold()


def parse_words(text: str, file: str) -> WordLists:
    """Parse the lists that `text` describes.

    Raises:
        BadFile: broken YAML, unknown keys, a word in two lists that contradict each other.
    """
    form = read_form(WordsForm, text, file, lambda form, found: (*_twice(form, found), *_both(form, found)))
    sensitive = {word: (level, category) for level, category, _, word in _each(form)}
    lists = {name: frozenset(map(fold_text, getattr(form, name))) for name in ("negative", "positive", "negations")}
    return WordLists(sensitive=sensitive, keep_texts=form.keep_texts, **lists)


def _each(form: WordsForm) -> Iterator[tuple[Level, str, int, str]]:
    for level, categories in form.sensitive.items():
        for category, words in categories.items():
            for place, word in enumerate(words):
                yield level, category, place, fold_text(word).strip()


def _twice(form: WordsForm, found: YamlSource) -> Iterator[FileFinding]:
    seen: dict[str, str] = {}
    for level, category, place, word in _each(form):
        at = ("sensitive", level, category, place)
        if not word:
            yield found.finding(at, "is empty", "remove it")
        elif word in seen:
            yield found.finding(at, f"{quote_value(word)} is in {seen[word]} too", "keep one of the two")
        seen.setdefault(word, f"{level}.{category}")


def _both(form: WordsForm, found: YamlSource) -> Iterator[FileFinding]:
    negative = set(map(fold_text, form.negative))
    for place, word in enumerate(form.positive):
        if fold_text(word) in negative:
            yield found.finding(("positive", place), f"{quote_value(word)} is negative too", "keep one of the two")


class WordsFile(OptionalFile[WordLists]):
    """The words in force; without a file of the home those that ship."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(path, lambda file: parse_words(read_text(file), str(file)), shipped_word_lists, clock=clock)


@lru_cache(maxsize=1)
def shipped_word_lists() -> WordLists:
    """Return the shipped lists."""
    return parse_words(read_text(SHIPPED), str(SHIPPED))
