"""The catalogue that ships: complete in both languages, at one with the sample roster, as promised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import apprise
import pytest

import playbooks
from domain.playbook import PERSON_STEPS, Playbook, Stage, Step, StepKind, full_step_id
from domain.roster import Roster
from domain.text import Text
from playbooks.followup_file import shipped_followup_plan
from playbooks.playbook_library import CATALOG, PlaybookLibrary
from playbooks.roster_file import find_missing_roles, parse_roster
from playbooks.status_file import shipped_status_plan as status_shipped

SAMPLE = Path(playbooks.__file__).parent / "sample"
ALL = PlaybookLibrary().all()
FOUR_HOURS = next(playbook for playbook in ALL if playbook.id == "four-hour-response")


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The tags of the sample channels, as Apprise itself reads them."""
    path = tmp_path_factory.mktemp("home") / "channels.yaml"
    path.write_text((SAMPLE / "channels.yaml").read_text(encoding="utf-8").replace("{port}", "7700"), encoding="utf-8")
    config = apprise.AppriseConfig()
    assert config.add(str(path))
    services = list(config.servers())
    assert all(service.host == "127.0.0.1" and service.port == 7700 for service in services)
    return frozenset(str(tag) for service in services for tag in service.tags)


@pytest.fixture(scope="module")
def roster(tags: frozenset[str]) -> Roster:
    return parse_roster((SAMPLE / "roster.yaml").read_text(encoding="utf-8"), "roster.yaml", tags)


def texts(thing: Any, at: str = "") -> Iterator[tuple[str, Text]]:
    if isinstance(thing, Text):
        yield at, thing
    elif isinstance(thing, tuple):
        for number, item in enumerate(thing):
            yield from texts(item, f"{at}[{number}]")
    elif is_dataclass(thing):
        for known in fields(thing):
            yield from texts(getattr(thing, known.name), f"{at}.{known.name}")


def whole(stage: Stage, step: Step) -> str:
    return f"{stage.id}/{step.id}"


def test_every_file_of_the_catalogue_is_in_force_under_its_own_name() -> None:
    assert PlaybookLibrary().findings() == []
    assert [playbook.id for playbook in ALL] == sorted(path.stem for path in CATALOG.glob("*.yaml"))
    assert {playbook.id for playbook in ALL} == {
        "four-hour-response",
        "service-outage",
        "public-opinion",
        "complaint-surge",
        "customer-follow-up",
        "service-review",
        "supervisor-word",
        "standby-agents",
        "process-retrospective",
        "executive-intervention",
        "optimisation-proposal",
        "product-meeting",
        "reallocate-resources",
        "retrospective",
        "daily-figures",
        "weekly-service-review",
        "complaint-topics",
        "monthly-service-report",
        "risk-meeting",
        "process-audit",
        "half-year-evaluation",
        "playbook-revision",
    }


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_every_text_is_there_in_both_languages(playbook: Playbook) -> None:
    for at, text in texts(playbook):
        assert bool(text.en) == bool(text.zh), f"{playbook.id}{at}"
        assert text.en.isascii() or not text.en, f"{playbook.id}{at}: Chinese among the English"
        assert not text.zh or any("\u4e00" <= char <= "\u9fff" for char in text.zh), f"{playbook.id}{at}"
    assert playbook.summary
    for stage, step in playbook.each_step():
        assert step.instruction, whole(stage, step)
        assert step.template or step.kind is not StepKind.DRAFT, whole(stage, step)


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_the_sample_roster_knows_every_role_and_each_role_has_a_backup(playbook: Playbook, roster: Roster) -> None:
    assert find_missing_roles(playbook, roster) == []
    for role in playbook.roles():
        assert roster.primary(role), role
        assert roster.backup(role), role


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_nothing_is_published_without_an_approval_of_that_text_by_another_role(playbook: Playbook) -> None:
    approvals = {
        whole(stage, step): (stage, step) for stage, step in playbook.each_step() if step.kind is StepKind.APPROVE
    }
    for stage, step in playbook.each_step():
        if step.kind is StepKind.PUBLISH:
            text = full_step_id(stage.id, step.of or "")
            needed = [approvals[need] for need in (full_step_id(stage.id, n) for n in step.needs) if need in approvals]
            assert any(full_step_id(at.id, approval.of or "") == text for at, approval in needed), whole(stage, step)
    for stage, approval in approvals.values():
        draft = next(s for at, s in playbook.each_step() if whole(at, s) == full_step_id(stage.id, approval.of or ""))
        assert approval.owner != draft.owner
        assert not approval.self_approval


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_the_people_who_write_are_never_those_who_approve(playbook: Playbook, roster: Roster) -> None:
    for stage, approval in playbook.each_step():
        if approval.kind is StepKind.APPROVE:
            draft = playbook.step(stage.id, approval.of or "")
            authors = {roster.primary(draft.owner), roster.backup(draft.owner, draft.backup)}
            approvers = {roster.primary(approval.owner), roster.backup(approval.owner, approval.backup)}
            assert not authors & approvers, whole(stage, approval)


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_whoever_is_asked_to_do_something_is_called_and_relieved(playbook: Playbook, roster: Roster) -> None:
    for stage, step in playbook.each_step():
        if step.kind in PERSON_STEPS:
            assert step.ack_within, whole(stage, step)
            owner = roster.primary(step.owner)
            assert roster.backup(step.owner, step.backup) not in (None, owner), whole(stage, step)


@pytest.mark.parametrize("playbook", ALL, ids=lambda playbook: playbook.id)
def test_a_step_is_never_due_before_what_it_needs(playbook: Playbook) -> None:
    due = {whole(stage, step): step.due or stage.repeat or stage.ends for stage, step in playbook.each_step()}
    for stage, step in playbook.each_step():
        for need in step.needs:
            assert due[full_step_id(stage.id, need)] < due[whole(stage, step)], f"{whole(stage, step)} needs {need}"


def test_a_draft_as_it_is_offered_fits_every_sample_channel(roster: Roster) -> None:
    for playbook in ALL:
        for stage, step in playbook.each_step():
            for box in roster.public.values():
                if box.limit and step.template:
                    assert len(step.template.in_(box.language)) <= box.limit, f"{whole(stage, step)} on {box.id}"


def test_the_four_hours_are_kept_as_promised() -> None:
    def due(name: str) -> timedelta:
        stage, step = name.split("/")
        return FOUR_HOURS.step(stage, step).due or FOUR_HOURS.stage(stage).ends

    assert due("apology/publish") == minutes(60)
    assert due("compensation/publish") == minutes(180)
    assert due("briefing/hold") == due("briefing/publish-measures") == minutes(240)
    assert due("containment/contain") == timedelta(hours=24)
    trace = FOUR_HOURS.step("apology", "trace")
    assert trace.needs == ()
    assert trace.opens is None, "tracing starts at the same moment as the statement"
    assert FOUR_HOURS.step("compensation", "approve").over_limit == "executive"
    assert FOUR_HOURS.stage("brief").repeat == minutes(60)
    assert FOUR_HOURS.step("brief", "paragraph").brief
    assert FOUR_HOURS.stage("closing").clock == "closed"


def test_corrections_and_withdrawals_are_steps_that_a_person_begins() -> None:
    for name in ("correction", "withdrawal"):
        assert FOUR_HOURS.stage(name).on_demand
        assert FOUR_HOURS.step(name, "publish").withdraws is (name == "withdrawal")


def test_regular_updates_come_more_often_than_the_watch_over_silence_looks() -> None:
    watch = FOUR_HOURS.never_silent
    every = FOUR_HOURS.stage("updates").repeat
    assert watch is not None
    assert every is not None
    assert (watch.within, watch.then) == (minutes(60), minutes(15))
    assert every < watch.within


def test_an_outage_is_over_within_its_objective() -> None:
    outage = PlaybookLibrary().get("service-outage")
    assert outage.objective == minutes(15) == outage.stage("restore").ends


def test_the_hour_one_backup_is_called_within_five_minutes_and_others_within_ten() -> None:
    for step in FOUR_HOURS.stage("apology").steps:
        assert step.kind not in PERSON_STEPS or step.ack_within == minutes(5), step.id
    for name in ("compensation", "briefing"):
        for step in FOUR_HOURS.stage(name).steps:
            assert step.kind not in PERSON_STEPS or step.ack_within == minutes(10), step.id


def test_the_sample_roster_is_half_chinese_and_speaks_only_in_sandboxes(roster: Roster, tags: frozenset[str]) -> None:
    chinese = [person for person in roster.people.values() if person.language == "zh_CN"]
    assert len(chinese) * 2 == len(roster.people)
    assert {name: (box.language, box.limit, box.sandbox) for name, box in roster.public.items()} == {
        "website-en": ("en", None, True),
        "website-zh": ("zh_CN", None, True),
        "weibo": ("zh_CN", 140, True),
    }
    used = {tag for person in roster.people.values() for tag in person.channels}
    to_customers = {*shipped_followup_plan().channels.values(), shipped_followup_plan().drill, status_shipped().tag}
    assert used | {box.channel for box in roster.public.values()} | to_customers == tags
