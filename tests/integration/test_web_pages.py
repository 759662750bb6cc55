"""The board and the incident's page: what they show, and that nothing foreign runs in them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engine.process import clock
from storage.incidents.board import list_board_rows
from storage.incidents.incidents import INCIDENT
from tests.served import Served, served

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def test_the_board_shows_who_was_called_and_what_is_next(web: Served) -> None:
    ref = web.declare("Refunds fail")
    web.post(ref, "acknowledge", {"step": "apology/trace", "as": "fenglei"})
    page = web.client.get("/").text
    for words in (
        ref,
        "Refunds fail",
        "Hour 1: apology",
        "left",
        "Called, no answer yet",
        "陈宇",
        "冯磊",
        "Next",
    ):
        assert words in page
    assert "DRILL" not in page


def test_the_incident_shows_stages_texts_receipts_and_timeline(web: Served) -> None:
    ref = web.declare()
    texts = {"en": "We are <sorry>.", "zh_CN": "我们深表歉意。"}
    web.post(ref, "draft", {"step": "apology/draft", "texts": texts}, **web.token("chenyu"))
    web.turn(ref)
    digest = web.step(ref, "apology/draft")["digest"]
    web.post(ref, "approve", {"step": "apology/approve", "digest": digest}, **web.token("alice"))
    web.turn(ref)
    evidence = "https://example.org/1"
    web.post(ref, "done", {"step": "apology/publish", "evidence": evidence, "channel": "weibo"})
    page = web.client.get(f"/incidents/{ref}").text
    for words in (
        "We are &lt;sorry&gt;.",
        "version 1",
        evidence,
        "Text approved",
        "Publications",
        "Timeline",
    ):
        assert words in page
    assert f'href="http://127.0.0.1:{web.installation.settings.prefect_port}/runs/flow-run/9f0a"' in page
    assert web.client.get("/incidents/1", follow_redirects=True).text.count("<h1>") == 1


def test_a_drill_is_marked_on_every_page(web: Served) -> None:
    ref = web.declare("Exercise", drill=True)
    assert "DRILL 演练" in web.client.get("/").text
    assert "DRILL 演练" in web.client.get(f"/incidents/{ref}").text


def test_what_people_write_is_escaped_wherever_it_is_shown(web: Served) -> None:
    ref = web.declare(EVIL, service=EVIL[:60])
    web.post(ref, "note", {"text": EVIL})
    web.post(ref, "done", {"step": "apology/trace", "evidence": f"https://x.example/{EVIL}"})
    texts = {"en": EVIL, "zh_CN": EVIL}
    web.post(ref, "draft", {"step": "apology/draft", "texts": texts}, **web.token("chenyu"))
    web.client.post("/inbox/alice", json={"title": EVIL, "message": EVIL})
    for path in ("/", f"/incidents/{ref}", "/inbox/alice", "/inbox", f"/incidents/{EVIL}", f"/?lang={EVIL}"):
        page = web.client.get(path, headers={"Accept": "text/html"}).text
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
    assert "&lt;script&gt;alert(1)" in web.client.get("/").text


def test_pages_allow_no_foreign_code_and_no_frames(web: Served) -> None:
    ref = web.declare()
    for path in ("/", f"/incidents/{ref}", "/inbox", "/nope", "/static/tocsin.css"):
        answer = web.client.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert " style=" not in answer.text
        assert not re.search(r"<script(?! src=\"/static/)", answer.text)


@pytest.mark.parametrize("path", ["/", "/incidents/INC-1", "/inbox", "/inbox/nobody", "/nope"])
def test_both_languages_are_complete(web: Served, path: str) -> None:
    web.declare("Checkout")
    headers = {"Accept": "text/html", "Accept-Language": "zh-CN,zh;q=0.9"}
    chinese, english = (
        web.client.get(path, headers=headers),
        web.client.get(path, headers={"Accept": "text/html"}),
    )
    assert '<html lang="zh-CN">' in chinese.text
    assert '<html lang="en">' in english.text
    assert len(CHINESE.findall(chinese.text)) > len(CHINESE.findall(english.text))
    for label in ("Board", "Inbox", "Due", "Timeline", "Notices", "Open incidents", "Not found", "Times in"):
        assert f">{label}" not in chinese.text


def test_a_chosen_language_and_zone_are_remembered(web: Served) -> None:
    web.declare()
    with httpx.Client(base_url=web.url, headers={"Authorization": web.token("alice")["Authorization"]}) as reader:
        assert "看板" in reader.get("/?lang=zh&tz=Europe/Berlin").text
        page = reader.get("/").text
        assert "看板" in page
        assert "Europe/Berlin" in page
        assert "Europe/Berlin" in reader.get("/?tz=../../etc/passwd").text


def test_a_stranger_sees_no_page(web: Served) -> None:
    web.declare("a secret matter")
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "203.0.113.9"}):
        for path in ("/", "/incidents/INC-1", "/inbox"):
            answer = web.client.get(path, headers={**headers, "Accept": "text/html"})
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/login?next={path}"
            assert "secret matter" not in answer.text


def test_the_board_is_quick_with_ten_thousand_incidents(web: Served) -> None:
    ref = web.declare("one of many")
    database = web.installation.database
    with database.write() as connection:
        first = dict(connection.execute(INCIDENT.select()).one()._mapping)
        many = [
            {**first, "number": n, "id": f"i-{n}", "ref": f"INC-{n}", "customers": n % 97} for n in range(2, 10_002)
        ]
        connection.execute(INCIDENT.insert(), many)

    now = clock.now()
    with database.read() as connection:
        times = []
        for _ in range(5):
            begun = time.process_time()
            found = list_board_rows(connection, web.installation.roster(), now, urgent_first=True)
            times.append(time.process_time() - begun)
    assert len(found) == 50
    assert found[0]["impact"]["customers"] == 96
    assert min(times) < 0.2, times
    assert web.show(ref)["title"] == "one of many"


def test_pages_and_lists_read_from_every_database(home: Path, free_port: Callable[[], int], database_url: str) -> None:
    with served(home, free_port(), database_url=database_url) as web:
        first = web.declare("Refunds fail", impact={"customers": 3})
        web.declare("Exercise", drill=True)
        web.turn(first)
        listed = web.client.get("/api/incidents", params={"status": "all", "before": "INC-2"}).json()["incidents"]
        assert [row["ref"] for row in listed] == [first]
        assert listed[0]["next"]["id"] == "apology/draft"
        assert web.show(first)["stages"][0]["state"] == "running"
        for path in ("/", "/?all=true", f"/incidents/{first}"):
            assert "Refunds fail" in web.client.get(path).text
        assert web.client.get("/api/figures").json()["open_incidents"] == 2
        assert web.client.get(f"/api/incidents/{first}/timeline/verify").json()["ok"] is True
        assert web.client.get("/api/incidents/%00").status_code in (404, 422, 503)
