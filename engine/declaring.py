"""Declaring: the incident, its response, its first decision and what that owes, in one transaction.

Many declarations that arrive together share one transaction, and so its cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from pendulum import DateTime
from sqlalchemy import Connection

from domain.commands import Declare
from domain.handle import Refused
from domain.playbook import Playbook
from domain.roster import Roster
from engine.asked import Answer, checked, playbook_of
from engine.house import House
from engine.mould import begin_all, response_id
from storage import incidents, turns
from storage.beginnings import add_beginnings

__all__ = ["begin_within", "declare", "declare_together", "response_id"]


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
    beginnings = begin_all(wanted, numbers, roster, now)
    add_beginnings(connection, beginnings, now)
    begun = (one.snapshot.incident for one in beginnings)
    return [Answer(incident.id, incident.ref, str(incident.status), changed=True) for incident in begun]
