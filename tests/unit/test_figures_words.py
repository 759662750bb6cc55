"""Sensitive words and mood in Chinese and English, and the figures made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum
import pytest

from engine.samples.conversation_texts import UnreadableTexts, parse_mentions, parse_texts
from engine.samples.derived_metrics import derive_samples
from engine.samples.parser import SampleParser, make_series_name
from engine.samples.text_analysis import TextAnalyzer
from playbooks.errors import BadFile
from playbooks.words_file import SHIPPED, WordLists, WordsFile, parse_words
from storage.samples.sample_store import canonical_labels, to_micros

NOW = pendulum.datetime(2026, 3, 14, 3, 0, 30)
SHIPPED_WORDS = parse_words(SHIPPED.read_text(encoding="utf-8"), "words.yaml")
WATCH = TextAnalyzer(SHIPPED_WORDS)


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("I will talk to my lawyer.", {"legal"}),
        ("MY LAWYER will call", {"legal"}),
        ("再不处理我就起诉你们，顺便找记者", {"legal", "media"}),
        ("打１２３１５投诉", {"regulator"}),  # full-width digits
        ("order 123150 is late", set()),  # a piece of a number
        ("the issue is that you pursue you-know-what", set()),
        ("I will sue you", {"legal"}),
        ("手机起火了", {"safety"}),
        ("where is my parcel?", set()),
        ("", set()),
    ],
)
def test_red_words_are_found_as_whole_words(text: str, categories: set[str]) -> None:
    assert WATCH.analyze(text).red_categories == categories


def test_yellow_words_are_sensitive_but_not_red() -> None:
    found = WATCH.analyze("这是诈骗！这是诈骗！ A scam.")
    assert [(word, level) for word, level, _ in found.sensitive] == [("诈骗", "yellow"), ("scam", "yellow")]
    assert found.red_categories == frozenset()


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("This is terrible, I am very disappointed", True),
        ("thank you, very helpful", False),
        ("I am not happy", True),
        ("it is not bad service, thanks", False),
        ("The app isn't good. Thank you", False),  # one each: undecided is not negative
        ("not at all. good", False),  # the negation belongs to another sentence
        ("客服态度差，太慢了", True),
        ("服务很好，谢谢", False),
        ("我不满意", True),
        ("我很满意", False),
        ("我不太满意", True),
        ("不错，很耐心", False),
        ("几点营业？", False),
        ("goodness great-aunt", False),
    ],
)
def test_the_mood_estimate_counts_words_and_turns_them_around(text: str, negative: bool) -> None:
    assert WATCH.analyze(text).is_negative is negative


def test_empty_lists_find_nothing() -> None:
    assert TextAnalyzer(WordLists()).analyze("起诉 terrible").sensitive == ()
    assert not TextAnalyzer(WordLists()).analyze("terrible").is_negative


def texts(*items: Any, watch: TextAnalyzer = WATCH) -> tuple[dict[tuple[str, str], tuple[float, float]], Any]:
    readout = parse_texts(json.dumps(items).encode(), watch, NOW, make_series_name)
    batch = readout.batch
    rows = zip(batch.names, batch.value, batch.events, strict=True)
    return {name: (value, events) for name, value, events in rows}, readout


CHAT = {"channel": "chat"}


def test_texts_become_figures_with_zeros_too() -> None:
    found, readout = texts(
        {"text": "terrible, I will sue you", "labels": CHAT},
        {"text": "thanks", "labels": CHAT},
        {"text": "骗子", "labels": CHAT},
        {"text": "thanks", "labels": {"channel": "phone"}},
    )
    chat, phone = canonical_labels(CHAT), canonical_labels({"channel": "phone"})
    assert found["conversations", chat] == (3, 1)
    assert found["negative_share", chat] == (1 / 3, 3)
    assert found["sensitive_words", chat] == (2, 1)
    assert found["red_words", canonical_labels({**CHAT, "category": "legal"})] == (1, 1)
    assert found["red_words", canonical_labels({**CHAT, "category": "media"})] == (0, 1)
    assert found["sensitive_words", phone] == (0, 1)
    assert (readout.sensitive, readout.negative) == (2, 1)


def test_texts_of_two_minutes_are_two_figures() -> None:
    items = [{"text": "a", "time": "2026-03-14T03:00:00Z"}, {"text": "b", "time": "2026-03-14T02:59:00Z"}]
    readout = parse_texts(json.dumps(items).encode(), WATCH, NOW, make_series_name)
    assert [name[0] for name in readout.batch.names].count("conversations") == 2


def test_the_same_post_again_makes_the_same_samples_and_another_one_others() -> None:
    def made(*items: Any) -> list[int]:
        return parse_texts(json.dumps(items).encode(), WATCH, NOW, make_series_name).batch.at

    one = {"text": "a", "time": "2026-03-14T03:00:00Z"}
    other = {"text": "b", "time": "2026-03-14T03:00:00Z"}
    assert made(one) == made(one)
    assert set(made(one)).isdisjoint(made(other))
    assert {at // 1_000_000 for at in made(one) + made(other)} == {to_micros(NOW) // 1_000_000 - 30}


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (7, "text: is missing"),
        ({"text": " "}, "text: is missing"),
        ({"text": "x" * 20_001}, "text: has 20001 characters"),
        ({"text": "x", "txt": 1}, "txt: there is no such field"),
        ({"text": "x", "labels": {"a": 1}}, "labels: a mapping"),
        ({"text": "x", "labels": {"a b": "1"}}, "labels: 'a b'"),
        ({"text": "x", "time": "2026-03-14T03:00:00"}, "time: has no offset"),
        ({"text": "x", "time": 5}, "time: ISO 8601"),
        ({"text": "x", "time": "2027-03-14T03:00:00Z"}, "time: is more than a minute in the future"),
    ],
)
def test_a_bad_text_is_said_without_repeating_it(item: Any, says: str) -> None:
    _, readout = texts(item, {"text": "fine"})
    assert [place for place, _ in readout.faults] == [0]
    assert readout.faults[0][1].startswith(says)
    assert len(readout.conversations) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'{"text": []}', b"[" + b"1," * 2000 + b"1]"])
def test_a_post_of_another_form_is_one_line(body: bytes) -> None:
    with pytest.raises(UnreadableTexts):
        parse_texts(body, WATCH, NOW, make_series_name)


def test_mentions_become_samples_each_of_its_own() -> None:
    items = [
        {"mood": "negative", "channel": "weibo", "time": "2026-03-14T03:00:00Z"},
        {"mood": "负面", "channel": "weibo", "time": "2026-03-14T03:00:00Z"},
        {"mood": "Positive", "time": "2026-03-14T03:00:00Z", "count": 3, "labels": {"product": "app"}},
        {"mood": "furious"},
    ]
    samples, faults, places = parse_mentions(json.dumps(items).encode(), NOW)
    assert [one["labels"] for one in samples] == [
        {"mood": "negative", "channel": "weibo"},
        {"mood": "negative", "channel": "weibo"},
        {"product": "app", "mood": "positive"},
    ]
    assert len({one["time"] for one in samples}) == 3
    assert {int(one["time"]) for one in samples} == {to_micros(NOW) // 1_000_000 - 30}
    assert (faults, places) == ([(3, "mood: positive, neutral or negative")], [0, 1, 2])
    assert SampleParser().check_rows(samples, "", NOW).faults == []


def test_negative_mentions_follow_from_mentions() -> None:
    samples = [
        {"metric": "mentions", "time": NOW.isoformat(), "value": 2, "labels": {"mood": "negative", "channel": "weibo"}},
        {"metric": "mentions", "time": NOW.isoformat(), "value": 5, "labels": {"mood": "neutral"}},
        {"metric": "mentions", "time": NOW.isoformat(), "value": 9},
        {"metric": "csat", "time": NOW.isoformat(), "value": 4, "labels": {"mood": "negative"}},
    ]
    more = derive_samples(SampleParser().check_rows(samples, "replay-a", NOW).batch)
    assert more.lane == "replay-a"
    assert dict(zip(more.names, more.value, strict=True)) == {
        ("negative_mentions", '{"channel":"weibo"}'): 2,
        ("negative_mentions", "{}"): 0,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sensitive: {red: {legal: [sue]}, yellow: {other: [SUE]}}", "'SUE' is in red.legal too"),
        ("sensitive: {orange: {}}", "orange"),
        ("negative: [good]\npositive: [Good]", "'Good' is negative too"),
        ("negatives: []", "did you mean negative?"),
    ],
)
def test_a_broken_list_is_named(text: str, says: str) -> None:
    with pytest.raises(BadFile) as bad:
        parse_words(text, "words.yaml")
    assert "words.yaml:" in str(bad.value)
    assert says.lower() in str(bad.value).lower()


def test_an_edited_list_comes_into_force_and_a_broken_one_does_not(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "words.yaml"
    file = WordsFile(path, clock=lambda: now[0])
    assert file.current() == SHIPPED_WORDS
    path.write_text("sensitive: {red: {legal: [Klage]}}\nkeep_texts: true\n")
    now[0] = 2
    assert (dict(file.current().sensitive), file.current().keep_texts) == ({"klage": ("red", "legal")}, True)
    path.write_text("sensitive: 7\n")
    now[0] = 4
    assert file.current().keep_texts
    assert file.findings()
