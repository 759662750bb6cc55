"""What comes again: on a stepped clock, in both databases."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from domain.action import Action, ActionKind
from domain.commands import Acknowledge, Cancel, Close, Done
from domain.incident import Impact
from domain.text import Text
from domain.warning.disposition import Disposition, RaisedWarning, Silence
from domain.warning.rule import Tier
from engine.learning.poll import run_due
from engine.response.actions import open_actions
from storage import documents
from storage.documents import Document
from storage.incidents import warnings
from storage.incidents.warnings import ListedWarning
from storage.learning import recurrence_store
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401

CHECKOUT = {"title": "Checkout is down", "service": "orders", "kind": "outage"}


def learn(installation: InstallationHarness) -> int:
    return run_due(installation.installation, installation.now)


def raised(installation: InstallationHarness) -> list[ListedWarning]:
    with installation.installation.database.read() as connection:
        found = warnings.list_warnings(connection, feed=None, standing_only=False)
    return [row for row in found if row.rule.startswith("recurrence:")]


def proposals(installation: InstallationHarness) -> list[Document]:
    with installation.installation.database.read() as connection:
        found = [
            documents.load_document(connection, one.id)
            for one in documents.list_documents(connection, kind="optimisation-proposal")
        ]
    return [one for one in found if one is not None]


def three(installation: InstallationHarness, **fields: Any) -> list[str]:
    """Three of a kind, a week apart, each looked at after its declaration."""
    refs = []
    for _ in range(3):
        refs.append(installation.declare(**{**CHECKOUT, **fields}))
        learn(installation)
        installation.wait(days=7)
    return refs


def test_the_third_of_a_kind_is_one_warning_and_one_proposal_and_a_fourth_updates_both(
    installation: InstallationHarness,
) -> None:
    installation.declare(**CHECKOUT)
    learn(installation)
    installation.wait(days=20)
    installation.declare(title="Orders cannot be paid at the checkout", service="orders", kind="outage")
    learn(installation)
    assert raised(installation) == []
    installation.wait(days=20)
    installation.declare(
        title="Checkout fails again", service="orders", kind="outage", impact=Impact(1200, 300, 45_000)
    )
    learn(installation)
    learn(installation)
    (row,) = raised(installation)
    assert (row.rule, row.course, row.tier, row.value, row.ref) == (
        "recurrence:outage-orders", "called", "yellow", 3.0, "WRN-4"
    )  # fmt: skip
    assert row.title == {"en": "3 times in 90 days: outage orders", "zh": "90天内第3次：outage orders"}
    (paper,) = proposals(installation)
    assert (paper.id, paper.version, paper.about) == ("optimisation-proposal/WRN-4", 1, "WRN-4")
    assert [case["ref"] for case in paper.data["cases"]] == ["INC-1", "INC-2", "INC-3"]
    assert sum(case["customers"] for case in paper.data["cases"]) == 1200
    assert installation.snapshot("WRN-4").response.playbook.id == "optimisation-proposal"
    installation.deliver()
    assert [title for title in installation.titles("erik") if title.startswith("WRN-4")] == [
        "WRN-4 Yours now: Read the proposal and complete it"
    ]

    installation.wait(days=5)
    installation.declare(**CHECKOUT)
    learn(installation)
    learn(installation)
    (row,) = raised(installation)
    assert row.value == 4.0
    (paper,) = proposals(installation)
    assert paper.version == 2
    assert [case["ref"] for case in paper.data["cases"]] == ["INC-1", "INC-2", "INC-3", "INC-5"]
    (joined,) = installation.facts("WRN-4", "warning-joined")
    assert joined.data["cases"] == ["INC-5"]
    assert installation.verified("WRN-4") is None


def test_two_unrelated_ones_give_none_nor_does_what_is_too_long_ago(installation: InstallationHarness) -> None:
    installation.declare(**CHECKOUT)
    installation.declare(title="A rude courier is filmed", service="delivery", kind="conduct")
    learn(installation)
    installation.wait(days=91)
    installation.declare(**CHECKOUT)
    installation.declare(title="Parcels are lost", service="delivery", kind="logistics")
    learn(installation)
    installation.wait(days=10)
    installation.declare(**CHECKOUT)
    learn(installation)
    assert raised(installation) == []
    assert proposals(installation) == []
    installation.wait(days=10)
    installation.declare(**CHECKOUT)  # the third within 90 days
    learn(installation)
    assert len(raised(installation)) == 1
    assert len(proposals(installation)[0].data["cases"]) == 3


def test_drills_and_cancelled_ones_never_count(installation: InstallationHarness) -> None:
    for fields in (dict[str, Any](drill=True), {}, {}):
        ref = installation.declare(**{**CHECKOUT, **fields})
    installation.do(ref, Cancel, "alice", reason="declared by mistake")
    installation.declare(**CHECKOUT)
    learn(installation)
    assert raised(installation) == []
    installation.declare(**CHECKOUT)
    learn(installation)
    assert len(raised(installation)) == 1


def test_all_that_was_missed_is_found_by_one_look_and_nothing_twice(installation: InstallationHarness) -> None:
    for _ in range(5):
        installation.declare(**CHECKOUT)
        installation.wait(days=1)
    for _ in range(3):
        installation.declare(title="支付页面打不开", service="支付")
        installation.wait(days=1)
    learn(installation)
    assert learn(installation) == 0
    found = {row.rule: row.value for row in raised(installation)}
    assert found == {"recurrence:outage-orders": 5.0, "recurrence:支付": 3.0}
    assert {paper.version for paper in proposals(installation)} == {1}


def test_the_proposal_says_what_it_cost_what_was_promised_and_whether_it_was_done(
    installation: InstallationHarness,
) -> None:
    first = installation.declare(**CHECKOUT, impact=Impact(100, 40, 2_000))
    installation.do(first, Acknowledge, "fenglei", step="s/fix")
    installation.wait(hours=2)
    installation.turn()
    installation.do(first, Done, "fenglei", step="s/fix", evidence="restarted")
    installation.do(first, Close, "alice", reason="over")
    with installation.installation.database.write() as connection:
        measure = Action(
            Text("A second payment provider"), "technology-lead", timedelta(days=5), ActionKind.MEASURE, origin=first
        )
        open_actions(connection, installation.installation.roster(), {"measure-1": measure}, installation.now)
    learn(installation)
    installation.wait(days=10)
    for _ in range(2):
        installation.declare(**CHECKOUT, impact=Impact(10, 5, 100))
    learn(installation)
    (paper,) = proposals(installation)
    cases = paper.data["cases"]
    assert [(case["customers"], case["orders"], case["money"], case["hours"]) for case in cases] == [
        (100, 40, 2000, 2.0), (10, 5, 100, 0), (10, 5, 100, 0)
    ]  # fmt: skip
    assert [(one["title"], one["state"]) for one in paper.data["promises"]] == [("A second payment provider", "open")]
    english, chinese = paper.pages["en"], paper.pages["zh"]
    assert "A second payment provider" in english
    assert '<td class="bad">late</td>' in english
    assert "120" in english  # customers of all three
    assert "Fix it" in english  # the deadline that was missed
    assert "优化提案" in chinese
    assert paper.data["owner"] == "erik"
    installation.do("ACT-2", Done, "fenglei", step="action/do", evidence="https://status.example/44")
    learn(installation)
    (paper,) = proposals(installation)
    assert paper.version == 2
    assert [one["state"] for one in paper.data["promises"]] == ["done"]


def test_when_all_was_done_and_it_comes_again_its_owner_is_called_anew(installation: InstallationHarness) -> None:
    three(installation)
    (row,) = raised(installation)
    installation.do(str(row.ref), Close, "wangjie", reason="measures carried out")
    installation.turn()
    learn(installation)
    (row,) = raised(installation)
    assert row.ended_at is not None
    installation.wait(days=3)
    installation.declare(**CHECKOUT)
    learn(installation)
    learn(installation)
    (row,) = raised(installation)
    assert (row.value, row.ended_at) == (4.0, None)
    installation.turn()
    assert [
        str(state.status) for name, state in installation.snapshot(str(row.ref)).steps.items() if name == "again/revise"
    ] == ["open"]


def test_after_the_window_it_is_over_and_counts_anew(installation: InstallationHarness) -> None:
    three(installation)
    (row,) = raised(installation)
    installation.do(str(row.ref), Close, "wangjie", reason="done")
    installation.wait(days=95)
    learn(installation)
    with installation.installation.database.read() as connection:
        assert recurrence_store.list_running_recurrences(connection) == []
    three(installation)
    assert [row.value for row in raised(installation)] == [3.0, 3.0]
    assert len(proposals(installation)) == 2


def test_a_silence_holds_it_back_until_it_is_over(installation: InstallationHarness) -> None:
    silence = Silence(id=str(uuid.uuid4()), until=installation.now.add(days=30), reason="moving house")
    with installation.installation.database.write() as connection:
        warnings.add_silence(connection, silence, installation.now)
    three(installation)
    (row,) = raised(installation)
    assert (row.course, row.ref) == ("held", None)
    installation.wait(days=10)
    learn(installation)
    (row,) = raised(installation)
    assert row.course == "called"
    (paper,) = proposals(installation)
    assert paper.about == row.ref


def ticket(installation: InstallationHarness, category: str, rule: str = "hot-topic") -> None:
    """A warning of a category of tickets, as the evaluator records it."""
    one = RaisedWarning(
        id=str(uuid.uuid4()), rule=rule, series=(("category", category),), tier=Tier.YELLOW, course=Disposition.SHOWN,
        began_at=installation.now, value=41.0,
    )  # fmt: skip
    with installation.installation.database.write() as connection:
        title = {"en": "Hot topic", "zh": "热点"}
        warnings.add_warning(connection, "", one, title=title, because=title, made_at=installation.now, link="")


def test_the_third_warning_of_a_category_of_tickets_counts_too(installation: InstallationHarness) -> None:
    for category in ("refund", "refund", "login"):
        ticket(installation, category)
        learn(installation)
        installation.wait(days=10)
    assert raised(installation) == []
    ticket(installation, "refund")
    learn(installation)
    learn(installation)
    (row,) = raised(installation)
    assert (row.rule, row.value) == ("recurrence:hot-topic-refund", 3.0)
    installation.wait(days=1)
    ticket(installation, "refund")
    learn(installation)
    (row,) = raised(installation)
    assert row.value == 4.0
    (paper,) = proposals(installation)
    assert paper.version == 2
    assert [case["value"] for case in paper.data["cases"]] == [41.0] * 4


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "a|b [x](javascript:alert(1)) `c`"])
def test_what_people_wrote_is_no_markup(installation: InstallationHarness, title: str) -> None:
    for _ in range(3):
        installation.declare(title=title, service="orders")
    learn(installation)
    (paper,) = proposals(installation)
    assert "<script>alert" not in paper.pages["en"]
    assert "[x](javascript" not in paper.texts["en"]
