"""GET /api/health by its schema, and `tocsin health` in both languages, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.health_view import sparkline
from engine.process import clock
from tests.served import Served, check, served, valid
from tests.typed import type_ as typed_
from web.api import health_board

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def push(web: Served, *samples: tuple[str, float, float, float], feed: str = "", **labels: str) -> None:
    """Metric, minutes ago, value, count."""
    now = clock.now()
    rows = [
        {"metric": metric, "time": now.subtract(seconds=ago * 60).isoformat(), "value": value, "count": count,
         "labels": labels}
        for metric, ago, value, count in samples
    ]  # fmt: skip
    answer = web.client.post("/api/samples", json={"samples": rows, "lane": feed})
    assert answer.status_code == 202, answer.text


def type_(web: Served, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    given = {**clean, "TOCSIN_PORT": str(web.port), "COLUMNS": "160", **environment}
    return typed_("health", *words, environment=given)


def core(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in document["core"] if one["id"] == name]
    return dict(found)


def test_an_empty_board_is_whole_and_holds_no_zero(web: Served) -> None:
    found = valid("health-board", web.client.get("/api/health"))
    assert [one["value"] for one in found["core"]] == [None] * 6
    assert [one["value"] for one in found["indices"]] == [None] * 3
    assert len(found["forecast"]["slots"]) in (96, 97)
    assert [one["kind"] for one in found["findings"]] == ["agents-unknown", "no-forecast"]
    assert found["findings"][0]["next"]["zh"] == "请上报指标 agents，或在 health.yaml 中填写 agents 或 shifts。"


def test_figures_targets_staffing_and_findings(web: Served, home: Path) -> None:
    (home / "health.yaml").write_text("agents: 10\nstandby: 3\nhandle_time: 3m\nobjective: {share: 80%, within: 20s}\n")
    push(
        web,
        ("response_time", 1, 45, 10),
        ("contacts", 1, 50, 1),
        ("csat", 2, 5, 9),
        ("csat", 2, 1, 1),
        service="orders",
    )
    found = valid("health-board", web.client.get("/api/health"))
    latency = core(found, "response-latency")
    assert (latency["value"], latency["shown"], latency["target_shown"], latency["met"]) == (45, "45 s", "30 s", False)
    assert latency["points"][-1] == 45 or latency["points"][-2] == 45
    assert (core(found, "satisfaction")["shown"], core(found, "satisfaction")["met"]) == ("90 %", True)
    staffing = found["staffing"]
    assert (staffing["contacts_an_hour"], staffing["agents_needed"], staffing["rostered"]) == (200, 14, 20)
    assert staffing["standby_to_call"] == {"call": 3, "missing": 1}
    assert staffing["answer_seconds"] is None  # ten agents for ten erlangs: a line that only grows
    assert staffing["reserve"] == {"share": 0.3, "wanted_share": 0.5, "wanted": 5, "missing": 2}
    assert [one["kind"] for one in found["findings"]] == ["standby", "reserve", "no-forecast"]
    assert all(one["next"]["en"] and one["next"]["zh"] for one in found["findings"])
    other = valid("health-board", web.client.get("/api/health", params={"service": "returns"}))
    assert core(other, "response-latency")["value"] is None


def test_a_board_is_kept_for_a_few_seconds(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    first = valid("health-board", web.client.get("/api/health"))
    push(web, ("response_time", 1, 45, 10))
    assert valid("health-board", web.client.get("/api/health")) == first
    monkeypatch.setattr(health_board, "FRESH_SECONDS", 0.0)
    assert core(valid("health-board", web.client.get("/api/health")), "response-latency")["value"] == 45


def test_a_broken_file_is_named_and_the_shipped_plan_holds(web: Served, home: Path) -> None:
    (home / "health.yaml").write_text("standby: 3\nshrinkage: 130%\n")
    found = valid("health-board", web.client.get("/api/health"))
    (line,) = found["file_findings"]
    assert "health.yaml:2: shrinkage: '130%' can never be reached; at most 100 %" in line
    assert (found["staffing"]["shrinkage"], found["staffing"]["standby"]) == (0.3, None)


def test_a_replay_has_its_own_board(web: Served) -> None:
    push(web, ("response_time", 1, 20, 1), feed="replay-day")
    position = {"position": clock.now().isoformat()}
    assert web.client.put("/api/replays/replay-day", json=position).status_code == 200
    found = valid("health-board", web.client.get("/api/health", params={"lane": "replay-day"}))
    assert core(found, "response-latency")["value"] == 20
    assert valid("error", web.client.get("/api/health", params={"lane": "replay-x"}), 404)["error"]


def test_it_is_for_those_who_may(web: Served) -> None:
    refused = web.client.get("/api/health", headers={"Authorization": "Bearer wrong"})
    assert valid("error", refused, 401)["error"]


def test_the_command_shows_it_in_both_languages(web: Served, home: Path) -> None:
    (home / "health.yaml").write_text("agents: 10\nstandby: 3\n")
    push(web, ("response_time", 1, 45, 10), ("contacts", 1, 50, 1), ("csat", 2, 5, 10))
    english = type_(web)
    assert english.returncode == 0, english.stderr
    for words in (
        "Response latency",
        "45 s",
        "≤ 30 s",
        "Service efficiency",
        "no data",
        "Call in all standby agents (3)",
    ):
        assert words in english.stdout
    chinese = type_(web, LANG="zh_CN.UTF-8")
    for words in ("响应时延", "客户情绪指数", "无数据", "呼叫全部 3 名备用坐席到岗"):
        assert words in chinese.stdout
    as_json = type_(web, "--json")
    assert core(check("health-board", json.loads(as_json.stdout)), "response-latency")["value"] == 45


def test_a_sparkline_has_gaps_and_a_middle() -> None:
    assert sparkline([0, 7, None, 3.5], 4) == "▁█ ▅"
    assert sparkline([2, 2, 2], 3) == "▄▄▄"
    assert sparkline([None] * 4, 2) == "  "
    assert sparkline([0, 2, 8, 8], 2) == "▁█"
