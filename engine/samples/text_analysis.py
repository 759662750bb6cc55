"""Analysis of conversation texts: sensitive words, and an estimate of how many customers are unhappy.

The estimate counts the words of a small list that anybody can read and edit; it understands nothing. Its
use is how the share moves, not a verdict on one conversation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from playbooks.words_file import Level, WordLists, fold_text

_WORD = re.compile(r"[a-z0-9'’]+")
_REACH = 3  # English words before one within which a negation turns it around
_ZH_REACH = 2  # characters, for Chinese: 不满意, 不太满意


@dataclass(frozen=True, slots=True)
class TextMatches:
    """Sensitive words and mood of one text.

    Attributes:
        sensitive: sensitive words with level and category, in order, each once.
        score: words of the negative list less those of the positive one; negative mood above 0.
    """

    sensitive: tuple[tuple[str, Level, str], ...]
    score: int

    @property
    def is_negative(self) -> bool:
        """Whether the text counts as negative."""
        return self.score > 0

    @property
    def red_categories(self) -> frozenset[str]:
        """Categories of the text's red words."""
        return frozenset(category for _, level, category in self.sensitive if level == "red")


class TextAnalyzer:
    """Analyzer of texts by the words of a list. Threads may share one."""

    def __init__(self, words: WordLists) -> None:
        self.words = words
        self._sensitive = list(words.sensitive)
        self._mood: Mapping[str, int] = {**dict.fromkeys(words.positive, -1), **dict.fromkeys(words.negative, 1)}
        self._moods = list(self._mood)
        from ahocorasick_rs import AhoCorasick, MatchKind  # noqa: PLC0415 - of a process that is given texts

        self._find_sensitive = AhoCorasick(self._sensitive) if self._sensitive else None
        self._find_mood = AhoCorasick(self._moods, matchkind=MatchKind.LeftmostLongest) if self._moods else None
        self._chinese = tuple(word for word in words.negations if not word.isascii())

    def analyze(self, text: str) -> TextMatches:
        """Find the sensitive words and the mood of a text."""
        plain = fold_text(text)
        return TextMatches(self._sensitive_in(plain), self._score(plain))

    def _sensitive_in(self, text: str) -> tuple[tuple[str, Level, str], ...]:
        if self._find_sensitive is None:
            return ()
        found: dict[str, tuple[str, Level, str]] = {}
        for place, start, end in self._find_sensitive.find_matches_as_indexes(text, overlapping=True):
            word = self._sensitive[place]
            if word not in found and _whole(text, start, end):
                found[word] = (word, *self.words.sensitive[word])
        return tuple(found.values())

    def _score(self, text: str) -> int:
        if self._find_mood is None:
            return 0
        score = 0
        for place, start, end in self._find_mood.find_matches_as_indexes(text):
            if _whole(text, start, end):
                mood = self._mood[self._moods[place]]
                score += -mood if self._negated(text, start) else mood
        return score

    def _negated(self, text: str, start: int) -> bool:
        if start < len(text) and _latin(text[start]):
            sentence = re.split(r"[.!?;,]", text[:start])[-1]
            return any(word.replace("’", "'") in self.words.negations for word in _WORD.findall(sentence)[-_REACH:])
        before = text[max(0, start - _ZH_REACH) : start]
        return bool(before) and before.endswith(self._chinese)


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a match is not a piece of a longer English word or number."""
    return not (
        (start > 0 and _latin(text[start]) and _latin(text[start - 1]))
        or (end < len(text) and _latin(text[end - 1]) and _latin(text[end]))
    )


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
