"""The API over a real server and a real database."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.served import Served, check, served, valid
from web import schemas
from web.schemas import schema

TEXTS = {"en": "We are sorry.", "zh_CN": "我们深表歉意。"}


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def test_declare_answers_with_a_reference_and_a_retry_gets_the_same(web: Served) -> None:
    form = {"id": str(uuid.uuid4()), "title": "Checkout is down"}
    first = valid("declared", web.client.post("/api/incidents", json=form), 201)
    again = valid("declared", web.client.post("/api/incidents", json=form), 200)
    assert first == again == {"id": form["id"], "ref": "INC-1", "status": "open"}
    assert len(valid("incidents", web.client.get("/api/incidents"))["incidents"]) == 1


def test_an_incident_shows_its_stages_steps_and_notices(web: Served) -> None:
    ref = web.declare("Refunds fail", impact={"customers": 12, "orders": 3, "money": 900, "brand": 1})
    shown = web.show(ref)
    assert [stage["id"] for stage in shown["stages"]][:3] == ["apology", "compensation", "briefing"]
    assert shown["impact"] == {"customers": 12, "orders": 3, "money": 900, "brand": 1}
    assert web.step(ref, "apology/draft") | {
        "state": "open",
        "owner": "chenyu",
        "backup": "dora",
    } == web.step(ref, "apology/draft")
    assert {notice["person"] for notice in shown["notices"]} >= {"chenyu", "fenglei"}
    assert {one["id"] for one in shown["on_demand"]} == {"correction", "withdrawal"}
    for name in ("1", ref.lower(), shown["id"]):
        assert valid("incident", web.client.get(f"/api/incidents/{name}"))["ref"] == ref


def test_from_draft_to_publication(web: Served) -> None:
    ref, author, approver = web.declare(), web.token("chenyu"), web.token("alice")
    drafted = web.post(ref, "draft", {"step": "apology/draft", "texts": TEXTS, "amount": 100}, **author)
    assert valid("changed", drafted)["changed"] is True
    web.turn(ref)
    draft = web.step(ref, "apology/draft")
    assert draft["rendered"] == {
        "website-en": TEXTS["en"],
        "website-zh": TEXTS["zh_CN"],
        "weibo": TEXTS["zh_CN"],
    }
    approval = {"step": "apology/approve", "digest": draft["digest"]}
    assert web.post(ref, "approve", approval | {"digest": "0" * 64}, **approver).status_code == 409
    assert web.post(ref, "approve", approval, **author).status_code == 409  # author and approver are two people
    assert valid("changed", web.post(ref, "approve", approval, **approver))["changed"] is True
    web.turn(ref)
    posted = {row["channel"]: row for row in web.show(ref)["publications"]}
    assert set(posted) == {"website-en", "website-zh", "weibo"}
    assert posted["weibo"]["text"] == TEXTS["zh_CN"]
    assert web.step(ref, "apology/publish")["postings"] == dict.fromkeys(posted, "ordered")
    by_hand = {"step": "apology/publish", "evidence": "https://example.org/1", "channel": "weibo"}
    assert valid("changed", web.post(ref, "done", by_hand))["changed"] is True
    assert web.step(ref, "apology/publish")["receipts"] == {"weibo": "https://example.org/1"}


def test_a_rejected_text_goes_back_to_its_author(web: Served) -> None:
    ref = web.declare()
    web.post(ref, "draft", {"step": "apology/draft", "texts": TEXTS}, **web.token("chenyu"))
    web.turn(ref)
    form = {"step": "apology/approve", "reason": "say by when"}
    valid("changed", web.post(ref, "reject", form, **web.token("alice")))
    assert web.step(ref, "apology/draft")["state"] == "waiting"


def test_every_other_command_and_the_timeline(web: Served) -> None:
    ref = web.declare()
    commands: list[tuple[str, dict[str, Any]]] = [
        ("acknowledge", {"step": "apology/trace", "as": "fenglei"}),
        ("reassign", {"step": "apology/trace", "to": "erik", "as": "alice"}),
        ("done", {"step": "apology/trace", "evidence": "certificate", "as": "erik"}),
        ("note", {"text": "the platform confirms", "as": "alice"}),
        ("impact", {"impact": {"customers": 5}}),
        ("attach", {"playbook": "public-opinion"}),
        ("mitigate", {"reason": "service is back"}),
        ("begin", {"stage": "four-hour-response:correction", "reason": "wrong time"}),
        ("close", {"reason": "over"}),
        ("reopen", {"reason": "not over"}),
        ("cancel", {"reason": "declared in error"}),
    ]
    for what, form in commands:
        key = str(uuid.uuid4())
        assert valid("changed", web.post(ref, what, form | {"id": key}))["changed"] is True, what
        assert valid("changed", web.post(ref, what, form | {"id": key}))["changed"] is False, what
    told = valid("timeline", web.client.get(f"/api/incidents/{ref}/timeline"))["entries"]
    assert [entry["seq"] for entry in told] == list(range(1, len(told) + 1))
    by = {entry["kind"]: entry["by"] for entry in told if entry["step"] == "apology/trace"}
    assert (by["step-acknowledged"], by["step-reassigned"], by["step-done"]) == ("fenglei", "alice", "erik")
    assert all(entry["says"]["zh"] and entry["says"]["en"] for entry in told)
    verified = valid("verified", web.client.get(f"/api/incidents/{ref}/timeline/verify"))
    assert verified == {"ref": ref, "ok": True, "problem": None}


def test_an_altered_fact_is_found(web: Served) -> None:
    ref = web.declare()
    with sqlite3.connect(web.installation.settings.home / "tocsin.db") as file:
        file.execute("UPDATE fact SET by = 'mallory' WHERE seq = 2")
    found = valid("verified", web.client.get(f"/api/incidents/{ref}/timeline/verify"))
    assert found["ok"] is False
    assert "fact 2" in found["problem"]


def test_playbooks_figures_and_health(web: Served) -> None:
    ids = [p["id"] for p in valid("playbooks", web.client.get("/api/playbooks"))["playbooks"]]
    assert "four-hour-response" in ids
    assert valid("playbook", web.client.get("/api/playbooks/service-outage"))["id"] == "service-outage"
    web.declare()
    web.turn("INC-1")
    figures = valid("figures", web.client.get("/api/figures"))
    assert figures["open_incidents"] == 1
    assert figures["turns"] >= 0
    assert figures["outbox"]["pending"] > 0
    valid("health", httpx.get(f"{web.url}/healthz"))


def test_the_list_pages_backwards(web: Served) -> None:
    for number in range(5):
        web.declare(f"number {number}")
    path = "/api/incidents"
    first = valid("incidents", web.client.get(path, params={"status": "all", "limit": 2}))["incidents"]
    rest = valid("incidents", web.client.get(path, params={"status": "all", "before": first[-1]["ref"]}))
    assert [row["ref"] for row in (*first, *rest["incidents"])] == [
        "INC-5",
        "INC-4",
        "INC-3",
        "INC-2",
        "INC-1",
    ]


def test_the_most_harmful_comes_first_and_drills_last(web: Served) -> None:
    web.declare("cost", impact={"money": 1_000_000})
    web.declare("users", impact={"customers": 10})
    web.declare("brand", impact={"brand": 3})
    web.declare("drill", impact={"customers": 99}, drill=True)
    rows = valid("incidents", web.client.get("/api/incidents"))["incidents"]
    assert [row["title"] for row in rows] == ["users", "brand", "cost", "drill"]


BAD_DECLARATIONS = [
    ("no title", {}, 422, "title: is missing"),
    ("an empty title", {"title": "  "}, 409, "the title is empty"),
    ("a title of control characters", {"title": "\x00\x1b\x07"}, 409, "the title is empty"),
    ("a long title", {"title": "x" * 300}, 409, "at most 200"),
    ("half a character", {"title": "\ud800"}, 422, "half a character"),
    ("an unknown playbook", {"title": "t", "playbook": "four-hour-respons"}, 404, "four-hour-response"),
    (
        "a naive time",
        {"title": "t", "since": "2026-11-22T03:00:00"},
        422,
        "since: '2026-11-22T03:00:00' has no",
    ),
    ("no time at all", {"title": "t", "since": "yesterday"}, 422, "since: 'yesterday' is no time"),
    ("a far-future time", {"title": "t", "since": "2999-01-01T00:00:00Z"}, 409, "in the future"),
    ("the end of time", {"title": "t", "since": "9999-12-31T23:59:59-23:00"}, 422, "since: "),
    ("long ago", {"title": "t", "since": "1999-01-01T00:00:00Z"}, 409, "30 days ago"),
    ("an unknown field", {"titel": "t", "title": "t"}, 422, "titel: there is no such field"),
    ("a negative count", {"title": "t", "impact": {"customers": -1}}, 422, "impact.customers: "),
    ("a count beyond any", {"title": "t", "impact": {"money": 10**30}}, 422, "impact.money: "),
    ("a pace without drill", {"title": "t", "pace": {"declared": 2}}, 409, "only a drill"),
    ("an id too long", {"title": "t", "id": "x" * 65}, 422, "id: "),
    ("somebody's name in the body", {"title": "t", "by": "alice"}, 422, "by: there is no such field"),
]


@pytest.mark.parametrize(
    ("form", "status", "says"), [row[1:] for row in BAD_DECLARATIONS], ids=[r[0] for r in BAD_DECLARATIONS]
)
def test_a_bad_declaration_is_one_clear_line(web: Served, form: dict[str, Any], status: int, says: str) -> None:
    import json

    answer = web.client.post("/api/incidents", content=json.dumps(form), headers={"Content-Type": "application/json"})
    error = valid("error", answer, status)["error"]
    assert says in error
    assert "\n" not in error
    assert len(error) <= 500
    assert web.client.get("/api/incidents?status=all").json()["incidents"] == []


def test_what_is_not_json_or_too_long(web: Served) -> None:
    as_json = {"Content-Type": "application/json"}
    assert "JSON" in valid("error", web.client.post("/api/incidents", content=b"{", headers=as_json), 422)["error"]
    assert "JSON" in valid("error", web.client.post("/api/incidents", data={"title": "t"}), 415)["error"]
    huge = web.client.post("/api/incidents", json={"title": "x" * 10_000_000})
    assert "larger than" in valid("error", huge, 413)["error"]

    def parts() -> Iterator[bytes]:  # its length is not announced
        for _ in range(40):
            yield b"x" * 65_536

    streamed = web.client.post("/api/incidents", content=parts(), headers=as_json)
    assert "larger than" in valid("error", streamed, 413)["error"]
    web.declare("the next one is served")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer tocsin-nobody"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"Host": "evil.example"}, 401),
        ({"X-Forwarded-For": "203.0.113.9"}, 401),
        ({"Forwarded": "for=203.0.113.9"}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=lambda value: str(value)[:40],
)
def test_strangers_give_no_commands(web: Served, headers: dict[str, str], status: int) -> None:
    answer = web.client.post("/api/incidents", json={"title": "t"}, headers=headers)
    error = valid("error", answer, status)["error"]
    assert "tocsin-nobody" not in error
    assert web.client.get("/api/incidents?status=all").json()["incidents"] == []


def test_a_person_is_known_by_a_token_from_anywhere(web: Served) -> None:
    far = {"Host": "tocsin.example.org", "X-Forwarded-For": "203.0.113.9"}
    assert web.client.get("/api/incidents", headers=far).status_code == 401
    alice = web.token("alice")
    assert web.client.get("/api/incidents", headers=far | alice).status_code == 200
    ref = web.declare()
    valid("changed", web.post(ref, "note", {"text": "from afar"}, **far, **alice))
    told = web.client.get(f"/api/incidents/{ref}/timeline").json()["entries"]
    assert told[-1]["by"] == "alice"


def test_nobody_speaks_as_somebody_else(web: Served) -> None:
    ref, alice = web.declare(), web.token("alice")
    trace = {"step": "apology/trace"}
    assert "alice's" in web.post(ref, "acknowledge", trace | {"as": "bob"}, **alice).json()["error"]
    assert "does not know" in web.post(ref, "acknowledge", trace | {"as": "mallory"}).json()["error"]
    draft = {"step": "apology/draft", "texts": TEXTS}
    assert "who you are" in valid("error", web.post(ref, "draft", draft), 409)["error"]
    assert "as: " in valid("error", web.post(ref, "draft", draft | {"as": "chenyu"}), 422)["error"]


def test_a_new_token_ends_the_old_one(web: Served) -> None:
    old = web.token("alice")
    new = web.token("alice")
    assert web.client.get("/api/incidents", headers=old).status_code == 401
    assert web.client.get("/api/incidents", headers=new).status_code == 200


def test_unknown_things(web: Served) -> None:
    assert "INC-9" in valid("error", web.client.get("/api/incidents/INC-9"), 404)["error"]
    assert valid("error", web.client.get("/api/nothing"), 404)
    assert "tocsin" not in valid("error", web.client.get("/api/playbooks/nope"), 404)["error"].lower()
    ref = web.declare()
    assert "no step" in valid("error", web.post(ref, "acknowledge", {"step": "nope"}), 409)["error"]
    assert valid("error", web.client.get("/api/incidents", params={"limit": "many"}), 422)["error"][:6] == "limit:"


def test_a_read_only_database_is_one_line_and_reading_goes_on(web: Served) -> None:
    ref = web.declare()
    engine = web.installation.database.engine

    from sqlalchemy import event

    @event.listens_for(engine, "checkout")
    def read_only(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA query_only=ON")

    try:
        error = valid("error", web.client.post("/api/incidents", json={"title": "t"}), 503)["error"]
        assert "read-only" in error
        assert web.show(ref)["ref"] == ref
    finally:
        event.remove(engine, "checkout", read_only)


def test_the_api_describes_itself(web: Served) -> None:
    document = web.client.get("/api/openapi.json").json()
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert operation["summary"], f"{verb} {path}"
            assert operation.get("description"), f"{verb} {path}"
            said = [code for code in operation["responses"] if code.startswith("2")]
            content = operation["responses"][said[0]]["content"]
            if path != "/metrics":  # in Prometheus' own format
                assert content["application/json"]["schema"], f"{verb} {path}"
            if path.startswith("/api/incidents") and verb == "post":
                assert {"401", "404", "409", "413", "422", "503"} <= set(operation["responses"]), path


def test_every_schema_is_sound_and_so_are_its_examples() -> None:
    names = [path.stem for path in Path(schemas.__file__).parent.glob("*.json")]
    assert names
    for name in names:
        Draft202012Validator.check_schema(schema(name))
        for document in schema(name).get("examples", []):
            check(name, document)
