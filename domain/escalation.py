"""Escalation of a step: opening it, calling the next person, reminding, and recording a missed deadline."""

from __future__ import annotations

from datetime import timedelta

from pendulum import DateTime

from domain.decision_context import DecisionContext
from domain.durations import format_duration
from domain.facts import FactKind
from domain.incident import ACTIVE_STATUSES, SATISFIED_STATUSES, StepState, StepStatus
from domain.notifications import NotificationPurpose
from domain.playbook import PERSON_STEPS, Step, StepKind
from domain.text import N_, Reason

K = FactKind
ESCALATION_ORDER = (
    NotificationPurpose.ASSIGN,
    NotificationPurpose.BACKUP,
    NotificationPurpose.COMMANDER,
    NotificationPurpose.LAST_RESORT,
)
LAST_LEVEL = len(ESCALATION_ORDER) - 1


def open_step(work: DecisionContext, state: StepState) -> bool:
    """Open a step whose time has come and whose needs are met. True if it was opened, or skipped."""
    if state.status is not StepStatus.WAITING or work.now < state.opens_at:
        return False
    if any(need is None or need.status not in SATISFIED_STATUSES for _, need in work.snapshot.needs(state)):
        return False
    plan = work.snapshot.plan(state)
    if not step_applies(work, plan):
        work.record(K.SKIPPED, state.id, because="its condition does not hold for this incident")
        return True
    owner = state.owner or _owner(work, state, plan)
    backup = work.snapshot.roster.backup(plan.owner, plan.backup) or ""
    if plan.kind is StepKind.TELL:
        _inform_roles(work, state, plan, owner)
    elif plan.kind in PERSON_STEPS:
        _assign(work, state, owner, backup)
    else:
        work.record(K.OPENED, state.id, owner=owner, backup=backup, role=plan.owner)
    if plan.tell and plan.kind is not StepKind.TELL:
        others = [work.person(role) for role in plan.tell]
        work.call(others, NotificationPurpose.INFORM, Reason(N_("For your information: this has begun.")), state.id)
    return True


def step_applies(work: DecisionContext, plan: Step) -> bool:
    """Whether a step's `when` holds for this incident."""
    incident = work.snapshot.incident
    for name, allowed in plan.when.items():
        value = getattr(incident, name)
        if (str(value).lower() if isinstance(value, bool) else str(value)) not in allowed:
            return False
    return True


def _owner(work: DecisionContext, state: StepState, plan: Step) -> str:
    """The holder of the step's role; for an approval above their limit, of the role that may approve more."""
    owner = work.person(plan.owner)
    if plan.kind is StepKind.APPROVE and plan.over_limit and plan.of:
        draft = work.snapshot.related(state, plan.of)
        limit = work.snapshot.roster.people[owner].approval_limit if owner in work.snapshot.roster.people else None
        if draft and draft.amount is not None and limit is not None and draft.amount > limit:
            return work.person(plan.over_limit)
    return owner


def _inform_roles(work: DecisionContext, state: StepState, plan: Step, owner: str) -> None:
    work.record(K.OPENED, state.id, owner=owner, backup="", role=plan.owner)
    purpose = NotificationPurpose.BRIEF if plan.brief else NotificationPurpose.INFORM
    people = (owner, *(work.person(role) for role in plan.tell))
    told = work.call(people, purpose, Reason(N_("For your information.")), state.id)
    work.record(K.DONE, state.id, told=list(told))


def _assign(work: DecisionContext, state: StepState, owner: str, backup: str) -> None:
    """Call the owner; where the role is empty, the next of the escalation order, and say why."""
    plan = work.snapshot.plan(state)
    late = work.now >= state.due_at
    level, person = _next_level(work, owner, backup, frozenset(), 0)
    because = Reason(N_("It is yours now."))
    if person != owner or not owner:
        because = Reason(N_("Nobody holds the role {role}; you are next."), {"role": plan.owner})
    work.record(K.OPENED, state.id, owner=person, backup=backup, role=plan.owner, level=level, late=late)
    if late:
        because = Reason(N_("Its deadline has passed and it is only open now."))
        people = (person, work.person(work.snapshot.response.playbook.commander))
        work.call(people, NotificationPurpose.OVERDUE, because, state.id)
    else:
        work.call((person,), ESCALATION_ORDER[level], because, state.id)


def call_new_owner(work: DecisionContext, state: StepState) -> bool:
    """Call the new owner of a reassigned step; they have the whole of `ack_within` to answer."""
    if state.status is not StepStatus.OPEN or state.called_at is not None or not state.holder:
        return False
    plan = work.snapshot.plan(state)
    work.record(K.OPENED, state.id, owner=state.holder, backup=state.backup, role=plan.owner, handed=True)
    work.call((state.holder,), NotificationPurpose.REASSIGN, Reason(N_("It is yours now.")), state.id)
    return True


def _next_level(work: DecisionContext, owner: str, backup: str, called: frozenset[str], lowest: int) -> tuple[int, str]:
    """The lowest level from `lowest` on with a person not called yet; the last with nobody where there is none."""
    playbook = work.snapshot.response.playbook
    people = (owner, backup, work.person(playbook.commander), work.person(playbook.last_resort))
    for level, person in enumerate(people):
        if level >= lowest and person and person not in called:
            return level, person
    return LAST_LEVEL, ""


def escalate_step(work: DecisionContext, state: StepState) -> bool:
    """Call the next person where nobody acknowledged in time. Each has the whole of `ack_within` to answer."""
    if state.status is not StepStatus.OPEN or state.ack_within is None or state.called_at is None:
        return False
    if everyone_called(work, state) or work.now < state.called_at + state.ack_within:
        return False
    level, person = _next(work, state)
    before = work.name(state.holder)
    work.record(K.ESCALATED, state.id, level=level, to=person, silent=state.holder)
    span = format_duration(_whole(state.ack_within * work.snapshot.incident.pace.get("declared", 1.0)))
    because = Reason(N_("{name} has not acknowledged within {span}."), {"name": before, "span": span})
    work.call((person,), ESCALATION_ORDER[level], because, state.id)
    return True


def everyone_called(work: DecisionContext, state: StepState) -> bool:
    """Whether everyone of the escalation order was called."""
    return not _next(work, state)[1]


def _next(work: DecisionContext, state: StepState) -> tuple[int, str]:
    """Resolve the next person anew at each call: the person on duty now, not at the time the step opened."""
    plan = work.snapshot.plan(state)
    backup = work.snapshot.roster.backup(plan.owner, plan.backup) or ""
    return _next_level(work, state.owner, backup, frozenset(state.called), state.level + 1)


def send_reminder(work: DecisionContext, state: StepState) -> bool:
    """Remind at intervals: acknowledged and not done, or everyone called and nobody answered."""
    due = next_reminder_at(work, state)
    if due is None or work.now < due:
        return False
    people = (state.holder, state.owner) if state.status is StepStatus.OPEN else (state.holder,)
    work.record(K.REMINDED, state.id)
    work.call(people, NotificationPurpose.REMIND, Reason(N_("It is not done yet.")), state.id)
    return True


def next_reminder_at(work: DecisionContext, state: StepState) -> DateTime | None:
    """When the next reminder is due; None while the escalation is still under way."""
    if state.remind is None or state.called_at is None:
        return None
    if state.status is StepStatus.ACKNOWLEDGED:
        return state.called_at + state.remind
    if state.status is StepStatus.OPEN and (state.ack_within is None or everyone_called(work, state)):
        return state.called_at + state.remind
    return None


def record_missed_deadline(work: DecisionContext, state: StepState) -> bool:
    """Record a missed deadline as a fact, and call everyone responsible once."""
    if not state.active or state.missed_at is not None or work.now < state.due_at:
        return False
    if state.status is StepStatus.WAITING and not step_applies(work, work.snapshot.plan(state)):
        return False  # it will be skipped: nobody is called for a step that this incident does not have
    playbook = work.snapshot.response.playbook
    blocker = _blocker(work, state)
    if blocker:  # whoever holds the blocker is called for it: one call for one delay
        work.record(K.MISSED, state.id, waits_for=blocker)
        return True
    plan = work.snapshot.plan(state)
    owner = state.owner or work.person(plan.owner)
    people = (state.holder, owner, state.backup, work.person(playbook.commander))
    told = [person for person in dict.fromkeys(people) if person]
    work.record(K.MISSED, state.id, told=told)
    work.call(told, NotificationPurpose.OVERDUE, Reason(N_("Its deadline has passed and it is not done.")), state.id)
    return True


def _blocker(work: DecisionContext, state: StepState) -> str:
    if state.status is not StepStatus.WAITING:
        return ""
    for name, need in work.snapshot.needs(state):
        if need is not None and need.status in ACTIVE_STATUSES and need.due_at <= work.now:
            return name
    return ""


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
