"""Suggestions of customers: gathered without their names, put on an agenda, answered, posted to a tracker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import pytest

from domain.command_handlers import CommandRefused
from domain.text import Text
from engine.customers import survey_answers
from engine.learning import meeting_agenda, read_model, suggestions
from engine.learning.poll import run_due
from engine.learning.promises import Promise
from storage import documents
from storage.customers.customer_tables import CustomerRow
from storage.documents import Document
from storage.learning import suggestion_store
from tests.customers import FollowUp, customer_installation, row
from tests.installations import InstallationHarness

SAID = {
    1: "Tell me when my refund is on its way",
    2: "tell me when my refund is on it's way!",
    3: "My refund: tell me when it is on its way",
    4: "希望退款进度能及时通知",
    5: "希望退款进度可以及时通知",
    6: "More colours please",
    7: "<script>alert(1)</script> =cmd|' /C calc'!A0",
    8: "Call me at 138 0013 8000 or lin@example.com about a faster refund",
}


@pytest.fixture
def installation(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    with customer_installation(home, database_url) as opened:
        yield opened


class Meeting:
    """One incident whose customers have answered, and what is made of their suggestions."""

    def __init__(self, installation: InstallationHarness, said: dict[int, str], **incident: Any) -> None:
        self.installation, self.service = installation, installation.installation.learning
        self.follow = FollowUp(installation, **incident)
        self.follow.take([row(number) for number in said])
        self.follow.close()
        for number, text in said.items():
            installation.wait(seconds=1)
            self.suggest(number, text)

    def suggest(self, number: int, text: str, **values: Any) -> None:
        """As the survey's page records it."""
        table = CustomerRow.__table__  # type: ignore[attr-defined]
        answered = {
            "suggestion": text,
            "answered_at": self.installation.now,
            "state": "answered",
            "csat": 4,
            "solved": True,
            **values,
        }
        with self.installation.installation.database.write() as connection:
            mine = (table.c.customer == f"C{number}") & (table.c.incident_id == self.follow.id)
            connection.execute(table.update().where(mine).values(answered))

    def look(self) -> int:
        return run_due(self.installation.installation, self.installation.now)

    def listed(self, *, everything: bool = False, drills: bool = False) -> list[dict[str, Any]]:
        found = read_model.list_suggestions(
            self.service, self.installation.now, everything=everything, drills=drills, limit=100
        )
        return list(found["suggestions"])

    def agendas(self) -> list[Document]:
        with self.installation.installation.database.read() as connection:
            found = [
                documents.load_document(connection, one.id)
                for one in documents.list_documents(connection, kind=meeting_agenda.KIND)
            ]
        return [one for one in found if one is not None]

    def answer(self, name: str, text: str = "yes", promised: Promise | None = None, command_id: str = "") -> Any:
        given = command_id or str(uuid.uuid4())
        return suggestions.answer_suggestion(
            self.service, name, text, self.installation.now, command_id=given, by="linyue", promised=promised
        )


def test_the_same_in_other_words_is_one_suggestion_with_its_voices(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, SAID)
    meeting.look()
    found = {one["wording"]: one["voices"] for one in meeting.listed()}
    assert found == {
        "Tell me when my refund is on its way": 3,
        "希望退款进度能及时通知": 2,
        "More colours please": 1,
        "<script>alert(1)</script> =cmd|' /C calc'!A0": 1,
        "Call me at […] or […] about a faster refund": 1,
    }
    meeting.look()
    assert {one["wording"]: one["voices"] for one in meeting.listed()} == found, "heard once"


def test_a_suggestion_that_comes_later_joins_its_group(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, {1: SAID[1], 6: SAID[6]})
    meeting.look()
    installation.wait(hours=3)
    again = Meeting(installation, {2: SAID[2]})
    again.look()
    (first, _) = again.listed()
    assert (first["voices"], first["after"]) == (2, [meeting.follow.ref, again.follow.ref])


def test_the_agenda_goes_to_the_product_owner_a_day_before_with_a_link(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, SAID)  # a Monday, 11:00 in Shanghai: the meeting is on Tuesday at ten
    meeting.look()
    (paper,) = meeting.agendas()
    assert paper.id == "product-meeting/2026-11-03"
    assert paper.title.en == "Product meeting 2026-11-03 10:00 (Asia/Shanghai)"
    assert paper.about.startswith("REV-")
    english = paper.texts["en"]
    assert english.index("Tell me when my refund") < english.index("More colours"), "most voices first"
    assert "138" not in english
    assert "example.com" not in english
    assert "<script>" not in paper.pages["en"]
    assert "客户原话" in paper.pages["zh"]
    assert not any(f"C{number}" in english for number in SAID), "nobody's number"
    installation.deliver()
    (told,) = [
        request for request in installation.receiver.at("/inbox/linyue") if paper.about in str(request.json["title"])
    ]
    assert f"/documents/{paper.id}" in str(told.json["message"])
    meeting.look()
    assert len(meeting.agendas()) == 1
    assert meeting.agendas()[0].version == 1


def test_what_was_answered_does_not_come_again_what_was_not_does(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, {1: SAID[1], 6: SAID[6]})
    meeting.look()
    meeting.answer("SUG-1", "shown in the app from March on")
    installation.wait(days=7)
    meeting.look()
    (second, first) = meeting.agendas()
    assert [first.data["groups"], second.data["groups"]] == [[1, 2], [2]]
    assert second.data["again"] == [2]
    meeting.answer("sug-2", "no: the colours are the brand's")
    installation.wait(days=7)
    meeting.look()
    assert len(meeting.agendas()) == 2, "nothing to meet for"
    assert [one["answer"] for one in meeting.listed(everything=True)] == [
        "shown in the app from March on", "no: the colours are the brand's"
    ]  # fmt: skip


def test_an_answer_may_promise_something(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, {1: SAID[1]})
    meeting.look()
    promised = Promise("technology-lead", "30d", Text("Refund status in the app"))
    command_id = str(uuid.uuid4())
    first = meeting.answer("SUG-1", promised=promised, command_id=command_id)
    again = meeting.answer("SUG-1", promised=promised, command_id=command_id)
    assert first.action_ref == again.action_ref
    (one,) = read_model.list_actions(meeting.service, installation.now, running=True, late=False)["actions"]
    assert (one["ref"], one["kind"], one["origin"], one["owner"]) == (
        first.action_ref, "suggestion", "SUG-1", "fenglei"
    )  # fmt: skip
    assert one["due_at"] == installation.now.add(days=30).isoformat()
    with pytest.raises(CommandRefused, match="has an action already"):
        meeting.answer("SUG-1", promised=promised)


@pytest.mark.parametrize(
    ("text", "promised", "says"),
    [
        ("", None, "1 to 2000 characters"),
        ("x" * 2001, None, "1 to 2000 characters"),
        ("a\x00b", None, "1 to 2000 characters"),
        ("yes", Promise("nobody-at-all", "30d"), "nobody on the roster is 'nobody-at-all'"),
        ("yes", Promise("technology-lead", "2020-01-01"), "in the past"),
        ("yes", Promise("technology-lead", "soon"), "is no date"),
        ("yes", Promise("technology-lead", "5m"), "less than an hour"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_nothing_is_recorded(
    sqlite_meeting: Meeting, text: str, promised: Promise | None, says: str
) -> None:
    with pytest.raises(CommandRefused, match=says):
        sqlite_meeting.answer("SUG-1", text, promised)
    (one,) = sqlite_meeting.listed()
    assert (one["answer"], one["action"]) == ("", "")


def test_an_unknown_suggestion_says_where_they_are(sqlite_meeting: Meeting) -> None:
    for name in ("SUG-99", "INC-1", "", "9" * 40, "１"):
        with pytest.raises(suggestion_store.UnknownSuggestion, match="tocsin suggestions list"):
            sqlite_meeting.answer(name)


@pytest.fixture
def sqlite_meeting(home: Path) -> Iterator[Meeting]:
    with customer_installation(home) as opened:
        meeting = Meeting(opened, {1: SAID[1]})
        meeting.look()
        yield meeting


def test_who_is_forgotten_takes_their_words_along(installation: InstallationHarness) -> None:
    meeting = Meeting(installation, {1: SAID[1], 2: SAID[2], 6: SAID[6]})
    meeting.look()
    for customer in ("C1", "C6"):
        survey_answers.forget_customer(meeting.follow.service, customer)
    meeting.look()
    found = {one["id"]: (one["wording"], one["voices"]) for one in meeting.listed()}
    assert found == {"SUG-1": (SAID[2], 2), "SUG-2": ("", 1)}, "another voice speaks for the group, figures stay"
    (paper,) = meeting.agendas()
    assert paper.version == 2
    assert SAID[6] not in paper.pages["en"] + paper.texts["en"]


def test_a_drill_has_an_agenda_of_its_own_and_never_meets_real_customers(installation: InstallationHarness) -> None:
    drill = Meeting(installation, {1: SAID[1]}, drill=True)
    drill.look()
    assert drill.listed() == []
    assert [one["drill"] for one in drill.listed(drills=True)] == [True]
    assert drill.agendas() == [], "its answers are not all in"
    drill.follow.run_until(73)
    drill.look()
    (paper,) = drill.agendas()
    assert paper.id == f"product-meeting/{drill.follow.ref}"
    assert "DRILL 演练" in paper.pages["en"]
    matter = installation.snapshot(paper.about).incident
    assert (matter.drill, matter.case_type) == (True, "review")
    with installation.installation.database.read() as connection:
        share = suggestion_store.compute_improvement_share(
            connection, installation.now.subtract(days=30), installation.now
        )
    assert share.complaints == 0


def test_the_calendar_entry_is_one_that_a_calendar_reads(sqlite_meeting: Meeting) -> None:
    (paper,) = sqlite_meeting.agendas()
    entry = meeting_agenda.make_calendar_entry(paper, sqlite_meeting.service.document_link(paper.id))
    (event,) = icalendar.Calendar.from_ical(entry).walk("VEVENT")
    assert event.decoded("dtstart").isoformat() == "2026-11-03T02:00:00+00:00"
    assert event.decoded("dtend").isoformat() == "2026-11-03T03:00:00+00:00"
    assert "Product meeting" in str(event["summary"])
    assert SAID[1] in str(event["description"])


def test_the_share_of_complaints_that_became_an_improvement(installation: InstallationHarness) -> None:
    """Six complaints: two by a suggestion with an action, one by its incident's measure, three by nothing."""
    meeting = Meeting(installation, {1: SAID[1], 2: SAID[2], 6: SAID[6]})
    meeting.follow.take([row(number) for number in (20, 21, 22)])
    meeting.suggest(20, "", csat=2)  # unhappy
    meeting.suggest(21, "", csat=5)  # content: no complaint
    meeting.suggest(22, "", csat=4, solved=False)  # not solved
    other = Meeting(installation, {30: "Open on Sundays"})
    meeting.look()
    begins, ends = installation.now.subtract(days=1), installation.now.add(seconds=1)

    def share() -> suggestion_store.ImprovementShare:
        with installation.installation.database.read() as connection:
            return suggestion_store.compute_improvement_share(connection, begins, ends)

    assert share() == suggestion_store.ImprovementShare(complaints=6, by_suggestion=0, by_incident=0, done=0)
    found = meeting.answer("SUG-1", promised=Promise("technology-lead", "30d"))
    assert share() == suggestion_store.ImprovementShare(6, by_suggestion=2, by_incident=0, done=0)
    from engine.learning import promises

    added = promises.add_promise(
        installation.installation, other.follow.ref, Promise("pr-lead", "14d", Text("Sunday shifts")), installation.now,
        command_id=str(uuid.uuid4()),
    )  # fmt: skip
    assert share() == suggestion_store.ImprovementShare(6, by_suggestion=2, by_incident=1, done=0)
    assert share().share == 0.5
    from domain.commands import Cancel, Done

    installation.do(found.action_ref, Done, "fenglei", step="action/do", evidence="in the app")
    assert share() == suggestion_store.ImprovementShare(6, by_suggestion=2, by_incident=1, done=2)
    installation.do(added.ref, Cancel, "alice", reason="not this year")
    assert share() == suggestion_store.ImprovementShare(6, by_suggestion=2, by_incident=0, done=2)
    with installation.installation.database.read() as connection:
        assert suggestion_store.compute_improvement_share(connection, ends, ends.add(days=9)).share is None
