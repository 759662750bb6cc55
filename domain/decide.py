"""The decision of one turn: what is due now, for whom, and when the next turn is due. No IO, no clock.

`decide(snapshot, now)` runs the rules of `RULES` in order until nothing moves. Each rule records facts,
which are in force at once, and the notices they owe. Deciding twice at one `now` adds nothing; deciding
late gives one current call for a step, not all the calls that were missed, and forgets no step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pendulum import DateTime

from domain.decision_context import DecisionContext
from domain.escalation import (
    call_new_owner,
    escalate_step,
    everyone_called,
    next_reminder_at,
    open_step,
    record_missed_deadline,
    send_reminder,
)
from domain.facts import Fact, FactKind
from domain.incident import TASK_TYPES, IncidentStatus, PublicationState, Snapshot, StepState, StepStatus
from domain.notifications import ExplainedDecision, Notification, NotificationPurpose, Publication
from domain.playbook import Stage, UpdateWatch
from domain.publication import advance_publication
from domain.stage_schedule import clock_started_at, round_due_at, round_started_at
from domain.text import N_, Reason

K = FactKind


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of one decision; committed as one transaction, and only then sent."""

    snapshot: Snapshot  # as it stands once the facts are in
    facts: tuple[Fact, ...]
    notices: tuple[Notification, ...]
    publications: tuple[Publication, ...]
    wake_at: DateTime | None  # later than `now`; None: nothing will become due by itself
    reasons: tuple[ExplainedDecision, ...]


def decide(snapshot: Snapshot, now: DateTime) -> Decision:
    """Everything that is due at `now` for one response."""
    work = DecisionContext(snapshot, now)
    for rule in RULES:
        rule(work)
    set_wake_times(work)
    return Decision(
        snapshot=work.snapshot,
        facts=tuple(work.facts),
        notices=tuple(work.notices),
        publications=tuple(work.publications),
        wake_at=min(work.wakes, default=None),
        reasons=tuple(work.reasons),
    )


# --- the rules, in their order -----------------------------------------------------------------------------------


def abandon_open_steps(work: DecisionContext) -> None:
    """Abandon the open steps of a closed or cancelled incident; only steps begun after the close go on."""
    incident = work.snapshot.incident
    if incident.running:
        return
    for state in work.steps():
        kept = (
            incident.status is not IncidentStatus.CANCELLED
            and incident.closed_at is not None
            and (work.snapshot.stage(state).clock == "closed" or state.laid_at > incident.closed_at)
        )
        if state.active and not kept:
            work.record(K.ABANDONED, state.id, because=f"the incident is {incident.status}")


def resume_reopened(work: DecisionContext) -> None:
    """Resume a reopened incident: the original clocks run on, past deadlines are late.

    The follow-up clock stops.
    """
    if not work.snapshot.incident.running:
        return
    if work.snapshot.response.finished_at:  # reopened by a command to another response of this incident
        work.record(K.RESUMED)
    for state in work.steps():
        after_close = work.snapshot.stage(state).clock == "closed"
        if state.active and after_close:
            work.record(K.ABANDONED, state.id, because="the incident was reopened")
        current = state.round == work.snapshot.last_round(state.stage)
        if state.status is StepStatus.ABANDONED and not after_close and current:
            work.record(K.RESUMED, state.id)


def schedule_stages(work: DecisionContext) -> None:
    """Schedule the stages whose clock has started.

    A new round supersedes the unfinished steps of the one before.
    """
    incident = work.snapshot.incident
    if incident.status is IncidentStatus.CANCELLED or work.snapshot.response.finished_at:
        return
    for stage in work.snapshot.response.playbook.stages:
        start = clock_started_at(incident, work.snapshot.response, stage)
        if stage.on_demand or start is None or (stage.clock == "closed") == incident.running:
            continue
        if stage.clock != "closed" and not incident.running:
            continue
        last = work.snapshot.last_round(stage.id)
        number = round_due_at(incident, stage, start, work.now) if stage.repeat else _once(work, stage, start, last)
        if number > last:
            _supersede(work, stage, number)
            begins = round_started_at(incident, stage, start, number)
            skipped = max(0, number - last - 1) if stage.repeat else 0
            work.record(K.STAGE_BEGUN, stage=stage.id, round=number, start=begins.isoformat(), skipped=skipped)


def _once(work: DecisionContext, stage: Stage, start: DateTime, last: int) -> int:
    """A stage that does not repeat is laid out once for each start of its clock (a second close is a new start)."""
    laid = any(state.stage == stage.id and state.laid_at >= start for state in work.steps())
    return last if laid else last + 1


def _supersede(work: DecisionContext, stage: Stage, number: int) -> None:
    """Supersede the open steps of the rounds before `number`, except publications."""
    for state in work.steps():
        if state.stage == stage.id and state.round < number and state.active and not state.postings:
            work.record(K.SUPERSEDED, state.id, missed=state.due_at <= work.now)


def end_earlier_rounds(work: DecisionContext) -> None:
    """End earlier rounds with no publication under way; an approved publication outlives its round."""
    for state in work.steps():
        earlier = state.round < work.snapshot.last_round(state.stage)
        if earlier and state.active and state.postings and PublicationState.ORDERED not in state.postings.values():
            work.record(K.SUPERSEDED, state.id, missed=state.due_at <= work.now)


def open_ready_steps(work: DecisionContext) -> None:
    """Open ready steps until nothing more opens: a step that is done at once (a notice) may make others ready."""
    while sum(open_step(work, state) for state in work.steps()):  # every step is looked at in each round
        pass


def for_each_step(rule: Callable[[DecisionContext, StepState], bool]) -> Callable[[DecisionContext], None]:
    """Make a rule of steps into a rule of the whole context: it is applied to each step in its present state."""

    def apply(work: DecisionContext) -> None:
        for state in work.steps():
            rule(work, state)

    return apply


def remind_update_overdue(work: DecisionContext) -> None:
    """Remind the commander, then the executive, when the public update is overdue."""
    due = _update_due_at(work)
    rule = work.snapshot.response.playbook.never_silent
    if due is None or rule is None or work.now < due:
        return
    level = min(work.snapshot.response.silence_level + 1, 2)
    roles = (rule.first,) if level == 1 else (rule.after, rule.first)
    people = [work.person(role) for role in roles]
    work.record(K.UPDATE_OVERDUE, level=level, told=[person for person in people if person])
    because = Reason(N_("Nothing public has been said for too long."))
    work.call(people, NotificationPurpose.UPDATE_OVERDUE, because)


def _update_due_at(work: DecisionContext) -> DateTime | None:
    incident, response = work.snapshot.incident, work.snapshot.response
    rule: UpdateWatch | None = response.playbook.never_silent
    if rule is None or not response.watches_updates or not incident.running or response.finished_at:
        return None
    if response.silence_at is not None:
        span = rule.then if response.silence_level == 1 else rule.within
        return response.silence_at + incident.paced(span, "declared")
    said = incident.last_public_at
    since = max(response.started_at, said) if said else response.started_at
    return since + incident.paced(rule.within, "declared")


def finish_response(work: DecisionContext) -> None:
    """Finish a response with nothing left after the close; with the last response the incident is completed."""
    if any(state.active for state in work.steps()):
        return
    if work.snapshot.incident.running and work.snapshot.incident.case_type in TASK_TYPES and work.snapshot.steps:
        work.record(K.CLOSED, reason="")  # work with a date: nobody has to say that it is over
    incident, response = work.snapshot.incident, work.snapshot.response
    if incident.running or response.finished_at:
        return
    work.record(K.FINISHED)
    if incident.status is IncidentStatus.CLOSED and response.others_finished:
        work.record(K.COMPLETED)


RULES: tuple[Callable[[DecisionContext], None], ...] = (
    abandon_open_steps,
    resume_reopened,
    schedule_stages,
    open_ready_steps,
    for_each_step(call_new_owner),
    for_each_step(advance_publication),
    end_earlier_rounds,
    open_ready_steps,  # a publication that is complete may open what needs it
    for_each_step(record_missed_deadline),  # before escalation: one call for a step, the weightiest
    for_each_step(escalate_step),
    for_each_step(send_reminder),
    remind_update_overdue,
    finish_response,
)


# --- when to look again ------------------------------------------------------------------------------------------


def set_wake_times(work: DecisionContext) -> None:
    """Set every time at which some rule would find something to do, all later than now."""
    silence = _update_due_at(work)
    if silence:
        work.wake(silence)
    for state in work.steps():
        if state.active:
            _step_wakes(work, state)
    incident = work.snapshot.incident
    if incident.running:
        for stage in work.snapshot.response.playbook.stages:
            start = clock_started_at(incident, work.snapshot.response, stage)
            if stage.repeat and start is not None and stage.clock != "closed" and not stage.on_demand:
                following = work.snapshot.last_round(stage.id) + 1
                begins = round_started_at(incident, stage, start, following)
                if round_due_at(incident, stage, start, begins) == following:
                    work.wake(begins)


def _step_wakes(work: DecisionContext, state: StepState) -> None:
    if state.status is StepStatus.WAITING:
        work.wake(state.opens_at)
        waits = [name for name, need in work.snapshot.needs(state) if need is None or need.active]
        if waits:
            work.explain(state.id, Reason(N_("waits for {steps}"), {"steps": ", ".join(waits)}))
    if state.missed_at is None:
        work.wake(state.due_at)
    if state.status is StepStatus.OPEN and state.ack_within and state.called_at and not everyone_called(work, state):
        work.wake(state.called_at + state.ack_within)
    reminder = next_reminder_at(work, state)
    if reminder:
        work.wake(reminder)
