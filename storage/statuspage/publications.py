"""Publications of real incidents: facts of publication with the text that was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, select, text

from domain.incident import CaseType, IncidentStatus
from domain.service_status import PublicIncident
from storage.incidents.incidents import INCIDENT, RESPONSE
from storage.incidents.timeline import FACT
from storage.outbox import OUTBOX
from storage.rows import read_all

# As a literal, and of this table: a partial index is not found by parameters.
_PUBLISHED = text("fact.kind = 'published'")
_REAL = (INCIDENT.c.nature == str(CaseType.INCIDENT), INCIDENT.c.drill.is_(False))


@dataclass(frozen=True, slots=True)
class PublishedFact:
    """A fact of publication: that a text of a real incident was posted."""

    incident_id: str
    at: DateTime
    step: str
    data: dict[str, Any]  # the `channel`, and the `receipt` where there is one
    playbook: str | None  # of its response; None: that is gone


def list_publications(connection: Connection, since: DateTime, limit: int = 200) -> list[PublishedFact]:
    """List publications since then, the newest first."""
    query = (
        select(FACT.c.incident_id, FACT.c.at, FACT.c.step, FACT.c.data, RESPONSE.c.playbook)
        .join(INCIDENT, INCIDENT.c.id == FACT.c.incident_id)
        .outerjoin(RESPONSE, RESPONSE.c.id == FACT.c.response_id)
        .where(_PUBLISHED, FACT.c.at > since, *_REAL)
        .order_by(FACT.c.at.desc())
        .limit(limit)
    )
    return read_all(connection, PublishedFact, query)


def list_published_texts(connection: Connection, incidents: list[str]) -> dict[tuple[str, str, str], str]:
    """Map (incident, step, channel) to the text that was ordered last, as far as it is still kept."""
    if not incidents:
        return {}
    query = (
        select(OUTBOX.c.incident_id, OUTBOX.c.step, OUTBOX.c.person, OUTBOX.c.payload)
        .where(OUTBOX.c.incident_id.in_(incidents), OUTBOX.c.kind == "publication", OUTBOX.c.drill.is_(False))
        .order_by(OUTBOX.c.id)
    )
    return {
        (row.incident_id, row.step, row.person): row.payload["body"]
        for row in connection.execute(query)
        if row.payload.get("body")
    }


def list_public_incidents(connection: Connection) -> list[PublicIncident]:
    """List incidents that are not over and name a service."""
    told = (INCIDENT.c.service, INCIDENT.c.severity, INCIDENT.c.status, INCIDENT.c.declared_at)
    unended = INCIDENT.c.status.in_([str(IncidentStatus.OPEN), str(IncidentStatus.MITIGATED)])
    found = connection.execute(select(*told).where(unended, *_REAL))
    return [PublicIncident(row.service, row.severity, IncidentStatus(row.status), row.declared_at) for row in found]
