"""The command line against a real server, as a person or a program types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import Served, check, served
from tests.typed import type_ as typed_

ROOT = Path(__file__).parents[2]


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def type_(web: Served | None, *words: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    port = {"TOCSIN_PORT": str(web.port)} if web else {}
    given = {**clean, **port, "COLUMNS": "120", "TZ": "Asia/Shanghai", **environment}
    return typed_(*words, environment=given, typed=typed)


def ok(web: Served | None, *words: str, **more: str) -> str:
    done = type_(web, *words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(name: str, web: Served | None, *words: str, **more: str) -> dict[str, Any]:
    return check(name, json.loads(ok(web, *words, "--json", **more)))


def test_from_declare_to_approval(web: Served, tmp_path: Path) -> None:
    assert "INC-1 is declared" in ok(web, "declare", "--title", "Checkout is down", "--customers", "7")
    chenyu, alice = (document("roster-token", web, "roster", "token", who)["token"] for who in ("chenyu", "alice"))
    file = tmp_path / "token"
    file.write_text(alice + "\n")
    text = tmp_path / "zh.txt"
    text.write_text("我们深表歉意。\n", encoding="utf-8")
    draft = ("draft", "INC-1", "apology/draft", "--en", "We are sorry.", "--zh", str(text))
    done = ok(web, *draft, "--text", "weibo=很抱歉。", "--amount", "5", TOCSIN_TOKEN=chenyu)
    assert "handed in" in done
    web.turn("INC-1")
    asked = type_(web, "approve", "INC-1", "apology/approve", "--token-file", str(file), typed="n\n")
    assert asked.returncode == 1
    for words in ("We are sorry.", "我们深表歉意。", "很抱歉。", "website-en", "It will cost 5 CNY"):
        assert words in asked.stdout
    assert web.step("INC-1", "apology/approve")["state"] == "open"
    given = type_(web, "approve", "INC-1", "apology/approve", "--token-file", str(file), typed="y\n")
    assert given.returncode == 0, given.stderr
    assert web.step("INC-1", "apology/approve")["state"] == "done"
    own = ok(web, "show", "INC-1", LANG="zh_CN.UTF-8")
    assert "已完成" in own


def test_a_text_edited_while_it_was_read_is_not_approved(web: Served) -> None:
    web.declare()
    chenyu = web.token("chenyu")
    web.post("INC-1", "draft", {"step": "apology/draft", "texts": {"en": "One.", "zh_CN": "一。"}}, **chenyu)
    web.turn("INC-1")
    alice = document("roster-token", web, "roster", "token", "alice")["token"]
    environment = {**os.environ, "TOCSIN_PORT": str(web.port), "TOCSIN_TOKEN": alice}
    asking = subprocess.Popen(
        [sys.executable, "-u", "-m", "cli.main", "approve", "INC-1", "apology/approve"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    while "One." not in asking.stdout.readline():
        assert asking.poll() is None
    web.post("INC-1", "draft", {"step": "apology/draft", "texts": {"en": "Two.", "zh_CN": "二。"}}, **chenyu)
    _, error = asking.communicate("y\n", timeout=60)
    assert asking.returncode == 1
    assert "tocsin: " in error
    web.turn("INC-1")
    assert web.step("INC-1", "apology/approve")["digest"] == ""


def test_every_other_command(web: Served) -> None:
    web.declare()
    moves = [
        ("ack", "INC-1", "apology/trace", "--as", "fenglei"),
        ("reassign", "INC-1", "apology/trace", "--to", "erik"),
        ("done", "INC-1", "apology/trace", "--evidence", "certificate"),
        ("note", "INC-1", "the platform confirms", "--as", "alice"),
        ("impact", "INC-1", "--customers", "40"),
        ("attach", "INC-1", "public-opinion"),
        ("mitigate", "INC-1"),
        ("begin", "INC-1", "four-hour-response:correction", "--reason", "wrong time"),
        ("close", "INC-1", "--reason", "over"),
        ("reopen", "INC-1", "--reason", "not over"),
        ("cancel", "INC-1", "--reason", "declared in error"),
    ]
    for words in moves:
        assert document("changed", web, *words, "--id", f"test-{words[0]}")["changed"] is True, words
        again = ok(web, *words, "--id", f"test-{words[0]}")
        assert "nothing to change" in again, words
    assert web.show("INC-1")["impact"]["customers"] == 40
    told = ok(web, "timeline", "INC-1")
    assert "the platform confirms" in told
    assert "Alice Zhang" in told
    assert "as it was recorded" in ok(web, "timeline", "INC-1", "--verify")
    check("timeline", json.loads(ok(web, "timeline", "INC-1", "--json")))
    document("verified", web, "timeline", "INC-1", "--verify")


def test_show_and_incidents_draw_stages_with_their_clocks(web: Served) -> None:
    ok(web, "declare", "--title", "Refunds \x1b[31mfail", "--drill", "--pace", "60")
    shown, listed = ok(web, "show", "1"), ok(web, "incidents")
    for out in (shown, listed):
        assert "DRILL" in out
        assert re.search(r"[█░]{24}", out)
        assert "left" in out
        assert "\x1b" not in out
    assert "apology/approve" in shown
    assert "Called, no answer yet: 陈宇" in listed
    document("incident", web, "show", "1")
    document("incidents", web, "incidents", "--all")


def test_watch_keeps_looking_until_it_is_ended(web: Served) -> None:
    web.declare("Refunds fail")
    watching = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "incidents", "--watch"],
        cwd=ROOT,
        env={**os.environ, "TOCSIN_PORT": str(web.port), "FORCE_COLOR": "1", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        while "Refunds fail" not in (line := watching.stdout.readline()):
            assert line, watching.stderr.read() if watching.stderr else ""
        web.declare("A second one")
        while "A second one" not in (line := watching.stdout.readline()):
            assert line
    finally:
        watching.send_signal(2)
        watching.communicate(timeout=20)
    assert watching.returncode == 0


def test_with_the_web_process_down_declare_writes_to_the_database_itself(
    home: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    with served(home, port) as web:
        web.declare()
    done = type_(None, "declare", "--title", "At night", "--id", "night-1", "--json", TOCSIN_PORT=str(port))
    assert done.returncode == 0, done.stderr
    assert check("declared", json.loads(done.stdout)) == {"id": "night-1", "ref": "INC-2", "status": "open"}
    assert "as soon as the engine is back" in done.stderr
    refused = type_(None, "declare", "--title", "x", "--playbook", "nope", TOCSIN_PORT=str(port))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    other = type_(None, "ack", "INC-2", "apology/trace", TOCSIN_PORT=str(port))
    assert other.returncode == 1
    assert "tocsin up" in other.stderr
    with served(home, port) as web:
        assert web.show("INC-2")["title"] == "At night"
        again = document("declared", web, "declare", "--title", "At night", "--id", "night-1")
        assert again["ref"] == "INC-2"
        assert {notice["state"] for notice in web.show("INC-2")["notices"]} == {"pending"}


def test_refusals_are_one_line_and_exit_1(web: Served) -> None:
    web.declare()
    for words, says in [
        (("show", "INC-9"), "INC-9"),
        (("ack", "INC-1", "nope"), "no step"),
        (("approve", "INC-1", "apology/approve"), "nothing is written yet"),
        (("approve", "INC-1", "apology/trace", "--yes"), "no approve step"),
        (("draft", "INC-1", "apology/draft", "--en", "no-such-file.txt"), "there is no file"),
        (("draft", "INC-1", "apology/draft", "--text", "weibo"), "CHANNEL="),
        (("draft", "INC-1", "apology/draft"), "there is no text"),
        (("draft", "INC-1", "apology/draft", "--en", "Sorry.", "--zh", "抱歉。"), "who you are"),
        (("declare", "--title", "x", "--since", "2026-11-22T03:00:00"), "time zone"),
        (("declare", "--title", "x", "--pace", "2"), "--drill"),
        (("declare", "--title", "x", "--playbook", "four-hour"), "four-hour-response"),
        (("playbook", "show", "nope"), "nope"),
        (("roster", "token", "mallory"), "mallory"),
        (("roster", "who", "king"), "king"),
    ]:
        done = type_(web, *words)
        assert done.returncode == 1, words
        assert says in done.stderr, words
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == "", words


def test_an_altered_timeline_exits_1(web: Served) -> None:
    web.declare()
    with web.installation.database.write() as connection:
        connection.exec_driver_sql("UPDATE fact SET kind = 'noted' WHERE seq = 1")
    done = type_(web, "timeline", "INC-1", "--verify")
    assert done.returncode == 1
    assert "fact 1" in done.stderr


def test_playbooks_and_roster_need_no_server(web: Served, tmp_path: Path) -> None:
    assert "four-hour-response" in ok(None, "playbook", "list")
    document("playbooks", None, "playbook", "list")
    assert "apology" in ok(None, "playbook", "show", "four-hour-response")
    document("playbook", None, "playbook", "show", "service-outage")
    assert "sound" in ok(None, "playbook", "lint")
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: x\ntitle: T\nstages:\n  - id: a\n    ends: 1h\n    steps: [{id: s, kind: act, titel: S}]\n")
    found = type_(None, "playbook", "lint", str(broken))
    assert found.returncode == 1
    assert f"{broken}:6" in found.stderr
    findings = type_(None, "playbook", "lint", str(broken), "--json")
    assert check("playbook-lint", json.loads(findings.stdout))["ok"] is False
    assert "陈宇" in ok(None, "roster", "who", "pr-lead")
    assert "alice" in ok(None, "roster", "list")
    document("roster", None, "roster", "list")
    document("roster", None, "roster", "who", "pr-lead")
    document("playbook-lint", None, "roster", "lint")


def test_doctor_tells_what_is_wrong(web: Served, free_port: Callable[[], int]) -> None:
    done = type_(web, "doctor", "--json", TOCSIN_PREFECT_PORT=str(free_port()))
    found = {one["what"]: one for one in check("doctor", json.loads(done.stdout))["findings"]}
    assert done.returncode == 1
    assert [name for name, one in found.items() if not one["ok"]] == ["prefect"]
    assert "dead on a phone" in found["links"]["reason"]
    assert {"settings", "database", "clock", "disk", "outbox", "files", "web", "links", "versions"} <= set(found)
    assert "Python 3." in found["versions"]["reason"]
