"""The timeline: facts appended in order, each chained to the one before by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec
from pendulum import DateTime
from sqlalchemy import Connection, func, insert, select, update

from domain.facts import Fact, FactKind
from storage.incidents.tables import FactRow, IncidentRow

FACT = FactRow.__table__  # type: ignore[attr-defined]
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A fact as it stands on a timeline."""

    seq: int
    at: DateTime
    kind: str
    step: str
    by: str
    data: dict[str, Any]
    response_id: str
    run_id: str


def append_facts(
    connection: Connection, incident_id: str, facts: Sequence[Fact], *, response_id: str = "", run_id: str = ""
) -> None:
    """Append facts to an incident's timeline. The incident's row is the lock: its head moves with them."""
    if not facts:
        return
    found = connection.execute(
        update(INCIDENT)
        .where(INCIDENT.c.id == incident_id)
        .values(facts=INCIDENT.c.facts + len(facts))
        .returning(INCIDENT.c.facts, INCIDENT.c.head)
    ).one()
    rows, head = chain_facts(
        incident_id, facts, response_id=response_id, run_id=run_id, seq=found.facts - len(facts), head=found.head
    )
    connection.execute(insert(FACT), rows)
    connection.execute(update(INCIDENT).where(INCIDENT.c.id == incident_id).values(head=head))


def chain_facts(
    incident_id: str, facts: Sequence[Fact], *, response_id: str, run_id: str = "", seq: int = 0, head: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """Return facts as rows chained onto a timeline that ends at `seq` with the hash `head`; and the new hash."""
    rows = []
    for fact in facts:
        seq += 1
        row = {
            "incident_id": incident_id, "seq": seq, "at": fact.at, "kind": str(fact.kind), "response_id": response_id,
            "step": fact.step, "by": fact.by, "data": dict(fact.data), "run_id": run_id, "previous": head,
        }  # fmt: skip
        head = row["hash"] = hash_fact(row)
        rows.append(row)
    return rows, head


def hash_fact(row: dict[str, Any]) -> str:
    """Hash a fact with the previous hash (SHA-256): changing any earlier fact changes every later hash."""
    chained = {
        **{name: row[name] for name in ("incident_id", "seq", "kind", "response_id", "step", "by", "data")},
        "run_id": row["run_id"],
        "at": row["at"].astimezone(UTC).isoformat(),
        "previous": row["previous"],
    }
    return hashlib.sha256(msgspec.json.encode(chained, order="deterministic")).hexdigest()


def read_timeline(
    connection: Connection, incident_id: str, *, after: int = 0, limit: int = 10_000
) -> list[TimelineEntry]:
    """Read the facts of an incident in order."""
    query = select(FACT).where(FACT.c.incident_id == incident_id, FACT.c.seq > after).order_by(FACT.c.seq).limit(limit)
    return [
        TimelineEntry(row.seq, row.at, row.kind, row.step, row.by, row.data, row.response_id, row.run_id)
        for row in connection.execute(query)
    ]


def first_published_at(connection: Connection, incident_id: str) -> DateTime | None:
    """When something of an incident was public first; None: nothing was."""
    published = (FACT.c.incident_id == incident_id, FACT.c.kind == str(FactKind.PUBLISHED))
    found: DateTime | None = connection.execute(select(func.min(FACT.c.at)).where(*published)).scalar_one_or_none()
    return found


def newest_fact_at(connection: Connection) -> DateTime | None:
    """When the newest fact of all timelines was recorded, by the clock that it was written with."""
    found: DateTime | None = connection.execute(select(func.max(FACT.c.at))).scalar_one_or_none()
    return found


def list_draft_versions(connection: Connection, incident_id: str, step: str) -> dict[int, dict[str, str]]:
    """List every version of a draft as handed in: number -> language or channel -> text."""
    query = select(FACT.c.data).where(
        FACT.c.incident_id == incident_id, FACT.c.kind == str(FactKind.DRAFTED), FACT.c.step == step
    )
    return {row.data["version"]: row.data["texts"] for row in connection.execute(query.order_by(FACT.c.seq))}


def verify_chain(connection: Connection, incident_id: str) -> str | None:
    """Verify the chain: None where it holds; else one line that names the first fact altered, removed or added."""
    head, seq = "", 0
    for row in connection.execute(
        select(FACT).where(FACT.c.incident_id == incident_id).order_by(FACT.c.seq)
    ).mappings():
        seq += 1
        if row["seq"] != seq:
            return f"fact {seq} is missing: the next one found is {row['seq']}"
        if row["previous"] != head or row["hash"] != hash_fact(dict(row)):
            return f"fact {seq} ({row['kind']}, {row['at'].isoformat()}) was altered since it was recorded"
        head = row["hash"]
    known = connection.execute(select(INCIDENT.c.facts, INCIDENT.c.head).where(INCIDENT.c.id == incident_id)).one()
    if (known.facts, known.head) != (seq, head):
        return f"the timeline ends at fact {seq}, but {known.facts} were recorded"
    return None
