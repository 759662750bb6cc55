"""What is learned over HTTP and on the command line: schemas, pages, exports that no spreadsheet carries out."""

from __future__ import annotations

import csv
import io
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.learning.plan import next_meeting
from engine.customers import import_customers
from engine.learning.poll import run_due
from engine.process import clock
from storage.customers.customer_tables import CustomerRow
from storage.incidents import incidents
from tests.served import Served, check, served, valid
from tests.typed import type_ as typed_

pytestmark = pytest.mark.calendar

ROOT = Path(__file__).parents[2]
FORMULA = '=HYPERLINK("https://evil.example";"x")'
CHECKOUT = {"service": "orders", "kind": "outage"}


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def type_(web: Served, *words: str, **environment: str) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    done = typed_(*words, environment={**clean, "TOCSIN_PORT": str(web.port), "COLUMNS": "120", **environment})
    return done.returncode, done.stdout, done.stderr


def suggest(web: Served, *texts: str) -> str:
    """An incident whose customers suggested this; its reference."""
    ref, installation = web.declare(), web.installation
    now = clock.now()
    rows: list[Any] = [{"id": f"C{number}", "contact": f"c{number}@example.com"} for number in range(len(texts))]
    import_customers.import_customers(installation.customers, ref, rows, now)
    table = CustomerRow.__table__  # type: ignore[attr-defined]
    with installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        for number, text in enumerate(texts):
            mine = (table.c.customer == f"C{number}") & (table.c.incident_id == incident_id)
            values = {"suggestion": text, "answered_at": now.add(microseconds=number), "state": "answered"}
            connection.execute(table.update().where(mine).values(values))
    run_due(installation, now)
    return ref


def test_suggestions_are_listed_answered_and_promised(web: Served) -> None:
    ref = suggest(web, "Refunds faster please", "refunds, faster please!", "More colours")
    found = valid("suggestions", web.client.get("/api/suggestions"))
    assert [(one["id"], one["voices"], one["after"]) for one in found["suggestions"]] == [
        ("SUG-1", 2, [ref]), ("SUG-2", 1, [ref])
    ]  # fmt: skip
    assert "example.com" not in json.dumps(found)
    form = {"id": str(uuid.uuid4()), "answer": "in March", "action": {"owner": "technology-lead", "due": "30d"}}
    first = valid("suggestion", web.client.post("/api/suggestions/SUG-1/answer", json=form))
    assert first == valid("suggestion", web.client.post("/api/suggestions/SUG-1/answer", json=form))
    assert [one["id"] for one in web.client.get("/api/suggestions").json()["suggestions"]] == ["SUG-2"]
    action = valid("action", web.client.get(f"/api/actions/{first['action']}"))
    assert (action["origin"], action["title"]["en"]) == ("SUG-1", "Refunds faster please")
    for name, status in (("SUG-9", 404), ("x", 404)):
        assert web.client.post(f"/api/suggestions/{name}/answer", json={"answer": "x"}).status_code == status
    wrong = {"answer": "x", "action": {"owner": "nobody", "due": "30d"}}
    answer = web.client.post("/api/suggestions/SUG-2/answer", json=wrong)
    assert (answer.status_code, "nobody on the roster" in answer.json()["error"]) == (409, True)


def test_the_command_line_does_the_same_and_its_csv_carries_no_formula(web: Served) -> None:
    suggest(web, FORMULA, "+1 for dark mode", "<script>alert(1)</script>")
    code, out, err = type_(web, "suggestions", "list", "--csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["wording"][:3] for row in rows] == ["'=H", "'+1", "<sc"]
    code, out, _ = type_(
        web, "suggestions", "answer", "SUG-2", "--answer", "=1+1", "--action", "--owner", "technology-lead",
        "--due", "2d", "--json",
    )  # fmt: skip
    action = check("suggestion", json.loads(out))["action"]  # its number depends on whether a meeting is at hand
    assert (code, action[:4]) == (0, "ACT-")
    code, out, _ = type_(web, "suggestions", "list", "--all", "--csv")
    assert "'=1+1" in out
    assert type_(web, "suggestions", "answer", "SUG-1", "--answer", "x", "--owner", "bob")[0] == 1
    code, out, _ = type_(web, "suggestions", "list", LANG="zh_CN.UTF-8")
    assert "下次产品例会" in out
    code, out, _ = type_(web, "actions", "--open", "--json")
    assert [one["ref"] for one in check("actions", json.loads(out))["actions"]] == [action]
    code, out, _ = type_(web, "suggestions", "share", "--json")
    assert check("improvement", json.loads(out))["by_suggestion"] == 1
    code, out, _ = type_(web, "suggestions", "share")
    assert "1 of 3 complaints became a recorded improvement: 33.3 % (aim 80 %)" in out


def test_a_measure_is_recorded_on_the_command_line_and_by_the_page(web: Served) -> None:
    ref = web.declare()
    code, out, err = type_(
        web, "action", "add", ref, "--title", "A second provider", "--owner", "technology-lead", "--due", "14d"
    )
    assert (code, err) == (0, "")
    assert "ACT-2 is promised: A second provider" in out
    assert "tocsin done ACT-2 action/do" in out
    code, _, err = type_(web, "action", "add", ref, "--title", "x", "--owner", "nobody", "--due", "14d")
    assert (code, err.count("\n")) == (1, 1)
    code, _, err = type_(web, "action", "add", ref, "--title", "x", "--owner", "pr-lead", "--due", "2020-01-01")
    assert (code, "in the past" in err) == (1, True)
    code, out, _ = type_(web, "action", "show", "ACT-2")
    assert "A second provider" in out
    assert type_(web, "action", "show", ref)[0] == 1

    page = web.client.get(f"/incidents/{ref}/promise")
    assert '<option value="product-owner">' in page.text
    form = {"command": str(uuid.uuid4()), "title": "<b>Bold</b>", "owner": "pr-lead", "due": "7d"}
    for _ in range(2):  # sent twice
        answer = web.client.post(f"/incidents/{ref}/promise", data=form)
        assert answer.status_code == 303
    shown = web.client.get(f"/incidents/{ref}").text
    assert "&lt;b&gt;Bold&lt;/b&gt;" in shown
    found = valid("actions", web.client.get("/api/actions", params={"origin": ref, "open": True}))
    assert [one["title"]["en"] for one in found["actions"]] == ["<b>Bold</b>", "A second provider"]
    foreign = {"origin": "https://evil.example"}
    assert web.client.post(f"/incidents/{ref}/promise", data=form, headers=foreign).status_code == 403


def test_what_is_similar_is_said_at_the_declaration_and_on_the_page_with_why(web: Served) -> None:
    first = web.declare("Checkout is down", **CHECKOUT)
    web.declare("A rude courier is filmed")
    drilled = web.declare("Checkout is down", drill=True, **CHECKOUT)
    cancelled = web.declare("Checkout is down", **CHECKOUT)
    web.post(cancelled, "cancel", {"reason": "by mistake"})
    # What compares is loaded by the first who asks; the command line waits for an answer no longer than a moment.
    assert web.client.get(f"/api/incidents/{first}/similar").status_code == 200
    code, out, _ = type_(web, "declare", "--title", "Checkout fails again", "--service", "orders", "--kind", "outage")
    assert code == 0
    (line,) = [line for line in out.splitlines() if "like it" in line]
    assert f"{first} of" in line
    assert "same service: orders" in line
    assert drilled not in out
    assert cancelled not in out
    found = valid("similar", web.client.get("/api/incidents/INC-5/similar"))
    (one,) = found["similar"]
    assert (one["ref"], one["reasons"]["zh"][:2]) == (first, ["同一类型：outage", "同一服务：orders"])
    page = web.client.get("/incidents/INC-5").text
    assert "Past incidents like this one" in page
    assert "same service: orders" in page
    assert web.client.get("/api/incidents/INC-99/similar").status_code == 404
    code, out, _ = type_(web, "declare", "--title", "Checkout fails", "--service", "orders", "--json")
    assert set(json.loads(out)) == {"id", "ref", "status"}, "what programs read stays as it was"


def test_a_proposal_is_on_the_page_of_its_warning(web: Served) -> None:
    for _ in range(3):
        web.declare("Checkout is down", **CHECKOUT)
    run_due(web.installation, clock.now())
    (one,) = valid("recurrences", web.client.get("/api/recurrences"))["recurrences"]
    assert (one["warning"], one["cases"], one["document"]) == ("WRN-4", 3, "optimisation-proposal/WRN-4")
    assert "/documents/optimisation-proposal/WRN-4" in web.client.get("/incidents/WRN-4").text
    paper = web.client.get(f"/documents/{one['document']}")
    assert "Checkout is down" in paper.text
    valid("warnings", web.client.get("/api/warnings"))
    _, out, _ = type_(web, "recurrences")
    assert "3 times in 90 days: outage orders" in out


def test_the_meeting_as_a_calendar_takes_it(web: Served) -> None:
    suggest(web, "Refunds faster please")
    service = web.installation.learning
    run_due(web.installation, next_meeting(service.plan, clock.now()).subtract(hours=1))
    (one,) = web.client.get("/api/documents", params={"kind": "product-meeting"}).json()["documents"]
    answer = web.client.get(f"/documents/{one['id']}/agenda.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "BEGIN:VEVENT" in answer.text
    assert "Refunds faster please" in web.client.get(f"/documents/{one['id']}").text
    for name in ("product-meeting/none", "optimisation-proposal/WRN-4"):
        assert web.client.get(f"/documents/{name}/agenda.ics").status_code == 404


def test_the_share_of_a_span(web: Served) -> None:
    suggest(web, "Refunds faster please")
    found = valid("improvement", web.client.get("/api/improvement"))
    assert (found["complaints"], found["share"], found["aim"]) == (1, 0.0, 0.8)
    past = {"from": "2020-01-01T00:00:00+08:00", "to": "2020-02-01T00:00:00+08:00"}
    assert valid("improvement", web.client.get("/api/improvement", params=past))["share"] is None
    turned = {"from": past["to"], "to": past["from"]}
    assert web.client.get("/api/improvement", params=turned).status_code == 409
    assert web.client.get("/api/improvement", params={"from": "yesterday"}).status_code == 422
