"""State transitions: `evolve_snapshot(snapshot, fact) -> snapshot`. The only place where state moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pendulum
from pendulum import DateTime

from domain.facts import Fact, FactKind
from domain.incident import CaseType, Impact, IncidentStatus, PublicationState, Snapshot, StepState, StepStatus
from domain.stage_schedule import schedule_round

K = FactKind


def evolve_snapshot(snapshot: Snapshot, fact: Fact) -> Snapshot:
    """Return the snapshot after the fact. Facts that move no state (notes, notices) leave it as it is."""
    if fact.kind in _STEP_RULES and fact.step in snapshot.steps:
        step = _STEP_RULES[fact.kind](snapshot.steps[fact.step], fact)
        snapshot = replace(snapshot, steps={**snapshot.steps, step.id: step})
    if fact.kind in _SNAPSHOT_RULES:
        snapshot = _SNAPSHOT_RULES[fact.kind](snapshot, fact)
    return snapshot


def parse_moment(text: str) -> DateTime:
    """Parse a time of a fact's data."""
    parsed = pendulum.parse(text)
    if not isinstance(parsed, DateTime):
        msg = f"{text!r} is not a point in time"
        raise TypeError(msg)
    return parsed


# --- the incident and the response -------------------------------------------------------------------------------


def _incident(snapshot: Snapshot, **changes: Any) -> Snapshot:
    return replace(snapshot, incident=replace(snapshot.incident, **changes))


def _response(snapshot: Snapshot, **changes: Any) -> Snapshot:
    return replace(snapshot, response=replace(snapshot.response, **changes))


def _begun(snapshot: Snapshot, fact: Fact) -> Snapshot:
    stage = snapshot.response.playbook.stage(fact.data["stage"])
    laid = schedule_round(snapshot.incident, stage, fact.data["round"], parse_moment(fact.data["start"]), fact.at)
    again = _response(snapshot, finished_at=None)
    if again.incident.status is IncidentStatus.COMPLETED:  # there is something to do again, and to be acknowledged
        again = _incident(again, status=IncidentStatus.CLOSED)
    return replace(again, steps={**snapshot.steps, **{step.id: step for step in laid}})


def _published(snapshot: Snapshot, fact: Fact) -> Snapshot:
    return _response(_incident(snapshot, last_public_at=fact.at), silence_level=0, silence_at=None)


def _reopened(snapshot: Snapshot, fact: Fact) -> Snapshot:
    back = IncidentStatus.MITIGATED if snapshot.incident.mitigated_at else IncidentStatus.OPEN
    return _response(_incident(snapshot, status=back, closed_at=None), finished_at=None)


def _joined(snapshot: Snapshot, fact: Fact) -> Snapshot:
    """A finished warning fires again."""
    warning = snapshot.incident.case_type is CaseType.WARNING and snapshot.incident.status is IncidentStatus.MITIGATED
    return _incident(snapshot, status=IncidentStatus.OPEN, mitigated_at=None) if warning else snapshot


def _recovered(snapshot: Snapshot, fact: Fact) -> Snapshot:
    """A warning ends with its figures; an incident that a rule declared is closed by people only."""
    warning = snapshot.incident.case_type is CaseType.WARNING and snapshot.incident.status is IncidentStatus.OPEN
    return _incident(snapshot, status=IncidentStatus.MITIGATED, mitigated_at=fact.at) if warning else snapshot


def _update_reminded(snapshot: Snapshot, fact: Fact) -> Snapshot:
    calls = snapshot.response.silence_calls + 1
    return _response(snapshot, silence_level=fact.data["level"], silence_at=fact.at, silence_calls=calls)


_SNAPSHOT_RULES: dict[FactKind, Callable[[Snapshot, Fact], Snapshot]] = {
    K.MITIGATED: lambda s, f: _incident(s, status=IncidentStatus.MITIGATED, mitigated_at=f.at),
    K.CLOSED: lambda s, f: _incident(s, status=IncidentStatus.CLOSED, closed_at=f.at),
    K.CANCELLED: lambda s, f: _incident(s, status=IncidentStatus.CANCELLED),
    K.COMPLETED: lambda s, f: _incident(s, status=IncidentStatus.COMPLETED),
    K.REOPENED: _reopened,
    K.RESUMED: lambda s, _: _response(s, finished_at=None),
    K.WORSENED: lambda s, f: _incident(s, severity=f.data["severity"]),
    K.EASED: lambda s, f: _incident(s, severity=f.data["severity"]),
    K.JOINED: _joined,
    K.RECOVERED: _recovered,
    K.IMPACT: lambda s, f: _incident(s, impact=Impact(**f.data["impact"])),
    K.STAGE_BEGUN: _begun,
    K.PUBLISHED: _published,
    K.UPDATE_OVERDUE: _update_reminded,
    K.FINISHED: lambda s, f: _response(s, finished_at=f.at),
}


# --- a step ------------------------------------------------------------------------------------------------------


def _opened(step: StepState, fact: Fact) -> StepState:
    owner = fact.data["owner"]
    return replace(
        step,
        status=StepStatus.OPEN,
        owner=owner,
        backup=fact.data["backup"],
        holder=owner,
        called=(owner,) if owner else (),
        level=fact.data.get("level", 0),
        calls=step.calls + 1,
        called_at=fact.at,
        opened_at=step.opened_at if fact.data.get("handed") else fact.at,
        missed_at=fact.at if fact.data.get("late") else step.missed_at,
    )


def _called(step: StepState, fact: Fact) -> StepState:
    """Someone was called again: by escalation, a reminder, or at the deadline."""
    to = fact.data.get("to", "")
    held = step.status is StepStatus.ACKNOWLEDGED
    return replace(
        step,
        level=fact.data.get("level", step.level),
        holder=step.holder if held or not to else to,
        called=step.called if not to or to in step.called else (*step.called, to),
        calls=step.calls + 1,
        called_at=fact.at,
        missed_at=fact.at if fact.kind is K.MISSED else step.missed_at,
    )


def _missed(step: StepState, fact: Fact) -> StepState:
    if not fact.data.get("told"):  # nobody was called: what it waits for has its own notice
        return replace(step, missed_at=fact.at)
    return _called(step, fact)


def _done(step: StepState, fact: Fact) -> StepState:
    return replace(
        step, status=StepStatus.DONE, done_at=fact.at, done_by=fact.by, evidence=fact.data.get("evidence", "")
    )


def _drafted(step: StepState, fact: Fact) -> StepState:
    data = fact.data
    return replace(
        step,
        status=StepStatus.DONE,
        texts=data["texts"],
        version=data["version"],
        digest=data["digest"],
        author=fact.by,
        amount=data.get("amount"),
        done_at=fact.at,
        done_by=fact.by,
    )


def _approved(step: StepState, fact: Fact) -> StepState:
    return replace(
        step, status=StepStatus.DONE, digest=fact.data["digest"], version=fact.data["version"],
        done_at=fact.at, done_by=fact.by,
    )  # fmt: skip


def _again(step: StepState, fact: Fact) -> StepState:
    """Set a step back to waiting: its owner is called anew when it opens."""
    return replace(
        step, status=StepStatus.WAITING, done_at=None, done_by="", digest="", acknowledged_at=None,
        level=0, called=(), called_at=None, evidence="",
    )  # fmt: skip


def _rejected(step: StepState, fact: Fact) -> StepState:
    return replace(_again(step, fact), texts=step.texts, version=step.version, author=step.author)


def _posting(status: PublicationState) -> Callable[[StepState, Fact], StepState]:
    def change(step: StepState, fact: Fact) -> StepState:
        channel = fact.data["channel"]
        settled = status is PublicationState.PUBLISHED and step.postings.get(channel) in (
            PublicationState.UNKNOWN,
            PublicationState.FAILED,
        )
        receipts = dict(step.receipts)
        if fact.data.get("receipt"):
            receipts[channel] = fact.data["receipt"]
        alarmed = max(0, step.alarmed - 1) if settled else step.alarmed  # the next one in doubt is called for again
        return replace(step, postings={**step.postings, channel: status}, receipts=receipts, alarmed=alarmed)

    return change


def _reassigned(step: StepState, fact: Fact) -> StepState:
    """To another person, who is called at the next decision: `called_at` is empty until then."""
    to = fact.data["to"]
    if step.status is StepStatus.WAITING:
        return replace(step, owner=to, calls=step.calls + 1)
    return replace(
        step, status=StepStatus.OPEN, owner=to, holder=to, called=(to,), level=0, called_at=None, acknowledged_at=None,
    )  # fmt: skip


_STEP_RULES: dict[FactKind, Callable[[StepState, Fact], StepState]] = {
    K.OPENED: _opened,
    K.ACKNOWLEDGED: lambda s, f: replace(
        s, status=StepStatus.ACKNOWLEDGED, acknowledged_at=f.at, holder=f.by, called_at=f.at
    ),
    K.ESCALATED: _called,
    K.REMINDED: _called,
    K.MISSED: _missed,
    K.DONE: _done,
    K.SKIPPED: lambda s, f: replace(s, status=StepStatus.SKIPPED, done_at=f.at),
    K.ABANDONED: lambda s, f: replace(s, status=StepStatus.ABANDONED, done_at=f.at),
    K.SUPERSEDED: lambda s, f: replace(s, status=StepStatus.SUPERSEDED, done_at=f.at),
    K.RESUMED: _again,
    K.REASSIGNED: _reassigned,
    K.DRAFTED: _drafted,
    K.APPROVED: _approved,
    K.REJECTED: _rejected,
    K.VOIDED: _again,
    K.ORDERED: _posting(PublicationState.ORDERED),
    K.PUBLISHED: _posting(PublicationState.PUBLISHED),
    K.IN_DOUBT: _posting(PublicationState.UNKNOWN),
    K.PUBLISH_FAILED: _posting(PublicationState.FAILED),
    K.RETRIED: lambda s, f: replace(
        s, postings={c: p for c, p in s.postings.items() if c != f.data["channel"]}, alarmed=max(0, s.alarmed - 1)
    ),
    K.ALARMED: lambda s, f: replace(_called(s, f), alarmed=f.data["in_doubt"]),
}
