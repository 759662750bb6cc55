"""Store of incidents, their responses and steps: loaded as snapshots, saved as differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from domain.incident import (
    REFERENCE_PREFIXES,
    CaseType,
    Impact,
    Incident,
    IncidentStatus,
    Response,
    Snapshot,
    StepState,
    StepStatus,
)
from domain.playbook import Playbook
from domain.roster import Roster
from playbooks.playbook_loader import from_document, to_document
from storage.conflict_insert import insert_into
from storage.incidents.tables import IncidentRow, PlaybookCopyRow, ResponseRow, StepRow

INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
RESPONSE = ResponseRow.__table__  # type: ignore[attr-defined]
STEP = StepRow.__table__  # type: ignore[attr-defined]
COPY = PlaybookCopyRow.__table__  # type: ignore[attr-defined]
_STEP_FIELDS = tuple(field.name for field in fields(StepState))
_IMPACT_FIELDS = tuple(field.name for field in fields(Impact))


class UnknownIncident(LookupError):
    """No such incident; the message says how to find the right one."""


class UnknownResponse(LookupError):
    """No such response in this database: its id comes from elsewhere."""


@dataclass(frozen=True, slots=True)
class TurnLease:
    """The right to take one turn of a response, as long as no other process takes it over."""

    response_id: str
    token: int
    due_at: DateTime


@dataclass(frozen=True, slots=True)
class DueResponse:
    """A response whose turn is due."""

    id: str
    flow: str  # of Prefect, which takes its turns
    incident_id: str
    wake_at: DateTime  # since when it is due
    ref: str  # the incident's


# --- finding -----------------------------------------------------------------------------------------------------


def find_incident_id(connection: Connection, name: str) -> str:
    """Find the id of the case of that reference (`INC-42`, `WRN-43`, `42`) or id."""
    wanted = str(name).strip()
    refs = [f"{prefix}-{wanted}" for prefix in REFERENCE_PREFIXES.values()] if wanted.isdigit() else [wanted.upper()]
    query = select(INCIDENT.c.id).where(or_(INCIDENT.c.ref.in_(refs), INCIDENT.c.id == wanted))
    found: str | None = connection.execute(query).scalar_one_or_none() if wanted.isprintable() else None
    if found is None:
        raise UnknownIncident(f"there is no incident {wanted[:60]!r}: `tocsin incidents` lists them")
    return found


def find_reference(connection: Connection, incident_id: str) -> str:
    """Find the reference of the case of that id; empty where there is none."""
    found = connection.execute(select(INCIDENT.c.ref).where(INCIDENT.c.id == incident_id)).scalar_one_or_none()
    return found or ""


def list_response_ids(connection: Connection, incident_id: str) -> list[str]:
    """List the ids of an incident's responses, the first one first."""
    query = select(RESPONSE.c.id).where(RESPONSE.c.incident_id == incident_id).order_by(RESPONSE.c.position)
    return list(connection.execute(query).scalars())


def list_response_ids_by_incident(connection: Connection, incident_ids: Sequence[str]) -> dict[str, list[str]]:
    """List the response ids of many incidents at once."""
    found: dict[str, list[str]] = {name: [] for name in incident_ids}
    query = select(RESPONSE.c.incident_id, RESPONSE.c.id).where(RESPONSE.c.incident_id.in_(incident_ids))
    for row in connection.execute(query.order_by(RESPONSE.c.position)):
        found[row.incident_id].append(row.id)
    return found


def find_first_playbook(connection: Connection, incident_id: str) -> str:
    """Return the id of the playbook that an incident was declared with."""
    query = select(RESPONSE.c.playbook).where(RESPONSE.c.incident_id == incident_id, RESPONSE.c.position == 0)
    return str(connection.execute(query).scalar_one_or_none() or "")


def lock_incident(connection: Connection, incident_id: str) -> None:
    """Lock an incident to the end of the transaction. SQLite's write transaction locks everything already."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(INCIDENT.c.number).where(INCIDENT.c.id == incident_id).with_for_update())


def lock_incident_of_response(connection: Connection, response_id: str) -> None:
    """Lock the incident of a response to the end of the transaction."""
    query = select(RESPONSE.c.incident_id).where(RESPONSE.c.id == response_id)
    lock_incident(connection, connection.execute(query).scalar_one())


def count_facts(connection: Connection, incident_id: str) -> int:
    """Count the facts of a timeline."""
    return int(connection.execute(select(INCIDENT.c.facts).where(INCIDENT.c.id == incident_id)).scalar_one())


# --- loading -----------------------------------------------------------------------------------------------------


def load_snapshot(connection: Connection, response_id: str, roster: Roster) -> Snapshot:
    """Load one response with its incident and steps.

    Raises:
        UnknownResponse: there is none of that id.
    """
    row = connection.execute(select(RESPONSE).where(RESPONSE.c.id == response_id)).one_or_none()
    if row is None:
        raise UnknownResponse(f"there is no response {response_id[:64]!r}")
    incident = load_incident(connection, row.incident_id)
    beside = connection.execute(
        select(RESPONSE.c.id, RESPONSE.c.finished_at, RESPONSE.c.position, RESPONSE.c.copy_digest)
        .where(RESPONSE.c.incident_id == row.incident_id)
        .order_by(RESPONSE.c.position)
    ).all()
    watching = [
        other.id
        for other in beside
        if other.finished_at is None and load_playbook_copy(connection, other.copy_digest).never_silent
    ]
    response = Response(
        id=row.id,
        playbook=load_playbook_copy(connection, row.copy_digest),
        started_at=row.started_at,
        finished_at=row.finished_at,
        silence_level=row.silence_level,
        silence_at=row.silence_at,
        silence_calls=row.silence_calls,
        watches_updates=watching[:1] == [row.id],
        others_finished=all(other.finished_at for other in beside if other.id != row.id),
    )
    rows = connection.execute(select(STEP).where(STEP.c.response_id == response_id).order_by(STEP.c.position))
    steps = {step.id: _step_state(step) for step in rows}
    return Snapshot(incident=incident, response=response, roster=roster, steps=steps)


def load_incident(connection: Connection, incident_id: str) -> Incident:
    """Load one incident by its id."""
    row = connection.execute(select(INCIDENT).where(INCIDENT.c.id == incident_id)).one()
    return incident_from_row(row)


def incident_from_row(row: Row[Any]) -> Incident:
    """Read an incident from its row."""
    return Incident(
        id=row.id, ref=row.ref, title=row.title, severity=row.severity, declared_at=row.declared_at,
        status=IncidentStatus(row.status), origin=row.origin, service=row.service, kind=row.kind, drill=row.drill,
        pace=row.pace, mitigated_at=row.mitigated_at, closed_at=row.closed_at, last_public_at=row.last_public_at,
        impact=Impact(row.customers, row.orders, row.money, row.brand), case_type=CaseType(row.nature),
    )  # fmt: skip


def _step_state(row: Row[Any]) -> StepState:
    values = {name: getattr(row, name) for name in _STEP_FIELDS}
    values["status"] = StepStatus(values["status"])
    values["called"] = tuple(values["called"])
    return StepState(**values)


_COPIES: dict[str, Playbook] = {}


def load_playbook_copy(connection: Connection, digest: str) -> Playbook:
    """Load the playbook of that hash; copies never change, so they are cached."""
    if digest not in _COPIES:
        document = connection.execute(select(COPY.c.document).where(COPY.c.digest == digest)).scalar_one()
        _COPIES[digest] = from_document(document)
    return _COPIES[digest]


_DOCUMENTS: dict[int, tuple[Playbook, str, dict[str, Any]]] = {}


def save_playbook_copy(connection: Connection, playbook: Playbook) -> str:
    """Save a playbook for the response that starts with it; return its hash. Equal copies are one row."""
    known = _DOCUMENTS.get(id(playbook))
    if known is None or known[0] is not playbook:
        document = to_document(playbook)
        canonical = json.dumps(document, sort_keys=True, ensure_ascii=False)
        known = (playbook, hashlib.sha256(canonical.encode()).hexdigest(), document)
        _DOCUMENTS[id(playbook)] = known
    _, digest, document = known
    if connection.execute(select(COPY.c.digest).where(COPY.c.digest == digest)).first() is None:
        values = {"digest": digest, "document": document}
        connection.execute(insert_into(connection, COPY).values(values).on_conflict_do_nothing())
    return digest


# --- saving ------------------------------------------------------------------------------------------------------


def reserve_numbers(connection: Connection, count: int) -> list[int]:
    """Reserve the next incident numbers. SQLite's write transaction locks them, PostgreSQL has a sequence."""
    if count and connection.dialect.name == "postgresql":
        sequence = func.nextval(func.pg_get_serial_sequence("incident", "number"))
        return list(connection.execute(select(sequence).select_from(func.generate_series(1, count))).scalars())
    last = connection.execute(select(func.coalesce(func.max(INCIDENT.c.number), 0))).scalar_one()
    return list(range(last + 1, last + 1 + count))


def make_reference(number: int, case_type: CaseType = CaseType.INCIDENT) -> str:
    """Make a case's reference; all types share their numbers, so `42` means one of them."""
    return f"{REFERENCE_PREFIXES[case_type]}-{number}"


def add_response(connection: Connection, incident_id: str, response: Response, position: int) -> None:
    """Add a response of an incident; its first turn is due when it is saved."""
    connection.execute(insert(RESPONSE), [response_values(connection, incident_id, response, position=position)])


def response_values(connection: Connection, incident_id: str, response: Response, *, position: int) -> dict[str, Any]:
    """Return a response's row; its copy of the playbook is saved."""
    return {
        "id": response.id, "incident_id": incident_id, "position": position, "playbook": response.playbook.id,
        "flow": response.playbook.flow, "copy_digest": save_playbook_copy(connection, response.playbook),
        "started_at": response.started_at, "finished_at": response.finished_at, "token": 0, "leased_until": None,
        "silence_level": response.silence_level, "silence_at": response.silence_at,
        "silence_calls": response.silence_calls, "wake_at": None,
    }  # fmt: skip


def step_rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return every step of a snapshot as a row."""
    return [_step_row(snapshot, state, place) for place, state in enumerate(snapshot.steps.values())]


def _step_row(snapshot: Snapshot, state: StepState, position: int) -> dict[str, Any]:
    row = {name: getattr(state, name) for name in _STEP_FIELDS}
    row["called"] = list(state.called)
    row["response_id"] = snapshot.response.id
    row["position"] = position
    return row


def save_snapshot(
    connection: Connection, before: Snapshot, after: Snapshot, wake_at: DateTime | None, lease: TurnLease | None = None
) -> bool:
    """Write the differences. With a lease: False, and nothing written, if its token is no longer the newest.

    The response's row is written first: its token guards the transaction, and on PostgreSQL its lock does.
    """
    response = after.response
    claim = update(RESPONSE).where(RESPONSE.c.id == response.id)
    if lease is not None:
        claim = claim.where(RESPONSE.c.token == lease.token).values(token=lease.token + 1)  # spent: one lease, one turn
    values = {
        "finished_at": response.finished_at, "silence_level": response.silence_level,
        "silence_at": response.silence_at, "silence_calls": response.silence_calls, "wake_at": wake_at,
        "leased_until": None,
    }  # fmt: skip
    if connection.execute(claim.values(values)).rowcount != 1:
        return False
    if after.incident != before.incident:
        values = incident_values(after.incident)
        connection.execute(update(INCIDENT).where(INCIDENT.c.id == after.incident.id).values(values))
    _save_steps(connection, before, after)
    return True


def _save_steps(connection: Connection, before: Snapshot, after: Snapshot) -> None:
    added, changed = [], []
    for position, (name, state) in enumerate(after.steps.items()):
        if before.steps.get(name) is not state:
            row = _step_row(after, state, position)
            if name in before.steps:
                changed.append({f"new_{field}": value for field, value in row.items()})
            else:
                added.append(row)
    if added:
        connection.execute(insert(STEP), added)
    if changed:
        connection.execute(_UPDATE_STEP, changed)


_UPDATE_STEP = (
    update(STEP)
    .where(STEP.c.response_id == bindparam("new_response_id"), STEP.c.id == bindparam("new_id"))
    .values({field: bindparam(f"new_{field}") for field in _STEP_FIELDS if field != "id"})
)


def incident_values(incident: Incident) -> dict[str, Any]:
    """Return an incident's row, without its number and the end of its timeline."""
    names = (
        "id", "ref", "title", "severity", "origin", "service", "kind", "drill", "declared_at", "mitigated_at",
        "closed_at", "last_public_at",
    )  # fmt: skip
    return {
        **{name: getattr(incident, name) for name in names},
        **{name: getattr(incident.impact, name) for name in _IMPACT_FIELDS},
        "status": str(incident.status),
        "nature": str(incident.case_type),
        "pace": dict(incident.pace),
    }


# --- who takes a turn --------------------------------------------------------------------------------------------


def wake_responses(connection: Connection, response_ids: Iterable[str], now: DateTime) -> None:
    """Make the turns of these responses due now: something happened that a decision must see."""
    ids = list(response_ids)
    if ids:
        due = or_(RESPONSE.c.wake_at.is_(None), RESPONSE.c.wake_at > now)
        connection.execute(update(RESPONSE).where(RESPONSE.c.id.in_(ids), due).values(wake_at=now))


def list_due_responses(
    connection: Connection, now: DateTime, *, limit: int, taken_too: bool = False
) -> list[DueResponse]:
    """List responses whose turn is due, the most harmful incident first.

    `taken_too` lists also those that another process has leased (for the guarantor, who takes them over).
    """
    query = (
        select(RESPONSE.c.id, RESPONSE.c.flow, RESPONSE.c.incident_id, RESPONSE.c.wake_at, INCIDENT.c.ref)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(RESPONSE.c.wake_at <= now)
        .order_by((INCIDENT.c.customers + INCIDENT.c.orders).desc(), RESPONSE.c.wake_at, RESPONSE.c.id)
        .limit(limit)
    )
    if not taken_too:
        query = query.where(or_(RESPONSE.c.leased_until.is_(None), RESPONSE.c.leased_until <= now))
    return [DueResponse(*row) for row in connection.execute(query)]


def next_turn_due_at(connection: Connection) -> DateTime | None:
    """When the next turn is due, past or future; None where none is scheduled."""
    found: DateTime | None = connection.execute(select(func.min(RESPONSE.c.wake_at))).scalar_one_or_none()
    return found


def lease_turns(
    connection: Connection, response_ids: Iterable[str], now: DateTime, until: DateTime, spared: DateTime | None = None
) -> list[TurnLease]:
    """Lease the turns of these responses: each token goes up by one, and every older one is worth nothing.

    `spared`: skip responses leased for longer than until then; None: take over every lease.
    """
    wanted = and_(RESPONSE.c.id.in_(list(response_ids)), RESPONSE.c.wake_at <= now)
    if spared is not None:
        wanted = and_(wanted, or_(RESPONSE.c.leased_until.is_(None), RESPONSE.c.leased_until <= spared))
    if connection.dialect.name == "postgresql":  # whoever holds a row is at it already: nobody waits for them
        free = select(RESPONSE.c.id).where(wanted).with_for_update(skip_locked=True)
        wanted = RESPONSE.c.id.in_(list(connection.execute(free).scalars()))
    taken = connection.execute(
        update(RESPONSE)
        .where(wanted)
        .values(token=RESPONSE.c.token + 1, leased_until=until)
        .returning(RESPONSE.c.id, RESPONSE.c.token, RESPONSE.c.wake_at)
    )
    return [TurnLease(row.id, row.token, row.wake_at) for row in taken]


def is_newest_lease(connection: Connection, lease: TurnLease) -> bool:
    """Whether no other process has taken this lease over; `save_snapshot` checks it once more."""
    query = select(RESPONSE.c.token).where(RESPONSE.c.id == lease.response_id)
    return bool(connection.execute(query).scalar_one() == lease.token)


def list_current_stages(connection: Connection, response_ids: Iterable[str]) -> list[tuple[str, str]]:
    """List each response's incident reference and the stage of its next open step."""
    ids = list(response_ids)
    query = (
        select(RESPONSE.c.id, INCIDENT.c.ref)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(RESPONSE.c.id.in_(ids))
        .order_by(INCIDENT.c.number)
    )
    active = ("waiting", "open", "acknowledged")
    stages: dict[str, str] = {}
    steps = select(STEP.c.response_id, STEP.c.stage).where(STEP.c.response_id.in_(ids), STEP.c.status.in_(active))
    for row in connection.execute(steps.order_by(STEP.c.due_at.desc(), STEP.c.position.desc())):
        stages[row.response_id] = row.stage
    return [(row.ref, stages.get(row.id, "")) for row in connection.execute(query)]
