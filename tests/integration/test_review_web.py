"""Reports and retrospectives by page, API and command line, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.commands import Close
from engine.process import clock
from engine.response import commands
from storage.samples import sample_store as store
from storage.samples.sample_store import SampleBatch, canonical_labels, to_micros
from tests.served import Served, check, served, valid
from tests.typed import type_ as typed_

pytestmark = pytest.mark.calendar

ROOT = Path(__file__).resolve().parents[2]
EVIL = "<script>alert(1)</script>"


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def type_(web: Served, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody types it."""
    return typed_(*words, environment={**os.environ, "TOCSIN_PORT": str(web.port), "LANG": "C", **environment})


def closed(web: Served, title: str = "Checkout is down") -> str:
    ref = web.declare(title, playbook="service-outage")
    command = Close(id=f"close-{ref}", incident=ref, by="alice", reason="solved")
    commands.carry_out_command(web.installation, command, clock.now())
    return ref


def test_a_report_is_made_listed_and_shown(web: Served) -> None:
    assert valid("documents", web.client.get("/api/documents")) == {"documents": []}
    made = valid("document", web.client.post("/api/reports", json={"kind": "weekly-service-review"}))
    listed = valid("documents", web.client.get("/api/documents", params={"kind": "weekly-service-review"}))
    assert [one["id"] for one in listed["documents"]] == [made["id"]]
    assert valid("document", web.client.get(f"/api/documents/{made['id']}"))["data"]["kind"] == "weekly-service-review"
    english = web.client.get(made["page"], params={"lang": "en"})
    chinese = web.client.get(made["page"], params={"lang": "zh_CN"})
    assert "Weekly service-value review" in english.text
    assert "每周服务价值评审" in chinese.text
    assert "script-src" not in english.headers["content-security-policy"]
    assert english.headers["content-security-policy"].startswith("default-src 'none'")
    assert made["id"] in web.client.get("/documents").text
    found = valid("reports", web.client.get("/api/reports"))
    assert {one["kind"] for one in found["kinds"]} >= {"daily-figures", "playbook-revision"}
    assert found["runs"] == []  # made on demand, nobody was called


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"kind": "monthly-service-report", "period": "2026-13"}, 409, "write it as 2026-10"),
        ({"kind": "monthly-service-report", "period": "2099-01"}, 409, "has not begun yet"),
        ({"kind": "gossip"}, 422, "kind"),
        ({"kind": "monthly-service-report", "month": "2026-10"}, 422, "month"),
    ],
)
def test_what_cannot_be_made_says_why(web: Served, form: dict[str, str], status: int, words: str) -> None:
    assert words in valid("error", web.client.post("/api/reports", json=form), status)["error"]


def test_what_is_not_there_says_how_to_find_it(web: Served) -> None:
    for path in ("/api/documents/monthly-service-report/2020-01", "/api/documents/none/such"):
        assert "tocsin report list" in valid("error", web.client.get(path), 404)["error"]
    ref = web.declare()
    assert "tocsin retrospective" in valid("error", web.client.get(f"/api/incidents/{ref}/retrospective"), 404)["error"]
    assert web.client.get("/documents/none/such", headers={"accept": "text/html"}).status_code == 404


def test_strangers_read_no_documents(web: Served) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    for path in ("/api/documents", "/api/reports", "/api/levels", "/documents"):
        assert web.client.get(path, headers=wrong).status_code == 401
    assert web.client.post("/api/reports", json={"kind": "daily-figures"}, headers=wrong).status_code == 401


def test_a_retrospective_by_the_api(web: Served) -> None:
    ref = closed(web, EVIL)
    path = f"/api/incidents/{ref}/retrospective"
    form: dict[str, Any] = {
        "words": {"cause": EVIL},
        "action": {"id": "a-1", "title": "Watch it", "owner": "technology-lead", "due": "14d"},
        "as": "alice",
    }
    written = valid("retrospective", web.client.post(path, json=form))
    assert written["action"].startswith("ACT-")
    assert written["review"].startswith("REV-")
    again = valid("retrospective", web.client.post(path, json=form))
    assert again["action"] == ""  # the same id: it is on record already
    document = valid("document", web.client.get(path))
    assert len(document["data"]["actions"]) == 1
    page = web.client.get(document["page"]).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for wrong, words in (
        ({"words": {"blame": "x"}}, "no section 'blame'"),
        ({"action": {**form["action"], "id": "a-2", "owner": "plumber"}}, "nobody is 'plumber'"),
        ({"action": {**form["action"], "id": "a-3", "due": "soon"}}, "due:"),
    ):
        assert words in valid("error", web.client.post(path, json=wrong), 409)["error"]


def test_the_three_levels(web: Served) -> None:
    """Level 1: 0.95 of 100 and 0.85 of 100 contacts were in time, (95 + 85) / 200 = 90 %: the objective, just."""
    now = clock.now()
    figures = store.open_sample_store(web.installation.settings)
    batch = SampleBatch()
    for minutes, share in ((10, 0.95), (20, 0.85)):
        batch.add(
            ("level_attainment", canonical_labels({"level": "1"})),
            to_micros(now.subtract(minutes=minutes)),
            share,
            100.0,
        )
    figures.take([batch], now)
    figures.close()
    (first, second, third) = valid("levels", web.client.get("/api/levels", params={"days": 2}))["levels"]
    assert (first["share"], first["met"], first["objective"], first["within_seconds"]) == (
        pytest.approx(0.9), first["share"] >= 0.9, 0.9, 900.0,
    )  # fmt: skip
    assert (second["share"], third["share"]) == (None, None)


def test_commands(web: Served, tmp_path: Path) -> None:
    ref = closed(web)
    made = type_(web, "report", "make", "monthly-service-report", "--html", str(tmp_path / "report.html"))
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    shown = type_(web, "report", "show", "monthly-service-report", LANG="zh_CN.UTF-8")
    assert shown.stdout.startswith("# 月度服务报告")
    check("document", json.loads(type_(web, "report", "show", "monthly-service-report", "--json").stdout))
    check("reports", json.loads(type_(web, "report", "list", "--json").stdout))
    assert "monthly-service-report" in type_(web, "report", "list").stdout
    written = type_(
        web, "retrospective", ref, "--cause", "a certificate", "--action", "Watch it", "--owner", "technology-lead",
        "--as", "alice",
    )  # fmt: skip
    assert "on record" in written.stdout, written.stderr
    check("retrospective", json.loads(type_(web, "retrospective", ref, "--json").stdout))
    assert "a certificate" in type_(web, "retrospective", ref).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "show", "weekly-service-review"), "there is no weekly-service-review yet"),
        (("report", "make", "gossip"), "kind"),
        (("report", "make", "daily-figures", "--period", "yesterday"), "write it as 2026-10-31"),
        (("retrospective", "INC-99"), "there is no incident 'INC-99'"),
        (("retrospective", "INC-1", "--action", "Watch it"), "an action needs an owner"),
    ],
)
def test_a_command_that_cannot_be_is_one_line(web: Served, words: tuple[str, ...], said: str) -> None:
    done = type_(web, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_reviews_file_is_a_finding_and_the_shipped_plan_holds(web: Served, home: Path) -> None:
    (home / "reviews.yaml").write_text("timezone: Mars/Olympus\nweekly: [csat]\n", encoding="utf-8")
    assert valid("reports", web.client.get("/api/reports"))["zone"] == "Asia/Shanghai"
    (found,) = [line for line in web.client.get("/api/figures").json()["findings"] if "reviews.yaml" in line][:1]
    assert "retrospective" in found or "timezone" in found
