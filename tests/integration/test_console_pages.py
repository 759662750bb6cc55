"""Pages of the console over HTTP: duty by hand, what is exported, what history finds, decisions and the budget."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

import pytest

from tests.full_installation import PopulatedInstallation, populated_installation


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[PopulatedInstallation]:
    with populated_installation(tmp_path_factory.mktemp("pages"), free_port()) as running:
        yield running


def shown(installation: PopulatedInstallation, path: str, role: str = "viewer") -> str:
    answer = installation.web.client.get(
        path, headers={**installation.web.session(role, "alice"), "Accept": "text/html"}
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_role_is_handed_over_from_the_page_and_taken_back(installation: PopulatedInstallation) -> None:
    headers = installation.web.session("commander", "alice")
    given = {"role": "pr-lead", "person": "erik", "hours": "4", "reason": "swapped"}
    for _ in range(2):  # pressed twice
        answer = installation.web.client.post("/duty/overrides", data=given, headers=headers)
        assert answer.status_code == 303, answer.text
    assert installation.web.installation.roster().roles["pr-lead"].primary == "erik"
    page = shown(installation, "/duty", "commander")
    (name,) = re.findall("/duty/overrides/([0-9a-f-]{36})/end", page)
    assert installation.web.client.post(f"/duty/overrides/{name}/end", headers=headers).status_code == 303
    assert installation.web.installation.roster().roles["pr-lead"].primary == "chenyu"


def test_an_export_carries_the_whole_timeline_and_no_formula(installation: PopulatedInstallation) -> None:
    evil = "=HYPERLINK(1)"
    installation.web.post(installation.ref, "note", {"text": evil, "as": "alice"})
    facts = installation.web.client.get(f"/api/incidents/{installation.ref}/timeline").json()["entries"]
    headers = installation.web.session("viewer", "alice")
    got = installation.web.client.get(f"/incidents/{installation.ref}/export.csv", headers=headers)
    assert got.headers["content-disposition"] == f'attachment; filename="{installation.ref}.csv"'
    rows = list(csv.DictReader(io.StringIO(got.text.lstrip("\ufeff"))))
    assert [int(row["seq"]) for row in rows] == [fact["seq"] for fact in facts]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    whole = installation.web.client.get(f"/incidents/{installation.ref}/export.json", headers=headers).json()
    assert (whole["incident"]["ref"], len(whole["timeline"])) == (installation.ref, len(facts))
    for kind in ("md", "html"):
        text = installation.web.client.get(f"/incidents/{installation.ref}/export.{kind}?lang=zh", headers=headers).text
        assert "备注" in text
        assert evil in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=invoices", {"Invoices are wrong"}),
        ("q=three+regions", {"Checkout is down"}),
        ("service=search", {"Search finds nothing"}),
        ("q=checkout+slow", {"Checkout is slow"}),
        ("playbook=four-hour-response", {"Checkout is down"}),
        ("q=nothing+of+the+kind", set()),
    ],
)
def test_history_finds_by_what_is_remembered(installation: PopulatedInstallation, query: str, found: set[str]) -> None:
    page = shown(installation, f"/history?{query}&lang=en")
    titles = {"Invoices are wrong", "Checkout is down", "Search finds nothing", "Checkout is slow", "Refunds are late"}
    assert {title for title in titles if f"</strong> {title}</a>" in page} == found


def test_a_month_that_is_none_is_refused_in_a_line(installation: PopulatedInstallation) -> None:
    answer = installation.web.client.get("/history?month=2026-13", headers=installation.web.session("viewer", "alice"))
    assert answer.status_code == 409
    assert "2026-10" in answer.text


def test_the_executive_sees_the_paragraph_the_decision_and_what_is_left(installation: PopulatedInstallation) -> None:
    page = shown(installation, "/executive?lang=en", "approver")
    assert "Impact: 1200 customers, 300 orders, 90000 CNY." in page
    assert "500,000 of 500,000 left" in page
    assert page.count("Approve exactly this text") == 1
    assert "Approve exactly this text" not in shown(installation, "/executive?lang=en")


def test_a_page_lives_as_a_stream_that_ends_with_its_session(installation: PopulatedInstallation) -> None:
    headers = {**installation.web.session("viewer", "erik"), "Accept": "text/event-stream"}
    with installation.web.client.stream("GET", f"/incidents/{installation.ref}", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = next(line for line in lines if line.startswith("event:"))
        assert first == "event: main"
        installation.web.post(installation.ref, "note", {"text": "seen at once", "as": "alice"})
        assert any("seen at once" in line for line in lines)
    assert installation.web.client.get("/", headers={"Accept": "text/event-stream", "Cookie": "x=y"}).status_code == 401
