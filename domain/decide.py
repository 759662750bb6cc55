"""The decision: what is due now, for whom, and when to look again. No IO, no clock.

`decide(snapshot, now)` runs the rules of `RULES` in order until nothing moves. Each rule records facts, which
are in force at once, and the notices they owe. Deciding twice at one `now` adds nothing; deciding late gives
one current call for a step, not all the calls that were missed, and forgets no step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pendulum import DateTime

from domain.calling import escalate, exhausted, hand_over, miss_deadline, next_reminder, open_step, remind
from domain.facts import Fact, FactKind
from domain.incident import TASKS, IncidentStatus, Posting, Snapshot, StepState, StepStatus
from domain.layout import clock_start, round_due, round_start
from domain.notices import Explained, Notice, Publication, Purpose
from domain.playbook import NeverSilent, Stage
from domain.publishing import publish
from domain.text import N_, Reason
from domain.work import Work

K = FactKind


@dataclass(frozen=True, slots=True)
class Decision:
    """What one turn does; committed as one transaction, and only then sent."""

    snapshot: Snapshot  # as it stands once the facts are in
    facts: tuple[Fact, ...]
    notices: tuple[Notice, ...]
    publications: tuple[Publication, ...]
    wake_at: DateTime | None  # later than `now`; None: nothing will become due by itself
    reasons: tuple[Explained, ...]


def decide(snapshot: Snapshot, now: DateTime) -> Decision:
    """Everything that is due at `now` for one response."""
    work = Work(snapshot, now)
    for rule in RULES:
        rule(work)
    set_wakes(work)
    return Decision(
        snapshot=work.snapshot,
        facts=tuple(work.facts),
        notices=tuple(work.notices),
        publications=tuple(work.publications),
        wake_at=min(work.wakes, default=None),
        reasons=tuple(work.reasons),
    )


# --- the rules, in their order -----------------------------------------------------------------------------------


def stop_what_is_over(work: Work) -> None:
    """A closed or cancelled incident abandons its open steps; only what was begun after the close goes on."""
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


def resume_what_was_stopped(work: Work) -> None:
    """Reopened: the original clocks run on, what is past is late; the follow-up clock stops."""
    if not work.snapshot.incident.running:
        return
    if work.snapshot.response.finished_at:  # reopened by a command to another response of this incident
        work.record(K.RESUMED)
    for state in work.steps():
        after_close = work.snapshot.stage(state).clock == "closed"
        if state.active and after_close:
            work.record(K.ABANDONED, state.id, because="the incident was reopened")
        current = state.round == work.snapshot.rounds(state.stage)
        if state.status is StepStatus.ABANDONED and not after_close and current:
            work.record(K.RESUMED, state.id)


def lay_out_stages(work: Work) -> None:
    """Stages whose clock has started get their times; a new round supersedes what is left of the one before."""
    incident = work.snapshot.incident
    if incident.status is IncidentStatus.CANCELLED or work.snapshot.response.finished_at:
        return
    for stage in work.snapshot.response.playbook.stages:
        start = clock_start(incident, work.snapshot.response, stage)
        if stage.on_demand or start is None or (stage.clock == "closed") == incident.running:
            continue
        if stage.clock != "closed" and not incident.running:
            continue
        last = work.snapshot.rounds(stage.id)
        number = round_due(incident, stage, start, work.now) if stage.repeat else _once(work, stage, start, last)
        if number > last:
            _supersede(work, stage, number)
            begins = round_start(incident, stage, start, number)
            skipped = max(0, number - last - 1) if stage.repeat else 0
            work.record(K.STAGE_BEGUN, stage=stage.id, round=number, start=begins.isoformat(), skipped=skipped)


def _once(work: Work, stage: Stage, start: DateTime, last: int) -> int:
    """A stage that does not repeat is laid out once for each start of its clock (a second close is a new start)."""
    laid = any(state.stage == stage.id and state.laid_at >= start for state in work.steps())
    return last if laid else last + 1


def _supersede(work: Work, stage: Stage, number: int) -> None:
    """What is left of the rounds before `number` is over, but for what went to the public."""
    for state in work.steps():
        if state.stage == stage.id and state.round < number and state.active and not state.postings:
            work.record(K.SUPERSEDED, state.id, missed=state.due_at <= work.now)


def end_earlier_rounds(work: Work) -> None:
    """A publication on its way outlives its round, for it was approved; it ends once nothing of it is under way."""
    for state in work.steps():
        earlier = state.round < work.snapshot.rounds(state.stage)
        if earlier and state.active and state.postings and Posting.ORDERED not in state.postings.values():
            work.record(K.SUPERSEDED, state.id, missed=state.due_at <= work.now)


def open_what_is_ready(work: Work) -> None:
    """Until nothing more opens: a step that is done at once (a notice) may make others ready."""
    while sum(open_step(work, state) for state in work.steps()):  # every step is looked at in each round
        pass


def each_step(rule: Callable[[Work, StepState], bool]) -> Callable[[Work], None]:
    """Apply a rule to every step as it stands."""

    def apply(work: Work) -> None:
        for state in work.steps():
            rule(work, state)

    return apply


def break_silence(work: Work) -> None:
    """Nothing public for too long: the commander is reminded, then the executive."""
    due = _silence_due(work)
    rule = work.snapshot.response.playbook.never_silent
    if due is None or rule is None or work.now < due:
        return
    level = min(work.snapshot.response.silence_level + 1, 2)
    roles = (rule.first,) if level == 1 else (rule.after, rule.first)
    people = [work.person(role) for role in roles]
    work.record(K.SILENCE, level=level, told=[person for person in people if person])
    because = Reason(N_("Nothing public has been said for too long."))
    work.call(people, Purpose.SILENCE, because)


def _silence_due(work: Work) -> DateTime | None:
    incident, response = work.snapshot.incident, work.snapshot.response
    rule: NeverSilent | None = response.playbook.never_silent
    if rule is None or not response.watches_silence or not incident.running or response.finished_at:
        return None
    if response.silence_at is not None:
        span = rule.then if response.silence_level == 1 else rule.within
        return response.silence_at + incident.paced(span, "declared")
    said = incident.last_public_at
    since = max(response.started_at, said) if said else response.started_at
    return since + incident.paced(rule.within, "declared")


def finish(work: Work) -> None:
    """Nothing left after the close: the response is finished, and with the last one the incident is completed."""
    if any(state.active for state in work.steps()):
        return
    if work.snapshot.incident.running and work.snapshot.incident.nature in TASKS and work.snapshot.steps:
        work.record(K.CLOSED, reason="")  # work with a date: nobody has to say that it is over
    incident, response = work.snapshot.incident, work.snapshot.response
    if incident.running or response.finished_at:
        return
    work.record(K.FINISHED)
    if incident.status is IncidentStatus.CLOSED and response.others_finished:
        work.record(K.COMPLETED)


RULES: tuple[Callable[[Work], None], ...] = (
    stop_what_is_over,
    resume_what_was_stopped,
    lay_out_stages,
    open_what_is_ready,
    each_step(hand_over),
    each_step(publish),
    end_earlier_rounds,
    open_what_is_ready,  # a publication that is complete may open what needs it
    each_step(miss_deadline),  # before the ladder: one call for a step, the weightiest
    each_step(escalate),
    each_step(remind),
    break_silence,
    finish,
)


# --- when to look again ------------------------------------------------------------------------------------------


def set_wakes(work: Work) -> None:
    """Every moment at which some rule would find something, all later than now."""
    silence = _silence_due(work)
    if silence:
        work.wake(silence)
    for state in work.steps():
        if state.active:
            _step_wakes(work, state)
    incident = work.snapshot.incident
    if incident.running:
        for stage in work.snapshot.response.playbook.stages:
            start = clock_start(incident, work.snapshot.response, stage)
            if stage.repeat and start is not None and stage.clock != "closed" and not stage.on_demand:
                following = work.snapshot.rounds(stage.id) + 1
                begins = round_start(incident, stage, start, following)
                if round_due(incident, stage, start, begins) == following:
                    work.wake(begins)


def _step_wakes(work: Work, state: StepState) -> None:
    if state.status is StepStatus.WAITING:
        work.wake(state.opens_at)
        waits = [name for name, need in work.snapshot.needs(state) if need is None or need.active]
        if waits:
            work.explain(state.id, Reason(N_("waits for {steps}"), {"steps": ", ".join(waits)}))
    if state.missed_at is None:
        work.wake(state.due_at)
    if state.status is StepStatus.OPEN and state.ack_within and state.called_at and not exhausted(work, state):
        work.wake(state.called_at + state.ack_within)
    reminder = next_reminder(work, state)
    if reminder:
        work.wake(reminder)
