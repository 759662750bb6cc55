"""Samples over HTTP: the good ones are kept, each bad one is told why, whatever is beside it."""

from __future__ import annotations

import json
from typing import Any

import pendulum
import pytest

from engine.samples.parser import SampleParser, UnreadableBatch, find_undeclared
from storage.samples.sample_store import to_micros

NOW = pendulum.datetime(2026, 3, 14, 3, 0)
GOOD = {"metric": "csat", "time": "2026-03-14T02:59:30+00:00", "value": 4}


def read(document: Any) -> Any:
    return SampleParser().parse(json.dumps(document).encode(), NOW)


def test_a_sample_is_read_with_its_defaults() -> None:
    found = read([GOOD])
    assert found.faults == []
    assert found.batch.names == [("csat", "{}")]
    assert found.batch.at == [to_micros(NOW.subtract(seconds=30))]
    assert (found.batch.value, found.batch.events, found.batch.lane) == ([4.0], [1.0], "")


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-14T10:59:30.25+08:00",
        "2026-03-14T02:59:30.250000Z",
        NOW.timestamp() - 29.75,
        (NOW.timestamp() - 29.75) * 1000,
    ],
)
def test_a_time_is_iso_8601_or_seconds_or_milliseconds(time: Any) -> None:
    assert read([{**GOOD, "time": time}]).batch.at == [to_micros(NOW) - 29_750_000]


def test_one_set_of_labels_is_one_series_however_it_is_written() -> None:
    body = (
        b'[{"metric":"m","time":"2026-03-14T03:00:00Z","value":1,"labels":{"a":"1","b":"\\u4e2d"}},'
        b'{"metric":"m","time":"2026-03-14T03:00:00Z","value":2,"labels":{ "b":"\xe4\xb8\xad", "a":"1"}}]'
    )
    assert set(SampleParser().parse(body, NOW).batch.names) == {("m", '{"a":"1","b":"中"}')}


BAD = [
    ({"value": float("nan")}, "value: NaN"),
    ({"value": float("inf")}, "value: inf"),
    ({"value": -2e12}, "value: -2e+12 is beyond"),
    ({"value": "4"}, "value: a number"),
    ({"value": True}, "value: a number"),
    ({"value": None}, "value: a number"),
    ({"value": 10**400}, "value"),
    ({"count": 0}, "count: 0 events"),
    ({"count": -1}, "count: -1 events"),
    ({"count": 2e9}, "count: 2e+09 events"),
    ({"count": float("nan")}, "count: nan"),
    ({"count": "many"}, "count: a number"),
    ({"time": "2026-03-14T03:01:01Z"}, "time: is more than a minute in the future"),
    ({"time": "2026-01-01T03:01:01Z"}, "time: is older than the history"),
    ({"time": "2026-03-14T03:00:00"}, "time: ISO 8601 with offset"),
    ({"time": "yesterday"}, "time: ISO 8601 with offset"),
    ({"time": -5}, "time: is older"),
    ({"time": 1e300}, "time: is older"),
    ({"time": [1]}, "time: ISO 8601"),
    ({"metric": ""}, "metric: '' is no name"),
    ({"metric": "a b"}, "metric: 'a b' is no name"),
    ({"metric": 7}, "metric: a text"),
    ({"labels": {"channel": 1}}, "labels: a mapping of texts"),
    ({"labels": ["a"]}, "labels: a mapping of texts"),
    ({"labels": {"a b": "c"}}, "labels: 'a b' is no name"),
    ({"labels": {"a": "x" * 201}}, "labels.a: at most 200"),
    ({"labels": {"a": "x\ny"}}, "labels.a: at most 200"),
    ({"labels": {f"l{n}": "x" for n in range(17)}}, "labels: 17 are too many"),
    ({"lables": {}}, "lables: there is no such field"),
]


@pytest.mark.parametrize(("change", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_bad_sample_is_refused_with_its_place_and_the_others_are_kept(change: dict[str, Any], reason: str) -> None:
    found = read([GOOD, {**GOOD, **change}, {**GOOD, "value": 5}])
    assert [(fault.index, fault.reason[: len(reason)]) for fault in found.faults] == [(1, reason)]
    assert (found.batch.value, found.places) == ([4.0, 5.0], [0, 2])


@pytest.mark.parametrize("missing", ["metric", "time", "value"])
def test_what_is_missing_is_named(missing: str) -> None:
    found = read([{key: value for key, value in GOOD.items() if key != missing}])
    assert found.faults[0].reason.startswith(f"{missing}: is missing")


@pytest.mark.parametrize("item", [7, "x", None, []])
def test_what_is_no_sample_at_all_is_said(item: Any) -> None:
    found = read([item, GOOD])
    assert [fault.index for fault in found.faults] == [0]
    assert len(found.batch) == 1


def test_the_edges_are_inside() -> None:
    edges = [
        {**GOOD, "time": NOW.add(seconds=60).isoformat()},
        {**GOOD, "time": NOW.subtract(days=63).isoformat()},
        {**GOOD, "value": 1e12, "count": 1e9},
    ]
    assert read(edges).faults == []


def test_a_replay_brings_its_own_time() -> None:
    old = {**GOOD, "time": "2019-03-14T03:00:00Z"}
    found = read({"samples": [old], "lane": "replay-bad-day"})
    assert (found.faults, found.batch.lane) == ([], "replay-bad-day")
    assert read([old]).faults


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "this is not JSON"),
        (b"[", "this is not JSON"),
        (b"\xff", "this is not JSON"),
        (b"[" * 100_000, "this is not JSON"),
        (b"7", "samples: send a list"),
        (b"{}", "samples: send a list"),
        (b'{"samples": [], "lanes": ""}', "lanes: there is no such field"),
        (b'{"samples": [], "lane": "live"}', "lane: leave it out"),
        (b'{"samples": [], "lane": 7}', "lane: leave it out"),
        (b'{"samples": [7], "lane": "live"}', "lane: leave it out"),
    ],
)
def test_a_batch_that_cannot_be_read_is_one_line(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBatch) as told:
        SampleParser().parse(body, NOW)
    assert str(told.value).startswith(reason)


def test_the_quick_way_and_the_careful_way_agree() -> None:
    documents = [
        GOOD,
        {**GOOD, "labels": {"b": "2", "a": "1"}},
        {**GOOD, "value": 2e12},
        {**GOOD, "time": 1},
        {**GOOD, "metric": "a b"},
        {**GOOD, "count": -1, "labels": {"a b": "1"}},
    ]
    reader = SampleParser()
    quick, careful = read(documents), reader.check_rows(documents, "", NOW)
    assert (quick.batch, quick.places, quick.faults) == (careful.batch, careful.places, careful.faults)
    assert len(quick.faults) == 4


def test_metrics_that_nobody_declared_are_named() -> None:
    found = read([GOOD, {**GOOD, "metric": "cast"}, {**GOOD, "metric": "cast"}])
    assert find_undeclared(found.batch, {"csat", "nps"}) == ["cast"]
