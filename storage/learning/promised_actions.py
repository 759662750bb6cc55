"""Promised actions with their step, and incidents whose promises are not on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Select, func, select, union_all

from domain.action import STAGE, STEP, ActionKind
from domain.incident import CaseType, Incident
from storage.incidents.incidents import INCIDENT, RESPONSE, incident_from_row
from storage.incidents.incidents import STEP as STEPS
from storage.incidents.warnings import WARNING
from storage.learning.recurrence_store import RECURRENCE_CASE
from storage.rows import read_all

MOST = 500
_RECORDS = [str(kind) for kind in (ActionKind.MEASURE, ActionKind.RETROSPECTIVE, ActionKind.PROPOSAL)]


@dataclass(frozen=True, slots=True)
class PromisedAction:
    """A promised action as recorded, with its one step."""

    number: int  # 7 of ACT-7
    ref: str
    title: str
    kind: str  # of `ActionKind`
    origin: str  # the reference of what it comes from
    service: str
    status: str  # of the case: open | mitigated | closed | completed | cancelled
    drill: bool
    declared_at: DateTime
    state: str  # of the step: open | acknowledged | done | abandoned ...
    owner: str
    holder: str  # who acknowledged it; empty: nobody yet
    due_at: DateTime
    done_at: DateTime | None
    done_by: str
    evidence: str
    copy_digest: str  # of the playbook that has its words


def _actions() -> Select[Any]:
    """Actions with their one step."""
    columns = (
        STEPS.c.status.label("state"), STEPS.c.owner, STEPS.c.holder, STEPS.c.due_at, STEPS.c.done_at, STEPS.c.done_by,
        STEPS.c.evidence, RESPONSE.c.copy_digest,
    )  # fmt: skip
    return (
        select(INCIDENT, *columns)
        .join(RESPONSE, RESPONSE.c.incident_id == INCIDENT.c.id)
        .join(STEPS, STEPS.c.response_id == RESPONSE.c.id)
        .where(INCIDENT.c.nature == str(CaseType.ACTION), STEPS.c.stage == STAGE, STEPS.c.step == STEP)
    )


def list_actions(
    connection: Connection, *, ids: Sequence[str] = (), origins: Sequence[str] = (), kinds: Sequence[str] = (),
    running: bool = False, late_at: DateTime | None = None, limit: int = MOST,
) -> list[PromisedAction]:  # fmt: skip
    """List actions with owner, holder, deadline and state of their one step, the earliest deadline first.

    Args:
        ids: only these.
        origins: only those that come from these matters.
        kinds: only those of these kinds.
        running: only those that are not over.
        late_at: only those that are not over and whose deadline has passed then.
    """
    query = _actions()
    if ids:
        query = query.where(INCIDENT.c.id.in_(list(ids)))
    if origins:
        query = query.where(INCIDENT.c.origin.in_(list(origins)))
    if kinds:
        query = query.where(INCIDENT.c.kind.in_(list(kinds)))
    if running or late_at is not None:
        query = query.where(INCIDENT.c.status.in_(("open", "mitigated")))
    if late_at is not None:
        query = query.where(STEPS.c.due_at < late_at)
    return read_all(connection, PromisedAction, query.order_by(STEPS.c.due_at, INCIDENT.c.number).limit(limit))


def _origins(recurrence: str) -> Select[Any]:
    """The references of the cases of a kind, and of its own warning."""
    cases = (
        select(INCIDENT.c.ref)
        .join(RECURRENCE_CASE, RECURRENCE_CASE.c.id == INCIDENT.c.id)
        .where(RECURRENCE_CASE.c.recurrence == recurrence)
    )
    warning = select(INCIDENT.c.ref).join(WARNING, WARNING.c.matter == INCIDENT.c.id).where(WARNING.c.id == recurrence)
    return select(union_all(cases, warning).subquery().c.ref)


def list_recurrence_actions(connection: Connection, recurrence: str, limit: int) -> list[PromisedAction]:
    """List the newest measures of a recurrence's cases or proposal, the earliest deadline first."""
    query = _actions().where(INCIDENT.c.kind.in_(_RECORDS), INCIDENT.c.origin.in_(_origins(recurrence)))
    rows = read_all(connection, PromisedAction, query.order_by(INCIDENT.c.number.desc()).limit(limit))
    return sorted(rows, key=lambda row: (row.due_at, row.number))


def count_action_states(connection: Connection, recurrence: str) -> list[tuple[str, int]]:
    """Count the actions of a recurrence by state."""
    mine = _actions().where(INCIDENT.c.kind.in_(_RECORDS), INCIDENT.c.origin.in_(_origins(recurrence))).subquery()
    query = select(mine.c.state, func.count()).group_by(mine.c.state).order_by(mine.c.state)
    return [(str(row[0]), int(row[1])) for row in connection.execute(query)]


def list_unrecorded_promises(connection: Connection, since: DateTime, until: DateTime) -> list[Incident]:
    """List real incidents that published in [since, until) and led to no measure on record."""
    action = INCIDENT.alias()
    recorded = (
        select(action.c.id)
        .where(
            action.c.nature == str(CaseType.ACTION),
            action.c.kind.in_(_RECORDS),
            action.c.status != "cancelled",
            action.c.origin == INCIDENT.c.ref,
        )
        .exists()
    )
    query = select(INCIDENT).where(
        INCIDENT.c.nature == str(CaseType.INCIDENT),
        INCIDENT.c.drill.is_(False),
        INCIDENT.c.last_public_at >= since,
        INCIDENT.c.declared_at <= until,
        ~recorded,
    )
    return [incident_from_row(row) for row in connection.execute(query.order_by(INCIDENT.c.number))]
