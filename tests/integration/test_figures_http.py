"""Samples over a real server: 202 only after the commit, clear answers to what is wrong, nothing lost."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.process import clock
from storage.database import StorageError
from storage.samples.program_tokens import create_program_token
from storage.samples.sample_store import open_sample_store
from storage.samples.source_states import record_failure
from tests.served import Served, served, valid


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def sample(ago: float = 10, value: float = 4, **more: Any) -> dict[str, Any]:
    return {"metric": "csat", "time": clock.now().subtract(seconds=ago).isoformat(), "value": value, **more}


def kept(web: Served) -> list[float]:
    """What another process reads."""
    figures = open_sample_store(web.installation.settings)
    try:
        return list(figures.after(0)[0].value)
    finally:
        figures.close()


def test_what_is_answered_with_202_is_there(web: Served) -> None:
    document = [sample(value=4), sample(value=5, labels={"channel": "chat"}, count=3)]
    answer = valid("samples", web.client.post("/api/samples", json=document), 202)
    assert (answer["taken"], answer["duplicates"], answer["refused"]) == (2, 0, 0)
    assert kept(web) == [4, 5]
    again = valid("samples", web.client.post("/api/samples", json={"samples": document}), 202)
    assert (again["taken"], again["duplicates"]) == (0, 2)


def test_a_bad_sample_is_named_and_the_others_are_taken(web: Served) -> None:
    body = json.dumps([sample(value=1), sample(value=float("nan")), sample(value=2), sample(ago=-120)])
    answer = valid(
        "samples",
        web.client.post("/api/samples", content=body, headers={"content-type": "application/json"}),
        202,
    )
    assert (answer["taken"], answer["refused"]) == (2, 2)
    assert [(one["index"], one["reason"].split(":")[0]) for one in answer["errors"]] == [(1, "value"), (3, "time")]
    assert kept(web) == [1, 2]


def test_a_late_sample_is_kept_and_counted_as_late(web: Served) -> None:
    assert valid("samples", web.client.post("/api/samples", json=[sample(ago=1000)]), 202)["late"] == 1


def test_where_none_is_good_the_answer_is_no(web: Served) -> None:
    answer = valid("samples", web.client.post("/api/samples", json=[sample(value=2e12)]), 422)
    assert "none was taken; sample 0: value" in answer["error"]
    assert "not JSON" in valid("error", web.client.post("/api/samples", content=b"{", headers=JSON), 422)["error"]


JSON = {"content-type": "application/json"}


def test_many_errors_are_counted_and_the_first_told(web: Served) -> None:
    answer = valid("samples", web.client.post("/api/samples", json=[*[7] * 250, sample()]), 202)
    assert (answer["refused"], len(answer["errors"]), answer["taken"]) == (250, 100, 1)


def test_fifty_megabytes_are_refused_with_a_clear_line(web: Served) -> None:
    line = json.dumps(sample()).encode()
    body = b"[" + b",".join([line] * (50 * 1024 * 1024 // (len(line) + 1))) + b"]"
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.request("POST", "/api/samples", body, JSON)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "larger than" in json.loads(answer.read())["error"]
    connection.close()
    assert kept(web) == []


def test_posts_at_once_are_each_answered_for_what_was_theirs(web: Served) -> None:
    def post(number: int) -> dict[str, Any]:
        body = [sample(ago=number, value=number), "broken" if number % 3 == 0 else sample(ago=number + 0.5)]
        with httpx.Client(base_url=web.url, trust_env=False, timeout=20) as client:
            return valid("samples", client.post("/api/samples", json=body), 202)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(60)))
    assert [(one["taken"], one["refused"]) for one in answers] == [(1, 1) if n % 3 == 0 else (2, 0) for n in range(60)]
    assert len(kept(web)) == sum(one["taken"] for one in answers)


def test_a_spoilt_body_beside_good_ones_spoils_only_its_own(web: Served) -> None:
    def post(number: int) -> int:
        body = b"{" if number % 2 else json.dumps([sample(ago=number)]).encode()
        with httpx.Client(base_url=web.url, trust_env=False, timeout=20) as client:
            return client.post("/api/samples", content=body, headers=JSON).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(post, range(20))) == [202, 422] * 10


def test_a_database_that_cannot_be_written_is_503_and_acknowledges_nothing(
    web: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.samples import sample_store as store

    def fail(*_: object) -> int:
        raise StorageError("the disk is full: free some space; nothing that was recorded is lost")

    with monkeypatch.context() as patched:
        patched.setattr(store, "_insert", fail)
        assert "disk is full" in valid("error", web.client.post("/api/samples", json=[sample()]), 503)["error"]
    assert web.client.post("/api/samples", json=[sample()]).status_code == 202


def test_who_pushes_is_asked_as_everywhere(web: Served) -> None:
    figures = open_sample_store(web.installation.settings)
    program = create_program_token(figures, "crm", clock.now())
    figures.close()

    def status(**headers: str) -> int:
        return web.client.post("/api/samples", json=[sample()], headers=headers).status_code

    assert status() == 202  # the console of this machine
    assert status(authorization=f"Bearer {program}") == 202
    assert status(**{name.lower(): value for name, value in web.token("alice").items()}) == 202
    assert status(authorization="Bearer nobody") == 401
    assert status(authorization="Basic eDp5") == 401
    assert status(**{"x-forwarded-for": "10.0.0.1"}) == 401  # from elsewhere, without a token
    assert status(origin="https://elsewhere.example") == 403


def test_a_program_that_pushes_figures_gives_no_commands(web: Served) -> None:
    figures = open_sample_store(web.installation.settings)
    program = create_program_token(figures, "crm", clock.now())
    figures.close()
    headers = {"authorization": f"Bearer {program}"}
    assert web.client.post("/api/incidents", json={"title": "x"}, headers=headers).status_code == 401


def test_a_replay_says_where_it_is(web: Served) -> None:
    assert web.client.get("/api/replays/replay-a").status_code == 404
    form = {"position": "2026-03-02T08:00:00+08:00", "speed": 600}
    begun = valid("replay", web.client.put("/api/replays/replay-a", json=form))
    assert begun["position"] == begun["from"] == "2026-03-02T00:00:00+00:00"
    pushed = {"lane": "replay-a", "samples": [{"metric": "csat", "time": "2026-03-02T00:00:01Z", "value": 4}]}
    assert valid("samples", web.client.post("/api/samples", json=pushed), 202)["taken"] == 1
    web.client.put("/api/replays/replay-a", json={**form, "position": "2026-03-02T01:00:00+00:00", "ended": True})
    over = valid("replay", web.client.get("/api/replays/replay-a"))
    assert over["position"] == "2026-03-02T01:00:00+00:00"
    assert over["ended_at"]
    assert "has ended" in valid("error", web.client.put("/api/replays/replay-a", json=form), 409)["error"]


@pytest.mark.parametrize(
    ("feed", "form", "status"),
    [
        ("live", {"position": "2026-03-02T08:00:00Z"}, 409),
        ("replay-A", {"position": "2026-03-02T08:00:00Z"}, 409),
        ("replay-a", {"position": "2026-03-02T08:00:00"}, 422),
        ("replay-a", {"position": "2026-03-02T08:00:00Z", "speed": 0}, 422),
        ("replay-a", {}, 422),
    ],
)
def test_a_replay_that_cannot_be_is_refused(web: Served, feed: str, form: dict[str, Any], status: int) -> None:
    assert valid("error", web.client.put(f"/api/replays/{feed}", json=form), status)["error"]


def test_sources_are_shown_with_what_is_wrong(web: Served, home: Path) -> None:
    assert valid("sources", web.client.get("/api/sources")) == {"sources": [], "findings": []}
    text = (
        "sources:\n  desk:\n    kind: sql\n    url_env: DESK_URL\n    query: SELECT 1 AS value\n    metric: backlog\n"
    )
    figures = open_sample_store(web.installation.settings)
    record_failure(figures, "desk", clock.now(), "no answer within 10 s", lambda _: timedelta(minutes=1))
    figures.close()
    (home / "sources.yaml").write_text(text)
    pause = threading.Event()
    for _ in range(60):  # the file is looked at once a second
        (source,) = valid("sources", web.client.get("/api/sources"))["sources"] or [None]
        if source:
            break
        pause.wait(0.1)
    assert (source["name"], source["error"], source["failures"]) == ("desk", "no answer within 10 s", 1)


def test_whoever_comes_when_memory_is_full_is_told_to_come_again(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.api.sample_service.MOST_WAITING", 10)
    assert "push again" in valid("error", web.client.post("/api/samples", json=[sample()]), 503)["error"]
    monkeypatch.undo()
    assert web.client.post("/api/samples", json=[sample()]).status_code == 202


def test_large_bodies_are_committed_in_their_order_a_few_at_a_time(
    web: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.sample_service.MOST_BYTES", 300)

    def post(number: int) -> int:
        with httpx.Client(base_url=web.url, trust_env=False, timeout=20) as client:
            return client.post("/api/samples", json=[sample(ago=number)] * 4).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(post, range(40))) == [202] * 40
    assert len(kept(web)) == 40
