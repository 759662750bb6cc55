"""Bulk insert of declared incidents: several at once cost little more than one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Column, Connection, Dialect, insert

from domain.facts import Fact
from domain.incident import Snapshot
from storage import outbox
from storage.incidents import incidents, timeline
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP
from storage.incidents.turns import COMMAND
from storage.outbox import OutboxEntry


@dataclass(frozen=True, slots=True)
class DeclaredIncident:
    """A declared incident with its first response as first decided. Its id is the id of its command."""

    number: int
    snapshot: Snapshot
    wake_at: DateTime | None
    facts: tuple[Fact, ...]
    owed: tuple[OutboxEntry, ...]


def insert_declared_incidents(connection: Connection, beginnings: Sequence[DeclaredIncident], now: DateTime) -> None:
    """Insert all declared incidents with six statements, however many they are."""
    if not beginnings:
        return
    rows: dict[str, list[dict[str, Any]]] = {"incident": [], "response": [], "fact": [], "command": []}
    for one in beginnings:
        incident, response = one.snapshot.incident, one.snapshot.response
        chained, head = timeline.chain_facts(incident.id, one.facts, response_id=response.id)
        rows["incident"].append(
            {**incidents.incident_values(incident), "number": one.number, "facts": len(chained), "head": head}
        )
        rows["response"].append(
            {**incidents.response_values(connection, incident.id, response, position=0), "wake_at": one.wake_at}
        )
        rows["fact"] += chained
        rows["command"].append({"id": incident.id, "incident_id": incident.id, "kind": "Declare", "at": now})
    for table, name in ((INCIDENT, "incident"), (RESPONSE, "response"), (timeline.FACT, "fact")):
        if rows[name]:
            connection.execute(insert(table), rows[name])
    _add_steps(connection, beginnings)
    connection.execute(insert(COMMAND), rows["command"])
    outbox.enqueue_entries(connection, [owed for one in beginnings for owed in one.owed], now)


def _add_steps(connection: Connection, beginnings: Sequence[DeclaredIncident]) -> None:
    """Insert the steps of all. Incidents declared in one batch share theirs: values are bound once for them.

    A declaration has a dozen steps of thirty columns; binding each anew was a third of what a declaration
    costs.
    """
    statement = insert(STEP).compile(dialect=connection.dialect)
    binds = [(column.name, _bind(column, connection.dialect)) for column in STEP.columns]
    shared: dict[int, list[dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for one in beginnings:
        steps = one.snapshot.steps
        if id(steps) not in shared:
            plain = incidents.step_rows(one.snapshot)
            shared[id(steps)] = [{name: bind(row[name]) for name, bind in binds} for row in plain]
        rows += [{**row, "response_id": one.snapshot.response.id} for row in shared[id(steps)]]
    if not rows:
        return
    order = statement.positiontup
    values: Any = rows if order is None else [tuple(row[name] for name in order) for row in rows]
    connection.exec_driver_sql(str(statement), values)


def _bind(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """Return how a column's values are given to the database."""
    return column.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)
