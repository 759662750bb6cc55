"""`tocsin rule`: what it prints and how it ends, without a running Tocsin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from cli.rule import app
from playbooks.rulebook import SHIPPED
from web.schemas import schema

RULE = """\
id: queue
title: {en: Queue, zh: 排队}
metric: backlog
window: 1m
above: 50
owner: duty-supervisor
tests:
  - name: a long queue
    series: [{values: "10x6 60x6"}]
    expect: [{at: 1m, phase: ok}, {at: 90s, phase: firing}]
"""
SHIPPED_FEW = [str(SHIPPED / f"{name}.yaml") for name in ("tier-1-response-time", "red-words")]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    (home / "rules").mkdir()


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "rules" / "queue.yaml"
    path.write_text(RULE, encoding="utf-8")
    return path


def type_(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_lint_of_sound_files_is_one_line_and_0(file: Path) -> None:
    done = type_("lint", str(file), *SHIPPED_FEW)
    assert (done.exit_code, done.stdout.strip()) == (0, "3 rules are sound")


def test_lint_says_each_mistake_on_its_line_and_ends_1(file: Path) -> None:
    file.write_text(RULE.replace("above: 50", "above: 50%") + "starts: nobody\ninhibits: [tier-9]\n", encoding="utf-8")
    done = type_("lint", str(file))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{file}:5", f"{file}:11"]
    answer = json.loads(type_("lint", str(file), "--json").stdout)
    jsonschema.validate(answer, schema("playbook-lint"))
    assert answer["ok"] is False


def test_lint_knows_the_other_rules_and_the_roster(file: Path, home: Path) -> None:
    (home / "roster.yaml").write_text(
        "people: {al: {name: Al, channels: [al]}}\nroles: {supervisor: {title: S, primary: al}}\n", encoding="utf-8"
    )
    file.write_text(RULE + "inhibits: [tier-1-response-tim]\n", encoding="utf-8")
    said = type_("lint", str(file)).stderr
    assert "owner: no role 'duty-supervisor' in the roster; did you mean supervisor?" in said
    assert "inhibits: no rule 'tier-1-response-tim'; did you mean tier-1-response-time?" in said


def test_lint_of_the_home_finds_the_broken_one(file: Path) -> None:
    file.write_text(RULE.replace("backlog", "backlogg"), encoding="utf-8")
    done = type_("lint")
    assert done.exit_code == 1
    assert done.stderr == f"{file}:3: metric: no metric 'backlogg'; did you mean backlog?\n"


def test_list_shows_the_shipped_and_the_homes(file: Path) -> None:
    lines = type_("list").stdout.splitlines()
    assert any(line.split() == ["queue", "yellow", "backlog", "Queue"] for line in lines)
    assert any(line.startswith("complaint-surge ") and " yellow/red " in line for line in lines)
    strict = type_("list", "--profile", "strict").stdout
    assert "strict-complaints" in strict
    assert "complaint-surge" not in strict
    answer = json.loads(type_("list", "--json").stdout)
    jsonschema.validate(answer, schema("rules"))
    assert {rule["id"] for rule in answer["rules"]} >= {"queue", "tier-3-complaints"}


def test_list_in_chinese(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "排队" in type_("list").stdout


def test_the_tests_of_files_pass_or_say_what_was_otherwise(file: Path) -> None:
    done = type_("test", str(file), *SHIPPED_FEW)
    assert (done.exit_code, done.stdout.strip()) == (0, "8 tests of 3 rules pass")
    file.write_text(RULE.replace("above: 50", "above: 70"), encoding="utf-8")
    done = type_("test", str(file))
    assert done.exit_code == 1
    assert done.stderr == f"{file}: queue: a long queue: at 1m30s it should be firing, and is ok\n"
    answer = json.loads(type_("test", str(file), "--json").stdout)
    jsonschema.validate(answer, schema("rule-test"))
    assert answer == {
        "ok": False,
        "tests": [
            {
                "rule": "queue",
                "name": "a long queue",
                "ok": False,
                "failures": ["at 1m30s it should be firing, and is ok"],
            }
        ],
        "findings": [],
    }


def test_a_file_that_cannot_be_read_fails_the_tests(tmp_path: Path) -> None:
    done = type_("test", str(tmp_path / "gone.yaml"))
    assert done.exit_code == 1
    assert "cannot be read: No such file or directory" in done.stderr


ANSWER = {
    "id": "tier-1-response-time",
    "title": {"en": "Tier 1", "zh": "一级预警"},
    "series": [
        {
            "labels": {"service": "orders"},
            "phase": "ok",
            "tier": None,
            "why": {"en": "ok: 20 s.", "zh": "正常：20 s。"},
        },
        {"labels": {}, "phase": "firing", "tier": "red", "why": {"en": "firing.", "zh": "预警。"}},
    ],
}


def test_explain_asks_the_api_and_says_one_sentence_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(path: str, token: str) -> dict[str, Any]:
        asked.append(path)
        return ANSWER

    jsonschema.validate(ANSWER, schema("rule"))
    monkeypatch.setattr("cli.client.get", get)
    done = type_("explain", "tier-1-response-time")
    assert done.stdout.splitlines() == ["tier-1-response-time - Tier 1", "service=orders  ok: 20 s.", "firing."]
    assert json.loads(type_("explain", "a/../b", "--json").stdout) == ANSWER
    assert asked == ["/api/rules/tier-1-response-time", "/api/rules/a%2F..%2Fb"]


def test_explain_says_when_no_figures_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.client.get", lambda path, token: {**ANSWER, "series": []})
    assert type_("explain", "x").stdout.splitlines()[1] == "no figures have come in for it yet"


def test_every_schema_has_an_example_that_obeys_it() -> None:
    for name in ("rule", "rules", "rule-test"):
        for one in schema(name)["examples"]:
            jsonschema.validate(one, schema(name))


def test_each_command_has_an_example_and_answers_programs() -> None:
    from typer.main import get_command

    commands: Any = getattr(get_command(app), "commands", {})
    assert set(commands) == {"lint", "list", "test", "backtest", "explain"}
    for name, command in commands.items():
        assert command.epilog.startswith(f"Example: tocsin rule {name} ")
        assert "--json" in {option for parameter in command.params for option in parameter.opts}


def test_a_backtest_of_a_file_says_when_it_would_have_fired(file: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.csv"
    rows = [f"2026-03-02T10:{minute:02}:00Z,{60 if 10 <= minute < 20 else 10}" for minute in range(40)]
    figures.write_text("timestamp,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    answer = json.loads(type_("backtest", str(file), str(figures), "--json").stdout)
    jsonschema.validate(answer, schema("rule-backtest"))
    assert len(answer["firings"]) == 1
    assert answer["firings"][0]["level"] == "yellow"
    assert answer["firings"][0]["from"].startswith("2026-03-02T10:1")
