"""Suggestions posted to an issue tracker: once each, again until it says yes, never after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.learning.issue_tracker import idempotency_key, judge_response, post_due
from storage.learning import suggestion_store
from tests.customers import customer_installation
from tests.installations import InstallationHarness
from tests.integration.test_learning_suggestions import SAID, Meeting

PLAN = """
meeting: {{weekday: tuesday, time: "10:00", timezone: Asia/Shanghai}}
recurrence: {{count: 3, within: 90d}}
tracker: {{url: "http://127.0.0.1:{port}/hooks/1", token_env: TRACKER_TOKEN}}
"""
TOKEN = "tracker-token-that-nobody-reads"


@pytest.fixture
def meeting(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meeting]:
    monkeypatch.setenv("TRACKER_TOKEN", TOKEN)
    with customer_installation(home, database_url) as installation:
        (home / "learning.yaml").write_text(PLAN.format(port=installation.receiver.port), encoding="utf-8")
        assert installation.installation.learning.file.findings() == []
        yield Meeting(installation, {1: SAID[1], 6: SAID[6]})


def rows(installation: InstallationHarness) -> list[Any]:
    with installation.installation.database.read() as connection:
        return suggestion_store.list_suggestions(connection, unanswered=False)


def posts(installation: InstallationHarness) -> list[Any]:
    return installation.receiver.at("/hooks/1")


def test_one_post_a_group_with_a_key_of_its_own_and_never_again_after_a_yes(meeting: Meeting) -> None:
    installation = meeting.installation
    meeting.look()
    first, second = posts(installation)
    assert {first.json["id"], second.json["id"]} == {"SUG-1", "SUG-2"}
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    keys = {row.number: idempotency_key(row) for row in rows(installation)}
    assert {post.headers["idempotency-key"] for post in (first, second)} == set(keys.values())
    assert not any(f"C{number}" in str(post.json) for post in posts(installation) for number in SAID), "nobody's number"
    assert {row.tracker for row in rows(installation)} == {"sent"}
    installation.wait(days=7)
    meeting.look()
    installation.wait(days=7)
    meeting.look()
    assert len(posts(installation)) == 2


def test_what_is_not_taken_now_is_posted_again_from_its_row(meeting: Meeting) -> None:
    installation = meeting.installation
    installation.receiver.script("/hooks/1", status=503)
    meeting.look()
    assert len(posts(installation)) == 1, "the others wait for the tracker"
    assert {(row.tracker, row.tracker_detail) for row in rows(installation)} == {("owed", "HTTP 503"), ("owed", "")}
    installation.receiver.script("/hooks/1", status=201)
    installation.wait(hours=1)
    meeting.look()
    assert len(posts(installation)) == 3
    assert {row.tracker for row in rows(installation)} == {"sent"}
    assert len({post.headers["idempotency-key"] for post in posts(installation)}) == 2


def test_a_no_is_a_no_and_is_shown(meeting: Meeting) -> None:
    meeting.installation.receiver.script("/hooks/1", status=404)
    meeting.look()
    meeting.installation.wait(days=1)
    meeting.look()
    assert {(row.tracker, row.tracker_detail) for row in rows(meeting.installation)} == {("refused", "HTTP 404")}
    assert len(posts(meeting.installation)) == 2
    assert meeting.listed()[0]["tracker"]["state"] == "refused"


def test_a_row_in_hand_is_not_taken_twice_and_given_up_by_a_kill_it_is_taken_again(meeting: Meeting) -> None:
    installation = meeting.installation
    installation.receiver.script("/hooks/1", status=503)
    meeting.look()
    installation.receiver.script("/hooks/1", status=201)
    installation.wait(hours=1)
    with installation.installation.database.read() as connection:
        found = suggestion_store.list_due_for_tracker(connection, installation.now, 10)
    with installation.installation.database.write() as connection:
        for row in found:  # a poster takes them in hand, and is killed before it has posted
            assert suggestion_store.claim_for_tracker(
                connection, row, installation.now, installation.now.add(minutes=2)
            )
            assert not suggestion_store.claim_for_tracker(
                connection, row, installation.now, installation.now.add(minutes=2)
            )
    assert post_due(meeting.service, installation.now) == 0
    installation.wait(minutes=3)
    assert post_due(meeting.service, installation.now) == 2


def test_without_its_token_nothing_is_posted_and_the_row_says_why(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKER_TOKEN")
    meeting.look()
    assert posts(meeting.installation) == []
    assert "the variable TRACKER_TOKEN holds no token" in {row.tracker_detail for row in rows(meeting.installation)}


@pytest.mark.parametrize(
    ("status", "body", "state", "receipt"),
    [
        (201, '{"html_url": "https://tracker.example.com/7"}', "sent", "https://tracker.example.com/7"),
        (200, '{"number": 7}', "sent", "7"),
        (204, "", "sent", ""),
        (200, "<html>", "sent", ""),
        (302, "", "owed", ""),
        (400, "", "refused", ""),
        (401, "", "refused", ""),
        (429, "", "owed", ""),
        (500, "", "owed", ""),
    ],
)
def test_what_an_answer_means(status: int, body: str, state: str, receipt: str) -> None:
    found = judge_response(status, body)
    assert (found.state, found.receipt) == (state, receipt)
