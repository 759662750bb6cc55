"""The built-in inbox: real Apprise addresses deliver to it, people and programs read it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import apprise
import httpx
import pytest

from tests.served import Served, served, valid
from web.pages.inbox_store import MOST_KEPT, InboxStore


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def test_a_real_apprise_address_delivers(web: Served) -> None:
    sender = apprise.Apprise()
    assert sender.add(f"json://127.0.0.1:{web.port}/inbox/alice")
    assert sender.notify(title="Yours now <b>", body="Look: http://127.0.0.1:1/a/x.y-z. Then go.")
    found = valid("letters", web.client.get("/inbox/api/messages"))["messages"]
    assert [(letter["id"], letter["name"], letter["title"]) for letter in found] == [(1, "alice", "Yours now <b>")]
    assert datetime.fromisoformat(found[0]["received_at"]).utcoffset() is not None
    page = web.client.get("/inbox/alice").text
    assert "Yours now &lt;b&gt;" in page
    assert '<a href="http://127.0.0.1:1/a/x.y-z" rel="noreferrer">' in page
    assert "/inbox/alice" in web.client.get("/inbox").text


def test_a_publication_gets_a_receipt_with_its_address(web: Served) -> None:
    document = {"title": "", "message": "We are sorry."}
    answer = valid("received", web.client.post("/inbox/public/website-en", json=document))
    assert answer == {"id": "1", "url": f"{web.url}/inbox/public/website-en#1"}
    page = web.client.get(answer["url"].partition("#")[0]).text
    assert 'id="1"' in page
    assert "We are sorry." in page


def test_programs_read_on_from_where_they_were(web: Served) -> None:
    for number in range(5):
        web.client.post(f"/inbox/{'alice' if number % 2 else 'bob'}", json={"message": str(number)})
    since = valid("letters", web.client.get("/inbox/api/messages", params={"since": 2}))["messages"]
    assert [letter["body"] for letter in since] == ["2", "3", "4"]
    alice = valid("letters", web.client.get("/inbox/api/messages", params={"name": "alice"}))["messages"]
    assert [letter["body"] for letter in alice] == ["1", "3"]


def test_what_is_no_letter_is_refused(web: Served) -> None:
    as_json = {"Content-Type": "application/json"}
    assert web.client.post("/inbox/alice", data={"a": "b"}).status_code == 415
    assert web.client.post("/inbox/alice", content=b"[1]", headers=as_json).status_code == 422
    assert web.client.post("/inbox/" + "x" * 200, json={}).status_code == 422
    assert web.client.post("/inbox/alice", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.get(f"{web.url}/inbox/alice", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    assert web.client.post("/inbox/alice", content=b'{"title": "\\ud800"}', headers=as_json).status_code == 200
    assert len(web.client.get("/inbox/api/messages").json()["messages"]) == 1


def test_it_never_waits_for_a_writer_of_the_truth(web: Served) -> None:
    with sqlite3.connect(web.installation.settings.home / "tocsin.db", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert web.client.post("/inbox/alice", json={"message": "now"}).status_code == 200
        assert time.monotonic() - begun < 5  # a writer would wait for 20 s
        writer.execute("ROLLBACK")


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    letterbox = InboxStore(tmp_path / "inbox.db")
    for number in range(MOST_KEPT + 600):
        letterbox.put("alice", "2026-11-22T00:00:00+00:00", {"message": str(number)})
    kept = letterbox.read(limit=MOST_KEPT * 2)
    assert MOST_KEPT <= len(kept) <= MOST_KEPT + 500
    assert kept[-1]["body"] == str(MOST_KEPT + 599)
    letterbox.close()
    again = InboxStore(tmp_path / "inbox.db")
    assert again.put("bob", "2026-11-22T00:00:00+00:00", {}) == MOST_KEPT + 601
    again.close()
