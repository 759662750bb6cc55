"""Measures that were promised: recorded, called for, late, done; and promises in public that nobody recorded."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.command_handlers import CommandRefused
from domain.commands import Acknowledge, Approve, Done, Draft
from domain.text import Text
from engine.learning import promises, read_model
from engine.learning.poll import run_due
from engine.learning.promises import Promise
from tests.installations import InstallationHarness, installation_harness, sqlite_installation_fixture  # noqa: F401

PROMISE = """
id: promise
title: Promise
stages:
  - id: s
    title: S
    ends: 4h
    steps:
      - {id: write, kind: draft, title: Write, owner: pr-lead, due: 20m, promises: true}
      - {id: pass, kind: approve, title: Pass, owner: incident-commander, of: write, needs: [write], due: 40m}
      - {id: post, kind: publish, title: Post, owner: pr-lead, of: write, needs: [pass], channels: [website-en]}
"""
SECOND_PROVIDER = Promise("technology-lead", "14d", Text("A second payment provider", "接入第二家支付服务商"))


@pytest.fixture
def installation(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    (home / "playbooks").mkdir()
    (home / "playbooks" / "promise.yaml").write_text(PROMISE, encoding="utf-8")
    with installation_harness(home, database_url) as opened:
        yield opened


def add(installation: InstallationHarness, ref: str, promised: Promise = SECOND_PROVIDER, command_id: str = "") -> str:
    given = command_id or str(uuid.uuid4())
    return promises.add_promise(
        installation.installation, ref, promised, installation.now, command_id=given, by="alice"
    ).ref


def published(installation: InstallationHarness, playbook: str) -> str:
    """An incident of that playbook whose one text is public; its reference."""
    ref = installation.declare(playbook)
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "By March we will have a second provider."})
    installation.turn()
    installation.do(ref, Acknowledge, "alice", step="s/pass")
    installation.do(ref, Approve, "alice", step="s/pass", digest=installation.snapshot(ref).steps["s/write"].digest)
    installation.turn()
    installation.deliver()
    installation.turn()
    assert str(installation.snapshot(ref).steps["s/post"].status) == "done"
    return ref


def asked(installation: InstallationHarness) -> list[dict[str, object]]:
    """The actions that ask somebody to record what was promised."""
    found = read_model.list_actions(installation.installation.learning, installation.now, running=False, late=False)[
        "actions"
    ]
    return [one for one in found if one["kind"] == "check"]


def test_a_measure_is_an_action_with_owner_and_date_and_stands_on_both_timelines(
    installation: InstallationHarness,
) -> None:
    ref = installation.declare()
    command_id = str(uuid.uuid4())
    action = add(installation, ref, command_id=command_id)
    assert add(installation, ref, command_id=command_id) == action, "the same id again"
    (fact,) = installation.facts(ref, "action-promised")
    assert fact.data == {"action": action, "title": "A second payment provider", "owner": "technology-lead"}
    assert installation.verified(ref) is None
    found = read_model.get_action(installation.installation.learning, action, installation.now)
    assert (found["origin"], found["kind"], found["owner"], found["state"]) == (ref, "measure", "fenglei", "open")
    assert found["title"] == {"en": "A second payment provider", "zh": "接入第二家支付服务商"}
    assert found["due_at"] == installation.now.add(days=14).isoformat()
    installation.deliver()
    assert [title for title in installation.titles("fenglei") if title.startswith(action)] == [
        f"{action} 请您处理：接入第二家支付服务商"
    ]


def test_overdue_it_climbs_to_the_backup_and_further_and_is_listed_as_late(installation: InstallationHarness) -> None:
    ref = installation.declare()
    action = add(installation, ref)
    installation.do(action, Acknowledge, "fenglei", step="action/do")
    installation.wait(days=14, seconds=1)
    installation.turn()
    installation.deliver()
    service = installation.installation.learning
    assert [
        one["ref"] for one in read_model.list_actions(service, installation.now, running=False, late=True)["actions"]
    ] == [action]
    assert installation.facts(action, "deadline-missed")
    assert {row.person for row in installation.rows(action)} > {"fenglei"}, "not its owner alone"
    installation.do(action, Done, "fenglei", step="action/do", evidence="https://status.example/44")
    installation.turn()
    assert str(installation.snapshot(action).incident.status) == "completed"
    assert read_model.list_actions(service, installation.now, running=True, late=True)["actions"] == []
    (one,) = read_model.list_actions(service, installation.now, running=False, late=False)["actions"]
    assert (one["state"], one["evidence"], one["done_by"]) == ("done", "https://status.example/44", "fenglei")


def test_promised_in_public_and_not_on_record_a_day_later_the_commander_is_called_once(
    installation: InstallationHarness,
) -> None:
    ref = published(installation, "promise")
    run_due(installation.installation, installation.now)
    installation.wait(hours=23, minutes=59)
    run_due(installation.installation, installation.now)
    assert asked(installation) == []
    installation.wait(minutes=2)
    run_due(installation.installation, installation.now)
    run_due(installation.installation, installation.now)
    (one,) = asked(installation)
    assert (one["origin"], one["owner"]) == (ref, "alice")
    installation.deliver()
    assert [title for title in installation.titles("alice") if "Record the measures that" in title] == [
        f"{one['ref']} Yours now: Record the measures that {ref} promised"
    ]
    installation.wait(days=3)
    run_due(installation.installation, installation.now)
    assert len(asked(installation)) == 1


def test_whoever_recorded_in_time_is_left_alone_and_so_is_a_text_without_promises(
    installation: InstallationHarness,
) -> None:
    add(installation, published(installation, "promise"))
    published(installation, "say")
    installation.wait(hours=25)
    run_due(installation.installation, installation.now)
    assert asked(installation) == []


def test_a_drill_promises_nothing_real(installation: InstallationHarness) -> None:
    ref = installation.declare(drill=True)
    found = read_model.get_action(installation.installation.learning, add(installation, ref), installation.now)
    assert found["drill"] is True


@pytest.mark.parametrize(
    ("promised", "says"),
    [
        (Promise("nobody-at-all", "14d", Text("x")), "nobody on the roster is 'nobody-at-all'"),
        (Promise("technology-led", "14d", Text("x")), "did you mean technology-lead"),
        (Promise("technology-lead", "2020-01-01", Text("x")), "2020-01-01 is in the past"),
        (Promise("technology-lead", "1y", Text("x")), "'1y' is no date: write 14d"),
        (Promise("technology-lead", "2031-01-01", Text("x")), "more than a year"),
        (Promise("technology-lead", "14d", Text(" ")), "the title is empty"),
        (Promise("technology-lead", "14d", Text("x" * 201)), "at most 200"),
    ],
)
def test_what_cannot_be_promised_is_refused_and_leaves_nothing(
    sqlite_installation: InstallationHarness, promised: Promise, says: str
) -> None:
    ref = sqlite_installation.declare()
    with pytest.raises(CommandRefused, match=says):
        add(sqlite_installation, ref, promised)
    service = sqlite_installation.installation.learning
    assert read_model.list_actions(service, sqlite_installation.now, running=False, late=False)["actions"] == []
    assert sqlite_installation.facts(ref, "action-promised") == []


def test_a_date_is_the_end_of_that_day_where_its_owner_is(sqlite_installation: InstallationHarness) -> None:
    ref = sqlite_installation.declare()
    action = add(sqlite_installation, ref, Promise("technology-lead", "2026-11-10", Text("x")))  # in Shanghai
    found = read_model.get_action(sqlite_installation.installation.learning, action, sqlite_installation.now)
    assert found["due_at"] == "2026-11-10T16:00:00+00:00"
