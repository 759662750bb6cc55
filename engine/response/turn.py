"""Turn: load, decide, commit. Taken by the runner as a Prefect run, and by the guarantor without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pendulum import DateTime

from domain.decide import Decision, decide
from domain.durations import elapsed
from domain.facts import Fact, FactKind
from domain.incident import Response
from domain.playbook import Playbook
from domain.roster import Roster
from engine.installation import Installation
from engine.response.declaration_batch import response_id
from engine.response.enqueue import commit_decision
from engine.response.facts import append_facts
from storage.database import Connection
from storage.incidents import incidents, turns
from storage.incidents.incidents import TurnLease

TurnDriver = Literal["prefect", "guarantor", "sweep"]
LEASE = timedelta(seconds=20)  # longer than any turn; whoever is more urgent takes it over by its token


@dataclass(frozen=True, slots=True)
class TurnResult:
    """Result of a turn that was taken, for the log, the artifact and the figures."""

    ref: str
    response_id: str
    decision: Decision
    late: timedelta


def lease_turns(
    installation: Installation, response_ids: Iterable[str], now: DateTime, *, spare: timedelta | None = None
) -> list[TurnLease]:
    """Lease the turns of these responses that are due.

    `spare`: leave alone a turn that was leased less than so long ago: several who read one list would only
    take each other's work away. None: take over every lease.
    """
    with installation.database.write() as connection:
        spared = None if spare is None else now + LEASE - spare
        return incidents.lease_turns(connection, response_ids, now, now + LEASE, spared)


def start_response(
    connection: Connection, roster: Roster, incident_id: str, playbook: Playbook, now: DateTime, *,
    started_at: DateTime, by: str,
) -> bool:  # fmt: skip
    """Start one more response of an incident with its first turn; False where it runs that playbook already.

    The caller holds the incident's lock. `started_at`: from when its clock counts.
    """
    known = incidents.list_response_ids(connection, incident_id)
    name = response_id(incident_id, playbook.id)
    if name in known:
        return False
    incidents.add_response(connection, incident_id, Response(name, playbook, started_at), len(known))
    before = incidents.load_snapshot(connection, name, roster)
    decision = decide(before, now)
    incidents.save_snapshot(connection, before, decision.snapshot, decision.wake_at)
    data = {"playbook": playbook.id, "version": playbook.version, "since": started_at.isoformat()}
    commit_decision(connection, decision, now, before=[Fact(FactKind.ATTACHED, now, by=by, data=data)])
    return True


def take_turn(
    installation: Installation, lease: TurnLease, now: DateTime, *, driver: TurnDriver, run_id: str = ""
) -> TurnResult | None:
    """Take one turn in one transaction; None if the lease is no longer the newest, so another has taken it."""
    with installation.database.write() as connection:
        incidents.lock_incident_of_response(connection, lease.response_id)
        if not incidents.is_newest_lease(connection, lease):  # taken over: nothing is worth the deciding
            return None
        before = incidents.load_snapshot(connection, lease.response_id, installation.roster())
        decision = decide(before, now)
        if not incidents.save_snapshot(connection, before, decision.snapshot, decision.wake_at, lease):
            return None
        if driver == "guarantor" and decision.facts:
            late = round(elapsed(lease.due_at, now).total_seconds(), 1)
            append_facts(connection, before, [Fact(FactKind.WITHOUT_PREFECT, now, data={"late_seconds": late})])
        commit_decision(connection, decision, now, run_id=run_id)
        taken = {
            "response_id": lease.response_id, "due_at": lease.due_at, "taken_at": now, "driver": driver,
            "run_id": run_id,
        }  # fmt: skip
        turns.record_turns(connection, [taken])
    return TurnResult(before.incident.ref, lease.response_id, decision, elapsed(lease.due_at, now))
