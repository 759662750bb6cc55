"""Approved spending: the sums of money in approved texts."""

from __future__ import annotations

from pendulum import DateTime
from sqlalchemy import Connection, and_, func, select

from storage.incidents.incidents import INCIDENT, RESPONSE, STEP


def sum_approved_since(connection: Connection, since: DateTime) -> int:
    """Sum the amounts of drafts of real incidents that were approved since then, each draft as it stands.

    An approval carries the hash of the text that it approved: an edit takes its sum out until that too is
    approved.
    """
    approval = STEP.alias("approval")
    same = and_(
        approval.c.response_id == STEP.c.response_id, approval.c.digest == STEP.c.digest, approval.c.id != STEP.c.id,
        approval.c.status == "done", approval.c.done_at >= since,
    )  # fmt: skip
    query = (
        select(func.coalesce(func.sum(STEP.c.amount), 0))
        .join(approval, same)
        .join(RESPONSE, RESPONSE.c.id == STEP.c.response_id)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(STEP.c.amount.is_not(None), STEP.c.digest != "", INCIDENT.c.drill.is_(False))
    )
    return int(connection.execute(query).scalar_one())
