"""Read model of learning: suggestions, actions, recurrences. JSON-able, times in ISO 8601."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime

from domain.learning.plan import next_meeting
from domain.roster import Roster
from engine.learning.service import LearningService
from storage.database import Connection
from storage.incidents import incidents
from storage.incidents.board import both_languages, iso_time
from storage.incidents.incidents import UnknownIncident
from storage.learning import promised_actions, recurrence_store, suggestion_store
from storage.learning.promised_actions import PromisedAction
from storage.learning.suggestion_store import SuggestionGroup


def list_suggestions(
    service: LearningService, now: DateTime, *, everything: bool, drills: bool, limit: int
) -> dict[str, Any]:
    """List groups of suggestions, the most voices first, and when the next meeting is."""
    with service.installation.database.read() as connection:
        rows = suggestion_store.list_suggestions(
            connection, scope=None if drills else "", unanswered=not everything, limit=limit
        )
        after = suggestion_store.list_incidents_by_group(connection, [row.number for row in rows])
    return {
        "next_meeting": iso_time(next_meeting(service.plan, now)),
        "suggestions": [suggestion_row(row, after.get(row.number, [])) for row in rows],
    }


def suggestion_row(row: SuggestionGroup, after: list[str]) -> dict[str, Any]:
    """Return one group of suggestions as a row: nothing of it names a customer."""
    tracker = {
        "state": row.tracker, "attempts": row.tracker_attempts, "receipt": row.tracker_receipt,
        "detail": row.tracker_detail,
    }  # fmt: skip
    return {
        "id": f"{suggestion_store.SUGGESTION_PREFIX}{row.number}", "wording": row.wording, "language": row.language,
        "voices": row.voices, "after": after, "drill": bool(row.scope), "first_at": iso_time(row.first_at),
        "last_at": iso_time(row.last_at), "agenda": row.agenda, "answer": row.answer,
        "answered_at": iso_time(row.answered_at), "answered_by": row.answered_by,
        "action": row.action_ref or "", "tracker": tracker if row.tracker else None,
    }  # fmt: skip


def list_actions(
    service: LearningService, now: DateTime, *, running: bool, late: bool, origin: str = ""
) -> dict[str, Any]:
    """List promised actions, the earliest due first."""
    roster = service.installation.roster()
    origins = [origin.strip().upper()] if origin else []
    with service.installation.database.read() as connection:
        rows = promised_actions.list_actions(
            connection, origins=origins, running=running, late_at=now if late else None
        )
        return {"actions": [_action(connection, row, roster, now) for row in rows]}


def get_action(service: LearningService, ref: str, now: DateTime) -> dict[str, Any]:
    """Return one promised action.

    Raises:
        UnknownIncident: there is none of that reference, or it is no promise.
    """
    with service.installation.database.read() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        rows = promised_actions.list_actions(connection, ids=[incident_id])
        if not rows:
            raise UnknownIncident(f"{ref.strip()[:60]} is no action: `tocsin actions` lists them")
        return _action(connection, rows[0], service.installation.roster(), now)


def _action(connection: Connection, row: PromisedAction, roster: Roster, now: DateTime) -> dict[str, Any]:
    step = next(iter(incidents.load_playbook_copy(connection, row.copy_digest).each_step()))[1]
    holder = row.holder or row.owner or roster.primary(step.owner) or ""
    return {
        "ref": row.ref,
        "title": both_languages(step.title),
        "kind": row.kind,
        "origin": row.origin,
        "service": row.service,
        "status": row.status,
        "state": row.state,
        "role": step.owner,
        "owner": holder,
        "owner_name": roster.name(holder),
        "promised_at": iso_time(row.declared_at),
        "due_at": iso_time(row.due_at),
        "late": bool(row.state not in ("done", "skipped", "abandoned") and row.due_at < now),
        "done_at": iso_time(row.done_at),
        "done_by": row.done_by,
        "evidence": row.evidence,
        "because": both_languages(step.instruction),
        "drill": bool(row.drill),
    }


def list_recurrences(service: LearningService) -> dict[str, Any]:
    """List the kinds of problems that became a warning, the newest first."""
    with service.installation.database.read() as connection:
        rows = recurrence_store.list_recurrences(connection)
        return {
            "recurrences": [
                {
                    "warning": row.ref or "",
                    "kind": row.kind,
                    "source": row.source,
                    "title": dict(row.title),
                    "service": row.service,
                    "cases": len(recurrence_store.list_case_ids(connection, row.id)),
                    "first_at": iso_time(row.first_at),
                    "last_at": iso_time(row.last_at),
                    "status": row.status or "held",
                    "document": row.document,
                    "over": row.ended_at is not None,
                }
                for row in rows
            ]
        }


def get_improvement(service: LearningService, from_at: DateTime, to_at: DateTime) -> dict[str, Any]:
    """Return the share of complaints that became a recorded improvement, against its aim."""
    with service.installation.database.read() as connection:
        found = suggestion_store.compute_improvement_share(connection, from_at, to_at)
    return {
        "from": iso_time(from_at), "to": iso_time(to_at), "complaints": found.complaints, "improved": found.improved,
        "by_suggestion": found.by_suggestion, "by_incident": found.by_incident, "done": found.done,
        "share": found.share, "aim": service.plan.improvement_aim,
    }  # fmt: skip
