"""The document of one incident, as the API answers it: stages, steps, texts, messages.

JSON-able, ISO 8601 times.
"""

from __future__ import annotations

from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection

from domain.incident import BEGUN_STATUSES, Snapshot, StepState, StepStatus
from domain.playbook import Stage, StepKind
from domain.roster import Roster
from domain.text_digest import UnpublishableText, compute_digest, publication_channels, render_for_channels
from storage import outbox
from storage.incidents import incidents
from storage.incidents.board import both_languages, incident_summary, iso_time, stage_window
from storage.outbox import OutboxMessage

_STEP_TIMES = ("opens_at", "due_at", "opened_at", "acknowledged_at", "missed_at", "done_at")
_PEOPLE = ("owner", "backup", "holder", "author", "done_by")
_SENT_TIMES = ("created_at", "next_attempt_at", "sent_at")


def load_incident_document(connection: Connection, name: str, roster: Roster, now: DateTime) -> dict[str, Any]:
    """Load everything about an incident but its timeline.

    Raises:
        UnknownIncident: there is none of that name.
    """
    incident_id = incidents.find_incident_id(connection, name)
    ids = incidents.list_response_ids(connection, incident_id)
    snapshots = [incidents.load_snapshot(connection, response, roster) for response in ids]
    messages = outbox.list_incident_messages(connection, incident_id)
    stages: list[dict[str, Any]] = []
    on_demand: list[dict[str, Any]] = []
    for snapshot in snapshots:
        for stage in snapshot.response.playbook.stages:
            states = [state for state in snapshot.steps.values() if state.stage == stage.id]
            if states or not stage.on_demand:
                stages.append(_stage(snapshot, stage, states, now))
            if stage.on_demand:
                playbook = snapshot.response.playbook.id
                on_demand.append({"id": stage.id, "playbook": playbook, "title": both_languages(stage.title)})
    people = {step[name] for one in stages for step in one["steps"] for name in _PEOPLE if step.get(name)}
    people |= {name for one in stages for step in one["steps"] for name in step["called"]}
    people |= {row.person for row in messages if row.kind == "notice"}
    return {
        **incident_summary(incidents.load_incident(connection, incident_id)),
        "currency": roster.currency,
        "playbooks": [_playbook(snapshot) for snapshot in snapshots],
        "stages": stages,
        "on_demand": on_demand,
        "notices": [_notice(row) for row in messages if row.kind == "notice"],
        "publications": [_publication(row) for row in messages if row.kind == "publication"],
        "people": {name: roster.name(name) for name in sorted(people) if name},
    }


def _playbook(snapshot: Snapshot) -> dict[str, Any]:
    response, playbook = snapshot.response, snapshot.response.playbook
    script = both_languages(playbook.holding_script) if playbook.holding_script else None
    return {
        "id": playbook.id,
        "title": both_languages(playbook.title),
        "version": playbook.version,
        "response": response.id,
        "started_at": iso_time(response.started_at),
        "finished_at": iso_time(response.finished_at),
        "holding_script": script,
    }


def _stage(snapshot: Snapshot, stage: Stage, states: list[StepState], now: DateTime) -> dict[str, Any]:
    number = max((state.round for state in states), default=1)
    latest = [state for state in states if state.round == number]
    lasts = stage_window(snapshot.incident, snapshot.response, stage, number)
    if lasts is None and latest:
        lasts = min(state.opens_at for state in latest), max(state.due_at for state in latest)
    opens, due = lasts or (None, None)
    return {
        "id": stage.id,
        "playbook": snapshot.response.playbook.id,
        "title": both_languages(stage.title),
        "clock": stage.clock,
        "state": _stage_state(states, opens, now),
        "round": number,
        "repeats": stage.repeat is not None,
        "opens_at": iso_time(opens),
        "due_at": iso_time(due),
        "steps": [step_document(snapshot, state, now) for state in states],
    }


def _stage_state(states: list[StepState], opens: DateTime | None, now: DateTime) -> str:
    active = [state for state in states if state.active]
    if any(state.due_at < now for state in active):
        return "late"
    if any(state.status in BEGUN_STATUSES for state in active) or (active and opens is not None and opens <= now):
        return "running"
    if active or not states:
        return "waiting"
    done = any(state.status in (StepStatus.DONE, StepStatus.SKIPPED) for state in states)
    return "done" if done else "abandoned"


def step_document(snapshot: Snapshot, state: StepState, now: DateTime) -> dict[str, Any]:
    """Return one step, with its text where it has one."""
    plan = snapshot.plan(state)
    ended = state.done_at or now
    document: dict[str, Any] = {
        "id": state.id,
        "step": state.step,
        "kind": str(plan.kind),
        "title": both_languages(plan.title),
        "round": state.round,
        "instruction": both_languages(plan.instruction),
        "state": str(state.status),
        "role": plan.owner,
        "owner": state.owner or snapshot.roster.primary(plan.owner) or "",
        "backup": state.backup or snapshot.roster.backup(plan.owner, plan.backup) or "",
        "holder": state.holder,
        "called": list(state.called),
        "done_by": state.done_by,
        "evidence": state.evidence,
        "asks_evidence": plan.evidence,
        "decides": plan.attaches,
        "needs": [need.id if need else name for name, need in snapshot.needs(state)],
        "late": state.missed_at is not None or (state.status not in _CLOSED_STATUSES and state.due_at < ended),
        **{name: iso_time(getattr(state, name)) for name in _STEP_TIMES},
    }
    if plan.kind is StepKind.DRAFT:
        document |= _text(snapshot, state)
        document["template"] = both_languages(plan.template) if plan.template and not state.texts else None
    elif plan.of:
        draft = snapshot.related(state, plan.of)
        document["of"] = draft.id if draft else None
        document["digest"] = state.digest
    if plan.kind is StepKind.PUBLISH:
        document["channels"] = list(plan.channels or snapshot.roster.public)
        document["postings"] = dict(state.postings)
        document["receipts"] = dict(state.receipts)
        document["withdraws"] = plan.withdraws
    return document


_CLOSED_STATUSES = frozenset({StepStatus.ABANDONED, StepStatus.SUPERSEDED, StepStatus.SKIPPED})


def _text(snapshot: Snapshot, state: StepState) -> dict[str, Any]:
    """Return the text as written and as it would be posted. `unfit`: why it cannot be published any more."""
    rendered, unfit = {}, ""
    channels = publication_channels(snapshot, state)
    if state.texts:
        try:
            rendered = render_for_channels(state.texts, channels)
        except UnpublishableText as error:
            unfit = str(error)
        if rendered and state.digest and compute_digest(rendered) != state.digest:
            rendered, unfit = {}, "the official channels changed since it was written: hand it in again"
    return {
        "texts": dict(state.texts),
        "version": state.version,
        "digest": state.digest,
        "author": state.author,
        "amount": state.amount,
        "rendered": rendered,
        "unfit": unfit,
        "goes_to": {channel.id: {"language": channel.language, "limit": channel.limit} for channel in channels},
    }


def _notice(row: OutboxMessage) -> dict[str, Any]:
    names = ("key", "state", "attempts", "purpose", "person", "channel", "step", "receipt", "detail")
    times = {name: iso_time(getattr(row, name)) for name in _SENT_TIMES}
    return {**{name: getattr(row, name) for name in names}, **times, "title": row.payload.get("title", "")}


def _publication(row: OutboxMessage) -> dict[str, Any]:
    names = ("key", "state", "attempts", "step", "receipt", "detail")
    return {
        **{name: getattr(row, name) for name in names},
        **{name: iso_time(getattr(row, name)) for name in _SENT_TIMES},
        "channel": row.person,
        "target": row.payload.get("target", ""),
        "text": row.payload.get("body", ""),
    }
