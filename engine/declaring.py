"""Declaring: the incident, its response, its first decision and what that owes, in one transaction.

Many declarations that arrive together share one transaction, and so its cost.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from pendulum import DateTime
from sqlalchemy import Connection

from domain.commands import Declare
from domain.decide import decide
from domain.facts import Fact, FactKind
from domain.handle import Refused
from domain.incident import Incident, Response, Snapshot
from domain.playbook import Playbook
from domain.roster import Roster
from engine.asked import Answer, checked, playbook_of
from engine.house import House
from engine.owing import owed_by
from storage import incidents, turns
from storage.beginnings import Beginning, add_beginnings


def declare(house: House, command: Declare, now: DateTime) -> Answer:
    """Begin an incident: its response is laid out and its first notices are owed when this returns.

    Raises:
        Refused: unknown playbook or role, a title or a time that cannot be.
        StorageError: the database cannot be written; nothing was begun.
    """
    (answer,) = declare_together(house, [command], now)
    if isinstance(answer, Refused):
        raise answer
    return answer


def declare_together(house: House, commands: Sequence[Declare], now: DateTime) -> list[Answer | Refused]:
    """Begin several incidents in one transaction; an answer or a refusal for each, in their order.

    Raises:
        StorageError: the database cannot be written; none was begun.
    """
    answers: dict[int, Answer | Refused] = {}
    wanted: dict[str, tuple[Declare, Playbook]] = {}
    for place, command in enumerate(commands):
        try:
            wanted.setdefault(command.id, (checked(command, now), playbook_of(house, command.playbook)))
        except Refused as refused:
            answers[place] = refused
    begun: dict[str, Answer] = {}
    if wanted:
        roster = house.roster()
        with house.database.write() as connection:
            turns.hold(connection, wanted)
            known = turns.carried_out_among(connection, wanted)
            for command_id, incident_id in known.items():
                incident = incidents.load_incident(connection, incident_id)
                begun[command_id] = Answer(incident.id, incident.ref, str(incident.status), changed=False)
            fresh = [wanted[command_id] for command_id in wanted if command_id not in known]
            for answer in begin_within(connection, roster, fresh, now):
                begun[answer.incident_id] = answer
    return [answers.get(place) or begun[command.id] for place, command in enumerate(commands)]


def begin_within(
    connection: Connection, roster: Roster, wanted: Sequence[tuple[Declare, Playbook]], now: DateTime
) -> list[Answer]:
    """Begin what was not begun before, in a transaction of the caller's."""
    numbers = incidents.next_numbers(connection, len(wanted))
    beginnings = [
        _begin(command, playbook, number, roster, now)
        for (command, playbook), number in zip(wanted, numbers, strict=True)
    ]
    add_beginnings(connection, beginnings, now)
    begun = (one.snapshot.incident for one in beginnings)
    return [Answer(incident.id, incident.ref, str(incident.status), changed=True) for incident in begun]


def response_id(incident_id: str, playbook_id: str) -> str:
    """An incident runs a playbook once: the same two give the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{incident_id}/{playbook_id}"))


def _begin(command: Declare, playbook: Playbook, number: int, roster: Roster, now: DateTime) -> Beginning:
    """Everything a declaration makes; no IO."""
    started = command.since or now
    incident = Incident(
        id=command.id, ref=incidents.reference(number, command.nature), nature=command.nature, title=command.title,
        severity=command.severity or playbook.severity, declared_at=started, origin=command.origin,
        service=command.service, kind=command.kind, drill=command.drill, pace=dict(command.pace),
        impact=command.impact,
    )  # fmt: skip
    response = Response(id=response_id(incident.id, playbook.id), playbook=playbook, started_at=started)
    decision = decide(Snapshot(incident=incident, response=response, roster=roster), now)
    declared = Fact(
        FactKind.DECLARED, now, by=command.by,
        data={"title": incident.title, "playbook": playbook.id, "version": playbook.version,
              "since": started.isoformat(), "drill": incident.drill,
              **({"warning": dict(command.warning)} if command.warning else {})},
    )  # fmt: skip
    return Beginning(
        number=number, snapshot=decision.snapshot, wake_at=decision.wake_at, facts=(declared, *decision.facts),
        owed=tuple(owed_by(decision, now)),
    )  # fmt: skip
