"""Expected course of one step: whom it calls, in what window, who takes it, when it is done.

Plain arithmetic from the playbook's own rules and nothing else, so that it is a second opinion on the
engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from domain.notifications import NotificationPurpose
from domain.playbook import PERSON_STEPS, Playbook, Stage, Step, StepKind
from domain.roster import Roster
from engine.rehearsal.expected_notices import ExpectedNotice, ExpectedPublication
from engine.rehearsal.personas import EscalationCall, PersonaTask, make_task
from engine.rehearsal.step_schedule import ScheduledStep, to_seconds
from engine.rehearsal.time_bounds import NEVER, NOT_EVER, TimeBounds


class OwnerBehaviour(Protocol):
    """Behaviour of owners: as their personas say, or as they really acted."""

    def first_to_acknowledge(self, task: PersonaTask, calls: Sequence[EscalationCall]) -> tuple[str, TimeBounds]:
        """Find who acknowledges of those called so far, and when."""
        ...

    def finished_by(self, task: PersonaTask, person: str, acknowledged: TimeBounds) -> tuple[str, TimeBounds]:
        """Find who does the step, and when."""
        ...

    def received_at(self, step: str, purpose: NotificationPurpose, person: str) -> float | None:
        """When a call was received, if it was."""
        ...

    def published_at(self, step: str, opened: TimeBounds) -> TimeBounds:
        """When a publication stood on all its channels."""
        ...

    def draft_cost(self, draft: str) -> int | None:
        """What a draft costs, if it says so."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectationContext:
    """What the expectations of all steps have in common."""

    playbook: Playbook
    roster: Roster
    behaviour: OwnerBehaviour
    about: Mapping[str, str]  # the incident's fields, for `when`
    slack: float = 0.0  # how much later than due a message counts as in time
    prompt: float = 0.0  # how much later than due something may be decided
    after: float = 1.0  # so many times faster goes the clock after the close, and with it both of these

    def at_stage(self, stage: Stage) -> ExpectationContext:
        """The same context for a stage, by its clock."""
        if stage.clock != "closed" or self.after == 1.0:
            return self
        return replace(self, slack=self.slack * self.after, prompt=self.prompt * self.after, after=1.0)

    def person(self, role: str) -> str:
        """The person who holds a role."""
        return self.roster.primary(role) or ""

    @property
    def commander(self) -> str:
        """The person who commands the incident."""
        return self.person(self.playbook.commander)


@dataclass(frozen=True, slots=True)
class ExpectedStep:
    """What is expected of one step."""

    laid: ScheduledStep
    opens: TimeBounds
    done: TimeBounds
    owner: str = ""
    acknowledged: TimeBounds = NOT_EVER
    taken_by: str = ""
    done_by: str = ""
    skipped: bool = False
    dues: tuple[ExpectedNotice, ...] = ()
    postings: tuple[ExpectedPublication, ...] = ()


def expect_step(scene: ExpectationContext, laid: ScheduledStep, opens: TimeBounds, draft: str = "") -> ExpectedStep:
    """Work out what is expected of a step that opens within `opens`.

    `draft`: the step whose text it approves or publishes.
    """
    plan, scene = laid.plan, scene.at_stage(laid.stage)
    if not condition_met(plan, scene.about):
        return ExpectedStep(laid, opens, opens, skipped=True)
    owner = _owner(scene, plan, draft)
    if opens.lo >= laid.end.hi:
        return ExpectedStep(
            laid, NOT_EVER, NOT_EVER, owner, dues=tuple(_missed(scene, laid, NOT_EVER, owner, NOT_EVER))
        )
    if plan.kind is StepKind.TELL:
        purpose = NotificationPurpose.BRIEF if plan.brief else NotificationPurpose.INFORM
        people = (owner, *(scene.person(role) for role in plan.tell))
        return ExpectedStep(laid, opens, opens, owner, dues=tuple(_told(scene, laid, opens, people, purpose)))
    if plan.kind in PERSON_STEPS:
        return _by_people(scene, laid, opens, owner)
    return _by_itself(scene, laid, opens, owner)


def condition_met(plan: Step, about: Mapping[str, str]) -> bool:
    """Whether a step's `when` is met."""
    return all(about.get(name, "") in allowed for name, allowed in plan.when.items())


def _owner(scene: ExpectationContext, plan: Step, draft: str) -> str:
    """The holder of the step's role; for a sum above their limit, of the role that approves more."""
    owner = scene.person(plan.owner)
    known, amount = scene.roster.people.get(owner), scene.behaviour.draft_cost(draft) if draft else None
    limit = known.approval_limit if known else None
    if plan.over_limit and amount is not None and limit is not None and amount > limit:
        return scene.person(plan.over_limit)
    return owner


def _told(
    scene: ExpectationContext,
    laid: ScheduledStep,
    opens: TimeBounds,
    people: Sequence[str],
    purpose: NotificationPurpose,
) -> list[ExpectedNotice]:
    sure = opens.hi + scene.prompt < laid.end.lo
    window = TimeBounds(opens.lo, opens.hi + scene.slack)
    return [ExpectedNotice(laid.id, purpose, p, window, least=int(sure)) for p in dict.fromkeys(people) if p]


# --- a step that people do ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _EscalationCourse:
    """How far the escalation of one step went."""

    calls: list[EscalationCall] = field(default_factory=list)
    unmanned: list[EscalationCall] = field(default_factory=list)  # rungs on which nobody stands
    taken_by: str = ""
    acknowledged: TimeBounds = NOT_EVER
    called: TimeBounds = NOT_EVER  # when the last of them was called, as it was heard
    exhausted: bool = False  # everyone was called


def _by_people(scene: ExpectationContext, laid: ScheduledStep, opens: TimeBounds, owner: str) -> ExpectedStep:
    task = make_task(laid.id, laid.plan, opens.lo, laid.due.lo)
    late = opens.lo >= laid.due.lo
    escalation = _climb(scene, laid, task, opens, owner)
    done_by, done = scene.behaviour.finished_by(task, escalation.taken_by, escalation.acknowledged)
    if done.hi <= opens.lo:  # written before its hour: nobody is called for it
        return ExpectedStep(laid, opens, done, owner, escalation.acknowledged, escalation.taken_by, done_by)
    told = {owner, scene.commander} if late else {owner}
    others = [person for role in laid.plan.tell if (person := scene.person(role)) not in told]
    dues = _told(scene, laid, opens, others, NotificationPurpose.INFORM)
    dues += _told(scene, laid, opens, sorted(told), NotificationPurpose.OVERDUE) if late else []
    dues += _calls(scene, laid, escalation, late=late)
    dues += _reminders(scene, laid, escalation.taken_by, escalation.acknowledged, done)
    if escalation.exhausted or laid.plan.ack_within is None:  # whoever was called last, and the owner
        for person in dict.fromkeys((escalation.calls[-1].person, owner)):
            dues += _reminders(scene, laid, person, escalation.called, escalation.acknowledged)
    if not late:
        holder = escalation.taken_by or (escalation.calls[-1].person if escalation.calls else "")
        dues += _missed(scene, laid, opens, owner, done, holder)
    return ExpectedStep(
        laid, opens, done, owner, escalation.acknowledged, escalation.taken_by, done_by, dues=tuple(_merged(dues))
    )


def _climb(
    scene: ExpectationContext, laid: ScheduledStep, task: PersonaTask, opens: TimeBounds, owner: str
) -> _EscalationCourse:
    """Owner, backup, commander, last resort: each is called when the one before had their time."""
    plan, escalation, moment = laid.plan, _EscalationCourse(), opens
    rungs = (
        (NotificationPurpose.ASSIGN, owner),
        (NotificationPurpose.BACKUP, scene.roster.backup(plan.owner, plan.backup) or ""),
        (NotificationPurpose.COMMANDER, scene.commander),
        (NotificationPurpose.LAST_RESORT, scene.person(scene.playbook.last_resort)),
    )
    for purpose, person in rungs:
        if not person or any(call.person == person for call in escalation.calls):
            if purpose is NotificationPurpose.BACKUP and not person:
                escalation.unmanned.append(EscalationCall(purpose, "", moment))
            continue
        escalation.calls.append(EscalationCall(purpose, person, moment))
        escalation.taken_by, escalation.acknowledged = scene.behaviour.first_to_acknowledge(task, escalation.calls)
        escalation.called = moment
        if plan.ack_within is None:
            break
        heard = scene.behaviour.received_at(laid.id, purpose, person)
        called = TimeBounds(moment.lo, moment.hi + scene.slack if heard is None else max(heard, moment.lo))
        escalation.called = called
        moment = called.plus(to_seconds(plan.ack_within))
        if escalation.acknowledged.hi <= moment.lo or moment.lo >= laid.end.hi:
            break
    else:
        escalation.exhausted = True
    return escalation


def _calls(
    scene: ExpectationContext, laid: ScheduledStep, escalation: _EscalationCourse, *, late: bool
) -> list[ExpectedNotice]:
    dues = []
    for number, call in enumerate(escalation.calls):
        if number == 0 and late:  # its deadline had passed: the notice says that instead
            continue
        higher = escalation.calls[number + 1 :]
        sure = _climbed(scene, laid, higher) or (
            _sure(scene, laid, call) if number == 0 else _unanswered(scene, laid, escalation, call)
        )
        window = TimeBounds(call.at.lo, call.at.hi + scene.slack)
        dues.append(ExpectedNotice(laid.id, call.purpose, call.person, window, least=int(sure)))
    for call in escalation.unmanned:
        if _climbed(scene, laid, escalation.calls[1:]) or _unanswered(scene, laid, escalation, call):
            role, lack = (laid.plan.backup, "holder") if laid.plan.backup else (laid.plan.owner, "backup")
            why = f"the role {role} has no {lack}"
            window = TimeBounds(call.at.lo, call.at.hi + scene.slack)
            dues.append(ExpectedNotice(laid.id, call.purpose, "", window, cannot=why))
    return dues


def _climbed(scene: ExpectationContext, laid: ScheduledStep, higher: Sequence[EscalationCall]) -> bool:
    """Whether a call further up was heard: then every one below it was due."""
    return any(scene.behaviour.received_at(laid.id, call.purpose, call.person) is not None for call in higher)


def _sure(scene: ExpectationContext, laid: ScheduledStep, call: EscalationCall) -> bool:
    return call.at.hi + scene.prompt < laid.end.lo and call.at.hi + scene.prompt < laid.due.lo


def _unanswered(
    scene: ExpectationContext, laid: ScheduledStep, escalation: _EscalationCourse, call: EscalationCall
) -> bool:
    """Whether the moment of a call surely came before anyone had taken the step."""
    return _sure(scene, laid, call) and escalation.acknowledged.lo >= call.at.hi + scene.prompt


# --- a step that the system does ----------------------------------------------------------------------------


def _by_itself(scene: ExpectationContext, laid: ScheduledStep, opens: TimeBounds, owner: str) -> ExpectedStep:
    plan = laid.plan
    done = scene.behaviour.published_at(laid.id, opens)
    dues = _told(scene, laid, opens, [scene.person(role) for role in plan.tell], NotificationPurpose.INFORM)
    dues += _reminders(scene, laid, owner, opens, done)
    dues += _missed(scene, laid, opens, owner, done)
    channels = plan.channels or tuple(scene.roster.public) if plan.kind is StepKind.PUBLISH else ()
    window = TimeBounds(opens.lo, opens.hi + scene.slack)
    sure = window.hi < laid.end.lo
    postings = [ExpectedPublication(laid.id, channel, window, sure) for channel in channels]
    return ExpectedStep(laid, opens, done, owner, dues=tuple(_merged(dues)), postings=tuple(postings))


# --- what both have -----------------------------------------------------------------------------------------


def _reminders(
    scene: ExpectationContext, laid: ScheduledStep, person: str, since: TimeBounds, done: TimeBounds
) -> list[ExpectedNotice]:
    """From taking it (or its opening) to its being done, at intervals."""
    if laid.plan.remind is None or not person or since.lo == NEVER:
        return []
    every = to_seconds(laid.plan.remind)
    most = math.floor((min(done.hi, laid.end.hi) - since.lo) / every)
    if most < 1:
        return []
    surely = min(done.lo, laid.end.lo, laid.due.lo) - since.hi
    least = max(0, math.ceil(surely / (every + scene.prompt)) - 1)
    window = TimeBounds(since.lo + every, since.hi + every + scene.slack)
    return [ExpectedNotice(laid.id, NotificationPurpose.REMIND, person, window, min(least, most), most)]


def _missed(
    scene: ExpectationContext, laid: ScheduledStep, opens: TimeBounds, owner: str, done: TimeBounds, holder: str = ""
) -> list[ExpectedNotice]:
    """The deadline: its holder, its owner, its backup and the commander hear of it once."""
    stop = min(done.hi, laid.end.hi)
    if stop <= laid.due.lo:
        return []
    surely = min(done.lo, laid.end.lo) > laid.due.hi + scene.prompt and opens.hi + scene.prompt < laid.due.lo
    backup = scene.roster.backup(laid.plan.owner, laid.plan.backup) or ""
    known = [person for person in (owner, backup, scene.commander) if person]
    window = TimeBounds(laid.due.lo, laid.due.hi + scene.slack)
    dues = {p: ExpectedNotice(laid.id, NotificationPurpose.OVERDUE, p, window, least=int(surely)) for p in known}
    if holder and holder not in dues:
        dues[holder] = ExpectedNotice(laid.id, NotificationPurpose.OVERDUE, holder, window, least=0)
    return list(dues.values())


def _merged(dues: list[ExpectedNotice]) -> list[ExpectedNotice]:
    """One entry for each person and purpose."""
    found: dict[tuple[str, str, str], ExpectedNotice] = {}
    for due in dues:
        known = found.get(due.key)
        found[due.key] = due if known is None else _together(known, due)
    return list(found.values())


def _together(one: ExpectedNotice, other: ExpectedNotice) -> ExpectedNotice:
    window = TimeBounds(min(one.window.lo, other.window.lo), max(one.window.hi, other.window.hi))
    return replace(one, window=window, least=one.least + other.least, most=one.most + other.most)
