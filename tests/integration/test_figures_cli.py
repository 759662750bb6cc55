"""`tocsin samples` against a real server: push, replay, tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest

from engine.process import clock
from storage.samples.replays import announce_position, find_replay
from storage.samples.sample_store import open_sample_store
from tests.served import Served, check, served

ROOT = Path(__file__).parents[2]
RUN = """
from cli.common import CommandError, fail
from cli.samples import app
try:
    app()
except CommandError as trouble:
    fail(str(trouble))
"""


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def start(port: int, *words: str, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        cwd=ROOT,
        env={**clean, "TOCSIN_PORT": str(port), "COLUMNS": "120", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def type_(web: Served, *words: str, **environment: str) -> tuple[int, str, str]:
    process = start(web.port, *words, **environment)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def figures_of(web: Served, feed: str = "") -> list[tuple[int, float]]:
    store = open_sample_store(web.installation.settings)
    try:
        start, end = pendulum.datetime(2000, 1, 1), pendulum.datetime(2100, 1, 1)
        columns = store.between(feed, None, start, end)
        return sorted(zip(columns.at, columns.value, strict=True))
    finally:
        store.close()


def day(
    tmp_path: Path, rows: int, every: float = 10.0, begin: str = "2026-03-02T00:00:00+00:00", head: str = ""
) -> Path:
    """A file with a row each so many seconds."""
    first = pendulum.parse(begin)
    assert isinstance(first, pendulum.DateTime)
    lines = [f"{first.add(seconds=every * n).isoformat()},response_time,{n}" for n in range(rows)]
    path = tmp_path / "day.csv"
    path.write_text(head + "time,metric,value\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_is_pushed_and_its_bad_lines_are_named(web: Served, tmp_path: Path) -> None:
    path = day(tmp_path, 1_200, every=1, begin=clock.now().subtract(minutes=30).isoformat())
    lines = path.read_text().splitlines()
    lines[5] = lines[5].replace(",response_time,4", ",response_time,four")
    lines[1100] = lines[1100].replace("response_time", "response time")
    lines.append("2001-01-01T00:00:00Z,response_time,1")
    path.write_text("\n".join(lines) + "\n")
    status, out, err = type_(web, "push", str(path))
    assert status == 1
    assert "1198 samples taken, 0 known already, 3 refused" in out
    told = err.splitlines()
    assert [line.split(":")[0] for line in told] == ["line 6", "line 1101", "line 1202"]
    assert "older than the history" in told[2]
    again = type_(web, "push", str(path), "--json")
    document = check("samples-push", json.loads(again[1]))
    assert (document["taken"], document["duplicates"], document["refused"]) == (0, 1198, 3)
    assert len(figures_of(web)) == 1198


def test_every_bad_line_is_named_where_a_batch_has_hundreds(web: Served, tmp_path: Path) -> None:
    path = day(tmp_path, 500, begin="2001-01-01T00:00:00Z")
    document = json.loads(type_(web, "push", str(path), "--json")[1])
    assert [one["line"] for one in document["errors"]] == list(range(2, 502))


def test_metrics_that_nobody_declared_are_said(web: Served, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f"time,metric,value\n{clock.now().isoformat()},respones_time,1\n")
    status, _, err = type_(web, "push", str(path))
    assert status == 0
    assert "perhaps misspelt: respones_time" in err
    assert "可能拼写有误" in type_(web, "push", str(path), LANG="zh_CN.UTF-8")[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("push", "none.csv"), "cannot be read"),
        (("push", "{day}", "--zone", "Mars"), "no time zone"),
        (("replay", "{day}", "--from", "noon"), "--from: time"),
        (("replay", "{day}", "--from", "2027-01-01T00:00:00Z"), "cannot begin at"),
        (("token", "No Name"), "cannot be a name"),
    ],
)
def test_what_cannot_be_is_one_line(web: Served, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    path = day(tmp_path, 3)
    status, out, err = type_(web, *(word.format(day=path) for word in words))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


def test_a_replay_pushes_in_order_and_ends_a_tick_after_its_last_row(web: Served, tmp_path: Path) -> None:
    path = day(tmp_path, 360)  # an hour
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    status, out, err = type_(web, "replay", str(path), "--speed", "3600", "--lane", "bad-day")
    assert status == 0, err
    assert "360 samples taken" in out
    assert "lane replay-bad-day" in err
    assert [value for _, value in figures_of(web, "replay-bad-day")] == list(range(360))
    assert figures_of(web) == []
    state = web.client.get("/api/replays/replay-bad-day").json()
    assert state["from"] == "2026-03-02T00:00:00+00:00"
    assert state["position"] == "2026-03-02T01:00:00+00:00"
    assert state["ended_at"]
    assert "has ended" in type_(web, "replay", str(path), "--lane", "bad-day")[2]


def test_history_comes_first_and_at_once(web: Served, tmp_path: Path) -> None:
    path = day(tmp_path, 4000, every=60, head="# from: 2026-03-04T18:00:00+00:00\n")  # 40 minutes before its end
    status, out, err = type_(web, "replay", str(path), "--speed", "3600", "--json")
    assert status == 0, err
    document = check("samples-replay", json.loads(out))
    assert document["pushed"]["taken"] == 4000
    assert document["pushed"]["late"] == 0
    state = web.client.get(f"/api/replays/{document['lane']}").json()
    assert state["from"] == "2026-03-04T18:00:00+00:00"
    assert document["warnings"] is None or document["warnings"] == []


def test_a_replay_goes_on_where_it_was(web: Served, tmp_path: Path) -> None:
    path = day(tmp_path, 360)
    process = start(web.port, "replay", str(path), "--speed", "600", "--lane", "replay-a")
    store = open_sample_store(web.installation.settings)
    try:
        arrived = threading.Event()
        for _ in range(2_000):
            known = find_replay(store, "replay-a")
            if known and known.position > known.began.add(minutes=10):
                break
            arrived.wait(0.01)
        process.kill()
        process.communicate(timeout=10)
        stopped = find_replay(store, "replay-a")
        assert stopped is not None
        assert stopped.ended_at is None
        pushed = len(figures_of(web, "replay-a"))
        assert 50 <= pushed < 360
        status, out, err = type_(web, "replay", str(path), "--speed", "36000", "--lane", "replay-a", "--json")
        assert status == 0, err
        document = json.loads(out)
        assert document["pushed"]["taken"] == 360 - pushed
        assert [value for _, value in figures_of(web, "replay-a")] == list(range(360))
        over = find_replay(store, "replay-a")
        assert over is not None
        assert over.began == stopped.began
    finally:
        store.close()


def test_a_replay_waits_for_a_server_that_is_away(home: Path, tmp_path: Path, free_port: Callable[[], int]) -> None:
    port, path = free_port(), day(tmp_path, 360)
    with served(home, port) as web:
        process = start(port, "replay", str(path), "--speed", "600", "--lane", "replay-a", "--json")
        store = open_sample_store(web.installation.settings)
        pause = threading.Event()
        for _ in range(2_000):
            if find_replay(store, "replay-a"):
                break
            pause.wait(0.01)
        store.close()
    with served(home, port) as web:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert [value for _, value in figures_of(web, "replay-a")] == list(range(360))
        assert json.loads(out)["pushed"]["taken"] + json.loads(out)["pushed"]["duplicates"] == 360


def test_a_token_opens_the_way_for_figures(web: Served, tmp_path: Path) -> None:
    status, out, _ = type_(web, "token", "crm", "--json")
    assert status == 0
    token: dict[str, Any] = check("samples-token", json.loads(out))
    headers = {"authorization": f"Bearer {token['token']}", "x-forwarded-for": "10.0.0.1"}
    sample = {"metric": "csat", "time": clock.now().isoformat(), "value": 4}
    assert web.client.post("/api/samples", json=[sample], headers=headers).status_code == 202
    path = day(tmp_path, 3, begin=clock.now().isoformat(), every=0.1)
    assert type_(web, "push", str(path), TOCSIN_TOKEN=token["token"])[0] == 0
    assert "nobody's" in type_(web, "push", str(path), TOCSIN_TOKEN="wrong")[2]


def test_a_position_may_be_announced_by_any_program(web: Served) -> None:
    store = open_sample_store(web.installation.settings)
    try:
        announce_position(store, "replay-b", pendulum.datetime(2026, 3, 2), clock.now())
    finally:
        store.close()
    assert web.client.get("/api/replays/replay-b").json()["speed"] == 1.0
