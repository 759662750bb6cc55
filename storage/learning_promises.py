"""What was promised, as rows: actions with their step, and incidents whose promises nobody recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, select

from domain.action import STAGE, STEP, ActionKind
from domain.incident import Incident, Nature
from storage.incidents import INCIDENT, RESPONSE, incident_of
from storage.incidents import STEP as STEPS

MOST = 500
RECORDS = (ActionKind.MEASURE, ActionKind.RETROSPECTIVE, ActionKind.PROPOSAL)


def listed(
    connection: Connection, *, ids: Sequence[str] = (), origins: Sequence[str] = (), kinds: Sequence[str] = (),
    running: bool = False, late_at: DateTime | None = None, limit: int = MOST,
) -> list[Row[Any]]:  # fmt: skip
    """Actions with owner, holder, deadline and state of their one step, whatever is due first first.

    Args:
        ids: only these.
        origins: only those that come from these matters.
        kinds: only those of these kinds.
        running: only those that are not over.
        late_at: only those that are not over and whose deadline has passed then.
    """
    columns = (
        STEPS.c.status.label("state"), STEPS.c.owner, STEPS.c.holder, STEPS.c.due_at, STEPS.c.done_at, STEPS.c.done_by,
        STEPS.c.evidence, STEPS.c.missed_at, RESPONSE.c.copy_digest,
    )  # fmt: skip
    query = (
        select(INCIDENT, *columns)
        .join(RESPONSE, RESPONSE.c.incident_id == INCIDENT.c.id)
        .join(STEPS, STEPS.c.response_id == RESPONSE.c.id)
        .where(INCIDENT.c.nature == str(Nature.ACTION), STEPS.c.stage == STAGE, STEPS.c.step == STEP)
    )
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
    return list(connection.execute(query.order_by(STEPS.c.due_at, INCIDENT.c.number).limit(limit)))


def unrecorded(connection: Connection, since: DateTime, until: DateTime) -> list[Incident]:
    """Real incidents that said something in public between then and then, and led to no measure on record."""
    action = INCIDENT.alias()
    recorded = (
        select(action.c.id)
        .where(
            action.c.nature == str(Nature.ACTION),
            action.c.kind.in_([str(kind) for kind in RECORDS]),
            action.c.status != "cancelled",
            action.c.origin == INCIDENT.c.ref,
        )
        .exists()
    )
    query = select(INCIDENT).where(
        INCIDENT.c.nature == str(Nature.INCIDENT),
        INCIDENT.c.drill.is_(False),
        INCIDENT.c.last_public_at >= since,
        INCIDENT.c.declared_at <= until,
        ~recorded,
    )
    return [incident_of(row) for row in connection.execute(query.order_by(INCIDENT.c.number))]
