"""What was learned, as programs read it: JSON-able, times in ISO 8601."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row

from domain.learning.plan import next_meeting
from domain.roster import Roster
from engine.learning.desk import LearningDesk
from storage import incidents, learning, learning_promises, learning_recurrence
from storage.board import both, iso
from storage.incidents import UnknownIncident


def suggestions(desk: LearningDesk, now: DateTime, *, everything: bool, drills: bool, limit: int) -> dict[str, Any]:
    """Groups of suggestions, the most voices first; when the next meeting is."""
    with desk.house.database.read() as connection:
        rows = learning.listed(connection, scope=None if drills else "", unanswered=not everything, limit=limit)
        after = learning.incidents_of(connection, [row.number for row in rows])
    return {
        "next_meeting": iso(next_meeting(desk.plan, now)),
        "suggestions": [suggestion(row, after.get(row.number, [])) for row in rows],
    }


def suggestion(row: Row[Any], after: list[str]) -> dict[str, Any]:
    """One group: nothing of it names a customer."""
    tracker = {
        "state": row.tracker, "attempts": row.tracker_attempts, "receipt": row.tracker_receipt,
        "detail": row.tracker_detail,
    }  # fmt: skip
    return {
        "id": f"{learning.PREFIX}{row.number}", "wording": row.wording, "language": row.language,
        "voices": row.voices, "after": after, "drill": bool(row.scope), "first_at": iso(row.first_at),
        "last_at": iso(row.last_at), "agenda": row.agenda, "answer": row.answer,
        "answered_at": iso(row.answered_at), "answered_by": row.answered_by,
        "action": row.action_ref or "", "tracker": tracker if row.tracker else None,
    }  # fmt: skip


def actions(desk: LearningDesk, now: DateTime, *, running: bool, late: bool, origin: str = "") -> dict[str, Any]:
    """What was promised, whatever is due first first."""
    roster = desk.house.roster()
    origins = [origin.strip().upper()] if origin else []
    with desk.house.database.read() as connection:
        rows = learning_promises.listed(connection, origins=origins, running=running, late_at=now if late else None)
        return {"actions": [_action(connection, row, roster, now) for row in rows]}


def action(desk: LearningDesk, ref: str, now: DateTime) -> dict[str, Any]:
    """One promise.

    Raises:
        UnknownIncident: there is none of that reference, or it is no promise.
    """
    with desk.house.database.read() as connection:
        incident_id = incidents.find(connection, ref)
        rows = learning_promises.listed(connection, ids=[incident_id])
        if not rows:
            raise UnknownIncident(f"{ref.strip()[:60]} is no action: `tocsin actions` lists them")
        return _action(connection, rows[0], desk.house.roster(), now)


def _action(connection: Connection, row: Row[Any], roster: Roster, now: DateTime) -> dict[str, Any]:
    step = next(iter(incidents.playbook_copy(connection, row.copy_digest).each_step()))[1]
    holder = row.holder or row.owner or roster.primary(step.owner) or ""
    return {
        "ref": row.ref, "title": both(step.title), "kind": row.kind, "origin": row.origin, "service": row.service,
        "status": row.status, "state": row.state, "role": step.owner, "owner": holder,
        "owner_name": roster.name(holder), "promised_at": iso(row.declared_at), "due_at": iso(row.due_at),
        "late": bool(row.state not in ("done", "skipped", "abandoned") and row.due_at < now),
        "done_at": iso(row.done_at), "done_by": row.done_by, "evidence": row.evidence,
        "because": both(step.instruction), "drill": bool(row.drill),
    }  # fmt: skip


def recurrences(desk: LearningDesk) -> dict[str, Any]:
    """Kinds of problems that became a warning, the newest first."""
    with desk.house.database.read() as connection:
        rows = learning_recurrence.listed(connection)
        return {
            "recurrences": [
                {
                    "warning": row.ref or "", "kind": row.kind, "source": row.source, "title": dict(row.title),
                    "service": row.service, "cases": len(learning_recurrence.cases_of(connection, row.id)),
                    "first_at": iso(row.first_at), "last_at": iso(row.last_at), "status": row.status or "held",
                    "document": row.document, "over": row.ended_at is not None,
                }
                for row in rows
            ]
        }  # fmt: skip


def improvement(desk: LearningDesk, from_at: DateTime, to_at: DateTime) -> dict[str, Any]:
    """The share of complaints that became a recorded improvement, against its aim."""
    with desk.house.database.read() as connection:
        found = learning.improvement_share(connection, from_at, to_at)
    return {
        "from": iso(from_at), "to": iso(to_at), "complaints": found.complaints, "improved": found.improved,
        "by_suggestion": found.by_suggestion, "by_incident": found.by_incident, "done": found.done,
        "share": found.share, "aim": desk.plan.improvement_aim,
    }  # fmt: skip
