"""The shipped procedures, lived through by the rules themselves: can people keep up with what they ask?"""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pendulum
import pytest

import playbooks
from domain.command_handlers import handle_command
from domain.commands import Acknowledge, Approve, Close, Done, Draft
from domain.decide import decide
from domain.evolve import evolve_snapshot
from domain.facts import Fact, FactKind
from domain.incident import BEGUN_STATUSES, Incident, IncidentStatus, Response, Snapshot, StepState, StepStatus
from domain.notifications import Notification, NotificationPurpose
from domain.playbook import StepKind
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import parse_roster

START = pendulum.datetime(2026, 3, 2, 3, 0)
CALLS = frozenset(
    {
        NotificationPurpose.ASSIGN,
        NotificationPurpose.BACKUP,
        NotificationPurpose.COMMANDER,
        NotificationPurpose.LAST_RESORT,
    }
)
TROUBLE = frozenset(
    {
        NotificationPurpose.OVERDUE,
        NotificationPurpose.UPDATE_OVERDUE,
        NotificationPurpose.COMMANDER,
        NotificationPurpose.LAST_RESORT,
        NotificationPurpose.DOUBT,
    }
)
ROSTER = parse_roster(
    (Path(playbooks.__file__).parent / "sample" / "roster.yaml").read_text(encoding="utf-8"), "roster.yaml"
)
SEED = 7


class Life:
    """One incident, its owners (one to three minutes a step, the absent never) and what was sent."""

    def __init__(self, playbook: str, closes: timedelta, absent: str = "", **incident: str) -> None:
        whole = Incident("i", "INC-1", "Trouble", "critical", START, **incident)  # type: ignore[arg-type]
        self.snapshot = Snapshot(whole, Response("r", PlaybookLibrary().get(playbook), START), ROSTER)
        self.notices: list[tuple[timedelta, Notification]] = []
        self.published: Counter[str] = Counter()
        self._absent = absent
        self._closes = START + closes
        self._random = random.Random(SEED)
        self._will_do: dict[str, tuple[pendulum.DateTime, str]] = {}
        self._live()

    def sent(self, purposes: frozenset[NotificationPurpose]) -> list[tuple[str, str, str]]:
        return [(str(at), notice.purpose, notice.step) for at, notice in self.notices if notice.purpose in purposes]

    def _live(self) -> None:
        now = START
        for _ in range(2_000):
            if now >= self._closes and self.snapshot.incident.running:
                self._take(handle_command(Close(id="c", incident="i", by="alice", reason="over"), self.snapshot, now))
            self._act(now)
            decision = decide(self.snapshot, now)
            self.snapshot = decision.snapshot
            self.notices += [(now - START, notice) for notice in decision.notices]
            for notice in decision.notices:
                if notice.purpose in CALLS and notice.step and notice.person != self._absent:
                    takes = timedelta(seconds=self._random.randint(60, 180))
                    self._will_do.setdefault(notice.step, (now + takes, notice.person))
            for posting in decision.publications:
                self.published[posting.step] += 1
                data = {"channel": posting.channel, "receipt": "link"}
                self._take([Fact(FactKind.PUBLISHED, now, posting.step, "", data)])
            if self.snapshot.response.finished_at:
                return
            later = [at for at, _ in self._will_do.values()] + [self._closes] * self.snapshot.incident.running
            later += [decision.wake_at] if decision.wake_at else []
            now = now if decision.publications else min(later)
        pytest.fail("it never ended")

    def _act(self, now: pendulum.DateTime) -> None:
        for name in [name for name, (at, _) in self._will_do.items() if at <= now]:
            _, person = self._will_do.pop(name)
            state = self.snapshot.steps[name]
            if state.status in BEGUN_STATUSES:
                mine = Acknowledge(id=f"ack {name}", incident="i", by=person, step=name)
                self._take(handle_command(mine, self.snapshot, now))
                self._take(handle_command(self._work(state, person), self.snapshot, now))

    def _work(self, state: StepState, person: str) -> Draft | Approve | Done:
        plan, command = self.snapshot.plan(state), {"id": f"do {state.id}", "incident": "i", "by": person}
        if plan.kind is StepKind.DRAFT:
            texts = {"en": plan.template.en, "zh_CN": plan.template.zh}
            amount = 150_000 if state.stage == "compensation" else None
            return Draft(step=state.id, texts=texts, amount=amount, **command)
        if plan.kind is StepKind.APPROVE:
            draft = self.snapshot.related(state, plan.of or "")
            assert draft is not None
            return Approve(step=state.id, digest=draft.digest, **command)
        choice: Literal["", "no"] = "no" if self.snapshot.plan(state).attaches else ""
        return Done(step=state.id, evidence="link", choice=choice, **command)

    def _take(self, facts: list[Fact]) -> None:
        for fact in facts:
            self.snapshot = evolve_snapshot(self.snapshot, fact)


def settled(life: Life) -> bool:
    states = {state.status for state in life.snapshot.steps.values()}
    return states <= {StepStatus.DONE, StepStatus.SKIPPED} and life.snapshot.incident.status is IncidentStatus.COMPLETED


@pytest.mark.parametrize("playbook", [playbook.id for playbook in PlaybookLibrary().all()])
def test_people_who_take_three_minutes_a_step_meet_every_deadline(playbook: str) -> None:
    opens = [
        step.opens for _, step in PlaybookLibrary().get(playbook).each_step() if step.opens
    ]  # some wait for their day
    closes = max([timedelta(hours=4), *(opening + timedelta(hours=1) for opening in opens)])
    life = Life(playbook, closes, origin="public-opinion", kind="outage")
    assert settled(life)
    assert life.sent(TROUBLE) == []


def test_all_that_is_promised_to_the_public_stands_on_every_channel_in_time() -> None:
    life = Life("four-hour-response", timedelta(hours=4))
    boxes = len(ROSTER.public)
    for step in ("apology/publish", "compensation/publish", "briefing/publish-measures", "updates/publish#5"):
        assert life.published[step] == boxes, step
        state = life.snapshot.steps[step]
        assert state.done_at is not None
        assert state.done_at <= state.due_at


@pytest.mark.parametrize(
    "absent", ["alice", "chenyu", "fenglei", "gaomin", "linyue", "wangjie", "hana", "erik", "dora"]
)
def test_whoever_is_absent_is_relieved_by_their_backup_and_no_promise_is_late(absent: str) -> None:
    life = Life("four-hour-response", timedelta(hours=4), absent=absent)
    assert settled(life)
    assert life.sent(TROUBLE) == []
    owned = {state.id for state in life.snapshot.steps.values() if state.owner == absent and state.acknowledged_at}
    assert owned == {step for _, _, step in life.sent(frozenset({NotificationPurpose.BACKUP}))}
