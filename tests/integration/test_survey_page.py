"""The survey's page behind a real server: one answer, in the customer's language, whatever is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import text, update

from engine.customers.survey_schedule import run_due
from engine.process import clock
from storage.customers.affected_customers import CUSTOMER
from storage.incidents import incidents
from storage.samples.sample_store import open_sample_store
from tests.customers import CHANNELS, plan_text, row
from tests.served import Served, served, valid


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    port = free_port()
    (home / "channels.yaml").write_text(CHANNELS.replace("{port}", str(port)), encoding="utf-8")
    (home / "followup.yaml").write_text(plan_text(), encoding="utf-8")
    with served(home, port) as running:
        yield running


def followed(web: Served, *rows: dict[str, Any]) -> str:
    """An incident with these customers, closed, each of them asked; its reference."""
    ref = web.declare()
    taken = valid("customers-taken", web.post(ref, "customers", {"customers": list(rows)}))
    assert (taken["taken"], taken["bad"]) == (len(rows), [])
    assert web.post(ref, "close", {"id": "close-1", "reason": "over"}).status_code == 200
    run_due(web.installation.customers, clock.now())
    return ref


def path(web: Served, ref: str, customer: str) -> str:
    service = web.installation.customers
    with web.installation.database.read() as connection:
        query = text("SELECT id FROM customer WHERE customer = :one AND incident_id = :incident")
        found = connection.execute(
            query, {"one": customer, "incident": incidents.find_incident_id(connection, ref)}
        ).scalar_one()
    return service.make_survey_link(found).removeprefix(web.installation.settings.links_url)


def one(web: Served, ref: str, customer: str = "C1") -> dict[str, Any]:
    found = valid("customers", web.client.get(f"/api/incidents/{ref}/customers"))
    return dict(next(row for row in found["customers"] if row["customer"] == customer))


def send(web: Served, where: str, **fields: str) -> Any:
    return web.client.post(where, data={"csat": "5", "solved": "yes", **fields})


def test_a_customer_answers_once_and_the_second_time_changes_nothing(web: Served) -> None:
    ref = followed(web, row(1, language="zh"), row(2))
    where = path(web, ref, "C1")
    page = web.client.get(where)
    assert page.status_code == 200
    assert "问题是否已解决" in page.text, "in the customer's language"
    assert "Is it solved?" in web.client.get(path(web, ref, "C2")).text
    assert "Is it solved?" in web.client.get(where + "?lang=en").text
    for _ in range(3):
        web.client.get(where)
    assert one(web, ref)["state"] == "asked", "looking changes nothing"
    # A browser that sends no referrer says so of the origin too.
    answered = web.client.post(
        where, data={"csat": "4", "nps": "9", "solved": "yes", "suggestion": "更快一些"}, headers={"Origin": "null"}
    )
    assert answered.status_code == 200
    assert "感谢您的反馈" in answered.text
    again = send(web, where, csat="1", solved="no")
    assert again.status_code == 409
    assert "您已提交过回答" in again.text
    assert "您已提交过回答" in web.client.get(where).text
    kept = one(web, ref)
    assert (kept["csat"], kept["nps"], kept["solved"], kept["suggestion"]) == (4, 9, True, "更快一些")
    assert kept["complaints"] == 0


def test_an_answer_is_a_figure_too(web: Served) -> None:
    ref = followed(web, row(1), row(2))
    send(web, path(web, ref, "C1"), csat="2", nps="3")
    send(web, path(web, ref, "C2"), csat="5")
    figures = open_sample_store(web.installation.settings)
    try:
        columns, _ = figures.after(0)
        names = {series.id: (series.metric, dict(series.labels)) for series in figures.series()}
        found = sorted((names[s][0], v) for s, v in zip(columns.series.tolist(), columns.value.tolist(), strict=True))
    finally:
        figures.close()
    assert [(metric, value) for metric, value in found if metric in ("csat", "nps")] == [
        ("csat", 2.0), ("csat", 5.0), ("nps", -100.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"csat": ""}, "from 1 to 5"),
        ({"csat": "6"}, "from 1 to 5"),
        ({"csat": "0"}, "from 1 to 5"),
        ({"csat": "٤"}, "from 1 to 5"),
        ({"solved": ""}, "yes or no"),
        ({"solved": "maybe"}, "yes or no"),
        ({"nps": "11"}, "0 to 10"),
        ({"nps": "-1"}, "0 to 10"),
        ({"suggestion": "x" * 2_001}, "2,000 characters"),
    ],
)
def test_an_answer_that_cannot_be_is_asked_for_again(web: Served, fields: dict[str, str], said: str) -> None:
    ref = followed(web, row(1))
    where = path(web, ref, "C1")
    page = send(web, where, **fields)
    assert page.status_code == 422
    assert said in page.text
    assert "<form" in page.text
    assert one(web, ref)["answered_at"] is None
    assert send(web, where).status_code == 200


def test_a_script_in_a_suggestion_is_text(web: Served) -> None:
    ref = followed(web, row(1))
    where = path(web, ref, "C1")
    script = "<script>alert(1)</script>\x07\"'"
    page = send(web, where, csat="9", suggestion=script)
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    send(web, where, suggestion=script)
    assert one(web, ref)["suggestion"] == "<script>alert(1)</script>\"'", "kept as said, less the bell"
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_altered_guessed_and_foreign_links_are_refused(web: Served) -> None:
    ref = followed(web, row(1), row(2))
    where = path(web, ref, "C1")
    head, _, signature = where.removeprefix("/a/s/").partition(".")
    other = path(web, ref, "C2").removeprefix("/a/s/").partition(".")[0]
    foreign = URLSafeSerializer("0" * 64, salt="tocsin-survey").dumps("0" * 32)
    ours = web.installation.customers._signer.dumps("0" * 32)
    for bad in (where[:-2], f"/a/s/{other}.{signature}", f"/a/s/{head}", f"/a/s/{foreign}", f"/a/s/{ours}",
                "/a/s/" + "x" * 3_000, "/a/s/%00", "/a/s/1"):  # fmt: skip
        for answer in (web.client.get(bad), send(web, bad)):
            assert answer.status_code == 400, bad
            assert "not whole" in answer.text
    assert {one(web, ref, name)["state"] for name in ("C1", "C2")} == {"asked"}


def test_an_acknowledge_link_is_no_survey_and_a_survey_no_acknowledge_link(web: Served) -> None:
    ref = followed(web, row(1))
    token = path(web, ref, "C1").removeprefix("/a/s/")
    assert web.client.get(f"/a/{token}").status_code == 400
    from engine.delivery.links import AcknowledgeLink, AcknowledgeLinks

    acknowledge = (
        AcknowledgeLinks(web.installation.settings.secret_key(), web.url)
        .make_url(AcknowledgeLink("r", "s", "alice"))
        .rpartition("/")[2]
    )
    assert web.client.get(f"/a/s/{acknowledge}").status_code == 400


def test_an_expired_link_says_whom_to_turn_to(web: Served) -> None:
    ref = followed(web, row(1))
    where = path(web, ref, "C1")
    with web.installation.database.write() as connection:
        connection.execute(update(CUSTOMER).values(expires_at=clock.now() - timedelta(seconds=1)))
    for page in (web.client.get(where), send(web, where)):
        assert page.status_code == 410
        assert "contact our service" in page.text
    assert one(web, ref)["answered_at"] is None


def test_nobody_answers_before_they_were_asked(web: Served) -> None:
    ref = web.declare()
    web.post(ref, "customers", {"customers": [row(1)]})
    assert send(web, path(web, ref, "C1")).status_code == 400


def test_whoever_is_not_this_machine_needs_a_token_for_the_list_and_none_for_the_page(web: Served) -> None:
    ref = followed(web, row(1))
    far = {"X-Forwarded-For": "203.0.113.9"}
    assert web.client.get(f"/api/incidents/{ref}/customers", headers=far).status_code == 401
    assert web.client.post("/api/customers/forget", json={"customer": "C1"}, headers=far).status_code == 401
    assert web.client.get(path(web, ref, "C1"), headers=far).status_code == 200


def test_the_list_masks_contacts(web: Served) -> None:
    ref = followed(web, row(1, contact="li.wei@example.com; +8613800000000"))
    answer = web.client.get(f"/api/incidents/{ref}/customers")
    assert one(web, ref)["contact"] == "l…@e….com +86…00"
    assert "li.wei" not in answer.text
    assert "13800000000" not in answer.text


def test_bad_rows_are_named_and_good_ones_kept(web: Served) -> None:
    ref = web.declare()
    rows = [
        row(1),
        "no row",
        row(2, contact="?"),
        {**row(3), "line": 77, "language": "xx"},
        {**row(4), "zip": "1"},
        row(1),
    ]
    answer = valid("customers-taken", web.post(ref, "customers", {"customers": rows, "first_line": 10}))
    assert (answer["taken"], answer["known"]) == (1, 1)
    assert [bad["line"] for bad in answer["bad"]] == [11, 12, 77, 14]
    again = valid("customers-taken", web.post(ref, "customers", {"customers": [row(1)]}))
    assert (again["taken"], again["known"]) == (0, 1)


def test_customers_belong_to_an_incident_that_is_one(web: Served) -> None:
    assert web.post("INC-99", "customers", {"customers": [row(1)]}).status_code == 404
    ref = web.declare()
    web.post(ref, "cancel", {"id": "c", "reason": "none"})
    refused = web.post(ref, "customers", {"customers": [row(1)]})
    assert refused.status_code == 409
    assert "cancelled" in refused.json()["error"]
    unknown = web.post(web.declare(), "customers/again", {"id": "x", "customer": "C9"})
    assert unknown.status_code == 404
    assert "tocsin customers list" in unknown.json()["error"]
