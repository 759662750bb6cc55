"""The API of warnings, rules and silences, as programs see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest

from domain.warning.disposition import Disposition, RaisedWarning
from domain.warning.rule import Tier
from engine.process import clock
from storage.incidents import warnings
from tests.served import Served, served, valid

SERIES = (("service", "orders"),)


@pytest.fixture
def site(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def push(site: Served, value: float) -> pendulum.DateTime:
    now = clock.now()
    samples = [
        {
            "metric": "response_time", "time": now.subtract(seconds=5 + 10 * place).isoformat(), "value": value,
            "count": 20, "labels": {"service": "orders"},
        }
        for place in range(12)
    ]  # fmt: skip
    answer = site.client.post("/api/samples", json=samples)
    assert answer.status_code == 202, answer.text
    return now


def test_a_rule_says_why_it_is_in_its_state_with_its_numbers(site: Served) -> None:
    push(site, 44.0)
    document = valid("rule", site.client.get("/api/rules/tier-1-response-time"))
    (series,) = document["series"]
    assert (series["labels"], series["value"], series["phase"]) == ({"service": "orders"}, 44.0, "ok")
    assert "44" in series["why"]["en"]
    assert "30" in series["why"]["en"]
    assert "44" in series["why"]["zh"]


def test_every_rule_is_listed_and_an_unknown_one_is_told_from_a_near_one(site: Served) -> None:
    listed = valid("rules", site.client.get("/api/rules"))["rules"]
    assert "tier-3-complaints" in {rule["id"] for rule in listed}
    refused = site.client.get("/api/rules/tier-1-respons-time")
    assert refused.status_code == 404
    assert "tier-1-response-time" in refused.json()["error"]


def test_warnings_are_listed_with_what_was_made_of_them(site: Served) -> None:
    began = pendulum.datetime(2026, 11, 2, 3, 0)
    stands = RaisedWarning("w1", "slow", SERIES, Tier.RED, Disposition.HELD, began, service="orders", value=41.5)
    over = RaisedWarning("w2", "slow", SERIES, Tier.RED, Disposition.HELD, began, began.add(minutes=9))
    more: dict[str, Any] = {
        "title": {"en": "Slow", "zh": ""},
        "because": {"en": "silenced", "zh": "静默"},
        "made_at": began,
    }
    with site.installation.database.write() as connection:
        warnings.add_warning(connection, "", stands, **more)
        warnings.add_warning(connection, "", over, **more)
        warnings.add_warning(
            connection, "replay-1", RaisedWarning("w3", "slow", SERIES, Tier.RED, Disposition.HELD, began), **more
        )
    document = valid("warnings", site.client.get("/api/warnings"))
    (one,) = document["warnings"]
    assert (one["id"], one["value"], one["labels"], one["title"]["zh"]) == ("w1", 41.5, {"service": "orders"}, "Slow")
    everything = valid("warnings", site.client.get("/api/warnings", params={"status": "all"}))["warnings"]
    assert {one["status"] for one in everything} == {"standing", "over"}
    (replayed,) = valid("warnings", site.client.get("/api/warnings", params={"lane": "replay-1"}))["warnings"]
    assert replayed["id"] == "w3"
    page = site.client.get("/").text
    assert "Slow" in page
    assert "silenced" in page


def test_a_silence_is_made_once_listed_and_ended(site: Served) -> None:
    until = clock.now().add(hours=2).isoformat()
    form = {"id": "s1", "rule": "tier-1-response-time", "until": until, "reason": "planned\nmaintenance"}
    for _ in range(2):
        made = site.client.post("/api/silences", json=form)
        assert made.status_code == 201, made.text
    valid("silence", made, 201)
    (one,) = valid("silences", site.client.get("/api/silences"))["silences"]
    assert (one["id"], one["reason"]) == ("s1", "planned maintenance")
    assert valid("silence-ended", site.client.post("/api/silences/s1/end", json={}))["changed"]
    assert not valid("silence-ended", site.client.post("/api/silences/s1/end", json={}))["changed"]
    assert valid("silences", site.client.get("/api/silences"))["silences"] == []


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"until": "2020-01-01T00:00:00+00:00", "reason": "x"}, "later than now"),
        ({"until": "2126-01-01T00:00:00+00:00", "reason": "x"}, "90 days"),
        ({"until": "2026-01-01T00:00:00", "reason": "x"}, "time zone"),
        ({"until": "soon", "reason": "x"}, "ISO 8601"),
        ({"reason": "x"}, "until"),
        ({"until": None, "reason": "x"}, "later than now"),
        ({"until": "2026-12-01T00:00:00+00:00", "reason": " "}, "reason"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_in_a_line(site: Served, form: dict[str, Any], said: str) -> None:
    refused = site.client.post("/api/silences", json=form)
    assert refused.status_code in (409, 422)
    assert said in refused.json()["error"]
    assert "\n" not in refused.json()["error"]
