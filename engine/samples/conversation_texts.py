"""Conversation texts and mentions as they are posted, made into samples. The text itself is not kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pendulum import DateTime

from engine.samples.parser import MOST_AHEAD
from engine.samples.text_analysis import TextAnalyzer
from storage.samples.rollups import ROLLUP_RETENTION
from storage.samples.sample_store import SampleBatch, SeriesName, canonical_labels, to_micros

MOST_TEXTS: Final = 2_000
LONGEST_TEXT: Final = 20_000
_MINUTE = 60_000_000
_SECOND = 1_000_000
_MOODS: Final[Mapping[str, str]] = {
    "positive": "positive", "neutral": "neutral", "negative": "negative", "pos": "positive", "neg": "negative",
    "正面": "positive", "中性": "neutral", "负面": "negative", "正向": "positive", "负向": "negative",
}  # fmt: skip


class UnreadableTexts(ValueError):
    """The post as a whole cannot be read; the text says what would be right, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One text with its time (microseconds since 1970) and labels."""

    at: int
    text: str
    labels: Mapping[str, str]


@dataclass(slots=True)
class TextSamples:
    """Samples that the texts of a post make. `batch` goes to the store."""

    batch: SampleBatch = field(default_factory=SampleBatch)
    conversations: list[Conversation] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    sensitive: int = 0
    negative: int = 0


def parse_items(body: bytes, name: str) -> list[Any]:
    """Parse the list of a JSON body: the list itself, or `{name: [...]}`.

    Raises:
        UnreadableTexts: it is neither.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableTexts("this is not JSON") from None
    found = document.get(name) if isinstance(document, dict) else document
    if not isinstance(found, list):
        raise UnreadableTexts(f'{name}: send a list, or {{"{name}": [...]}}')
    if len(found) > MOST_TEXTS:
        raise UnreadableTexts(f"{name}: {len(found)} in one post are too many; at most {MOST_TEXTS}")
    return found


def parse_texts(
    body: bytes, watch: TextAnalyzer, now: DateTime, name: Callable[[str, Mapping[str, str]], SeriesName | str]
) -> TextSamples:
    """Make samples of `[{"text", "time", "labels"}]`, by minute and set of labels.

    `conversations` (how many), `negative_share` (0 to 1), `sensitive_words` (conversations with one), and
    `red_words` by category, zero included: no red word is a sample too. `name` checks metric and labels.

    Raises:
        UnreadableTexts: not of that form.
    """
    readout = TextSamples()
    groups: dict[tuple[str, int], list[Conversation]] = {}
    for place, item in enumerate(parse_items(body, "texts")):
        found = _conversation(item, now, name)
        if isinstance(found, str):
            readout.faults.append((place, found))
        else:
            readout.conversations.append(found)
            groups.setdefault((canonical_labels(found.labels), found.at // _MINUTE), []).append(found)
    mark = body_mark(body)
    for group in groups.values():
        _figures(readout, group, watch, mark)
    return readout


def _conversation(
    item: Any, now: DateTime, name: Callable[[str, Mapping[str, str]], SeriesName | str]
) -> Conversation | str:
    wrong = _wrong(item)
    if wrong:
        return wrong
    labels = item.get("labels") or {}
    named = name("conversations", labels)
    if isinstance(named, str):
        return named
    at = _time(item.get("time"), now)
    if isinstance(at, int) and not to_micros(now - ROLLUP_RETENTION) <= at <= to_micros(now + MOST_AHEAD):
        return "time: is more than a minute in the future, or older than the history that is kept"
    return at if isinstance(at, str) else Conversation(at, item["text"], labels)


def _wrong(item: Any) -> str:
    """What is wrong with the form of a text; empty: nothing."""
    if not isinstance(item, dict) or not isinstance(item.get("text"), str) or not item["text"].strip():
        return 'text: is missing; send {"text": "...", "time": "...", "labels": {"channel": "chat"}}'
    if len(item["text"]) > LONGEST_TEXT:
        return f"text: has {len(item['text'])} characters; at most {LONGEST_TEXT}"
    unknown = sorted(set(item) - {"text", "time", "labels"})
    if unknown:
        return f"{unknown[0][:40]}: there is no such field; a text has text, time and labels"
    labels = item.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        return 'labels: a mapping of texts, such as {"channel": "chat"}'
    return ""


def _time(given: Any, now: DateTime) -> int | str:
    if given is None:
        return to_micros(now)
    try:
        when = datetime.fromisoformat(given)
    except (ValueError, TypeError):
        return "time: ISO 8601 with offset, such as 2026-03-14T03:00:00+08:00"
    if when.tzinfo is None:
        return "time: has no offset; such as 2026-03-14T03:00:00+08:00"
    return round(when.timestamp() * 1e6)


def _figures(readout: TextSamples, group: Sequence[Conversation], watch: TextAnalyzer, mark: int) -> None:
    found = [watch.analyze(one.text) for one in group]
    labels = dict(group[0].labels)
    at = spread_in_second(max(one.at for one in group), mark)
    negative = sum(one.is_negative for one in found)
    sensitive = sum(bool(one.sensitive) for one in found)
    readout.negative += negative
    readout.sensitive += sensitive

    def add(metric: str, value: float, count: float = 1.0, **more: str) -> None:
        readout.batch.add((metric, canonical_labels({**labels, **more})), at, value, count)

    add("conversations", len(group))
    add("negative_share", negative / len(group), len(group))
    add("sensitive_words", sensitive)
    for category in watch.words.red_categories:
        add("red_words", sum(category in one.red_categories for one in found), category=category)


def parse_mentions(body: bytes, now: DateTime) -> tuple[list[dict[str, Any]], list[tuple[int, str]], list[int]]:
    """Make samples of `mentions` from an opinion feed's `[{"mood", "channel", "time", "count", "labels"}]`.

    Gives the samples, what was wrong with the others by their place, and the places of the samples.

    Raises:
        UnreadableTexts: not of that form.
    """
    samples: list[dict[str, Any]] = []
    faults: list[tuple[int, str]] = []
    places: list[int] = []
    mark = body_mark(body)
    for place, item in enumerate(parse_items(body, "mentions")):
        found = _mention(item, now, mark + place)
        if isinstance(found, str):
            faults.append((place, found))
        else:
            samples.append(found)
            places.append(place)
    return samples, faults, places


def _mention(item: Any, now: DateTime, mark: int) -> dict[str, Any] | str:
    mood = _MOODS.get(str(item.get("mood", "")).strip().lower()) if isinstance(item, dict) else None
    if mood is None:
        return "mood: positive, neutral or negative"
    at = _time(item.get("time"), now)
    if isinstance(at, str):
        return at
    labels = item.get("labels") or {}
    if not isinstance(labels, dict):
        return 'labels: a mapping of texts, such as {"product": "app"}'
    channel = item.get("channel")
    return {
        "metric": "mentions",
        "time": spread_in_second(at, mark) / _SECOND,
        "value": item.get("count", 1),
        "labels": {**labels, "mood": mood, **({"channel": channel} if channel else {})},
    }


def body_mark(body: bytes) -> int:
    """Compute a number of the body: the same post again makes the same samples, another post others."""
    return int.from_bytes(hashlib.sha256(body).digest()[:6], "big")


def spread_in_second(at: int, mark: int) -> int:
    """Move a time of whole seconds within its second, so that two things of one second are no repeat."""
    return at if at % _SECOND else at + mark % _SECOND
