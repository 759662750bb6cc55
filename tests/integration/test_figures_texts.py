"""Conversation texts and mentions over a real server: figures stored, texts neither kept nor logged unless told to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.process import clock
from storage.samples.rollups import prune_samples
from storage.samples.sample_store import open_sample_store
from tests.served import Served, served, valid

SECRET = "my card is 6222020200112233445 and I will sue you"


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def totals(web: Served) -> dict[str, float]:
    """Sum of values by metric."""
    figures = open_sample_store(web.installation.settings)
    try:
        names = {one.id: one.metric for one in figures.series()}
        columns, _ = figures.after(0)
        found: dict[str, float] = {}
        for series, value in zip(columns.series, columns.value, strict=True):
            found[names[series]] = found.get(names[series], 0) + value
        return found
    finally:
        figures.close()


def test_texts_become_figures_and_are_gone(web: Served, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    document = [{"text": SECRET, "labels": {"channel": "chat"}}, {"text": "谢谢", "labels": {"channel": "chat"}}, 7]
    answer = valid("texts", web.client.post("/api/texts", json=document), 202)
    assert (answer["taken"], answer["refused"], answer["sensitive"], answer["kept"]) == (2, 1, 1, False)
    found = totals(web)
    assert (found["conversations"], found["sensitive_words"], found["red_words"]) == (2, 1, 1)
    assert found["negative_share"] == 0
    web.client.post("/api/texts", json=[{"text": SECRET, "wrong": 1}])
    web.client.post("/api/texts", content=SECRET.encode(), headers={"content-type": "application/json"})
    assert "6222020200112233445" not in caplog.text
    assert not [path for path in home.rglob("*") if path.is_file() and b"6222020200112233445" in path.read_bytes()]


def test_texts_are_kept_for_a_day_where_told_to(web: Served, home: Path) -> None:
    (home / "words.yaml").write_text("keep_texts: true\n")
    answer = valid("texts", web.client.post("/api/texts", json=[{"text": SECRET}]), 202)
    assert answer["kept"] is True
    figures = open_sample_store(web.installation.settings)
    try:
        with figures.database.read() as connection:
            ((text,),) = connection.exec_driver_sql("SELECT text FROM conversation").fetchall()
        assert text == SECRET

        assert prune_samples(figures, clock.now().add(hours=25))["texts"] == 0
        assert prune_samples(figures, clock.now().add(hours=27))["texts"] == 1
    finally:
        figures.close()


def test_the_same_post_again_counts_once_and_another_one_counts(web: Served) -> None:

    second = clock.now().start_of("second").isoformat()
    for text in ("one", "one", "two"):
        answer = valid("texts", web.client.post("/api/texts", json=[{"text": text, "time": second}]), 202)
    assert answer["samples"] > 0
    assert totals(web)["conversations"] == 2


@pytest.mark.parametrize(("body", "status"), [([7], 422), (7, 422), ([], 202)])
def test_a_post_without_texts_is_said(web: Served, body: Any, status: int) -> None:
    assert web.client.post("/api/texts", json=body).status_code == status


def test_mentions_of_a_feed(web: Served) -> None:
    feed = {
        "mentions": [
            {"mood": "negative", "channel": "weibo", "count": 4},
            {"mood": "positive", "channel": "weibo"},
            {"mood": "?"},
            {"mood": "neutral", "count": -1, "labels": {"a b": "c"}},
        ]
    }
    answer = valid("samples", web.client.post("/api/webhooks/mentions", json=feed), 202)
    assert (answer["taken"], answer["refused"]) == (2, 2)
    assert [one["index"] for one in answer["errors"]] == [2, 3]
    assert totals(web) == {"mentions": 5, "negative_mentions": 4}
    assert web.client.post("/api/webhooks/mentions", json={}).status_code == 422
    refused = web.client.post("/api/webhooks/mentions", json=[], headers={"authorization": "Bearer wrong"})
    assert refused.status_code == 401
