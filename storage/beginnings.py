"""Incidents begin: several at once cost little more than one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, insert

from domain.facts import Fact
from domain.incident import Snapshot
from storage import incidents, outbox, timeline
from storage.incidents import INCIDENT, RESPONSE, STEP
from storage.outbox import Owed
from storage.turns import COMMAND


@dataclass(frozen=True, slots=True)
class Beginning:
    """An incident with its first response as first decided. Its id is the id of the command that declared it."""

    number: int
    snapshot: Snapshot
    wake_at: DateTime | None
    facts: tuple[Fact, ...]
    owed: tuple[Owed, ...]


def add_beginnings(connection: Connection, beginnings: Sequence[Beginning], now: DateTime) -> None:
    """Write them all: six statements, however many they are."""
    if not beginnings:
        return
    alike: dict[int, list[dict[str, Any]]] = {}  # rows of steps that several of them share, but for their response
    rows: dict[str, list[dict[str, Any]]] = {"incident": [], "response": [], "step": [], "fact": [], "command": []}
    for one in beginnings:
        incident, response = one.snapshot.incident, one.snapshot.response
        chained, head = timeline.chain(incident.id, one.facts, response_id=response.id)
        rows["incident"].append(
            {**incidents.incident_values(incident), "number": one.number, "facts": len(chained), "head": head}
        )
        rows["response"].append(
            {**incidents.response_values(connection, incident.id, response, position=0), "wake_at": one.wake_at}
        )
        steps = one.snapshot.steps
        if id(steps) not in alike:
            alike[id(steps)] = incidents.step_rows(one.snapshot)
        rows["step"] += [{**row, "response_id": response.id} for row in alike[id(steps)]]
        rows["fact"] += chained
        rows["command"].append({"id": incident.id, "incident_id": incident.id, "kind": "Declare", "at": now})
    for table, name in ((INCIDENT, "incident"), (RESPONSE, "response"), (STEP, "step"), (timeline.FACT, "fact")):
        if rows[name]:
            connection.execute(insert(table), rows[name])
    connection.execute(insert(COMMAND), rows["command"])
    outbox.enqueue(connection, [owed for one in beginnings for owed in one.owed], now)
