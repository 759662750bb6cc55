"""A promise is a matter: called for, reminded of, escalated when late, over as soon as it is done."""

from __future__ import annotations

from datetime import timedelta

from domain.action import Action, ActionKind
from domain.commands import Acknowledge, Done
from domain.text import Text
from engine.response.actions import open_actions
from storage.incidents import board
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
)

MEASURE = Action(
    Text("A second payment provider", "第二家支付服务商"),
    "technology-lead",
    timedelta(days=10),
    ActionKind.MEASURE,
    origin="INC-1",
)


def opened(estate: InstallationHarness, **actions: Action) -> list[str]:
    with estate.installation.database.write() as connection:
        answers = open_actions(connection, estate.installation.roster(), actions, estate.now)
    return [answer.ref for answer in answers]


def test_it_is_called_for_and_over_when_it_is_done(installation: InstallationHarness) -> None:
    (ref,) = opened(installation, **{"measure-1": MEASURE})
    assert ref == "ACT-1"
    assert opened(installation, **{"measure-1": MEASURE}) == []  # promised once
    installation.deliver()
    assert ["第二家支付服务商" in title for title in installation.titles("fenglei")] == [True]
    installation.do(ref, Acknowledge, "fenglei", step="action/do")
    installation.do(ref, Done, "fenglei", step="action/do", evidence="https://status.example/44")
    installation.turn()
    assert installation.snapshot(ref).incident.status == "completed"
    assert [entry.kind for entry in installation.facts(ref)][-3:] == ["closed", "response-finished", "completed"]
    assert installation.verified(ref) is None


def test_late_it_climbs_the_ladder(installation: InstallationHarness) -> None:
    (ref,) = opened(installation, **{"measure-1": MEASURE})
    installation.do(ref, Acknowledge, "fenglei", step="action/do")
    installation.wait(days=10, seconds=1)
    installation.turn()
    assert installation.facts(ref, "deadline-missed")
    assert {row.person for row in installation.rows(ref)} > {"fenglei"}


def test_the_board_of_alarms_does_not_list_it(installation: InstallationHarness) -> None:
    opened(installation, **{"measure-1": MEASURE})
    incident = installation.declare()
    with installation.installation.database.read() as connection:
        found = board.list_board_rows(connection, installation.installation.roster(), installation.now)
        assert board.count_open(connection) == 1
    assert [row["ref"] for row in found] == [incident]
    assert incident == "INC-2"  # all matters share their numbers


def test_a_person_may_own_it(installation: InstallationHarness) -> None:
    (ref,) = opened(
        installation, **{"measure-2": Action(Text("Call them"), "gaomin", timedelta(days=1), ActionKind.CHECK)}
    )
    assert {row.person for row in installation.rows(ref)} == {"gaomin"}
