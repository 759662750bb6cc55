"""Declaration: the incident, its response, its first decision and its outbox rows, in one transaction.

Many declarations that arrive together share one transaction, and so its cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Declare
from domain.playbook import Playbook
from domain.roster import Roster
from engine.installation import Installation
from engine.response.declaration_batch import build_declarations, response_id
from engine.response.validation import CommandResult, require_playbook, validate_declaration
from storage.database import Connection
from storage.incidents import incidents, turns
from storage.incidents.insert_declared import insert_declared_incidents

__all__ = ["begin_in_transaction", "declare", "declare_batch", "response_id"]


def declare(installation: Installation, command: Declare, now: DateTime) -> CommandResult:
    """Declare an incident: its response is laid out and its first notices are in the outbox when this returns.

    Raises:
        Refused: unknown playbook or role, a title or a time that cannot be.
        StorageError: the database cannot be written; nothing was begun.
    """
    (answer,) = declare_batch(installation, [command], now)
    if isinstance(answer, CommandRefused):
        raise answer
    return answer


def declare_batch(
    installation: Installation, commands: Sequence[Declare], now: DateTime
) -> list[CommandResult | CommandRefused]:
    """Declare several incidents in one transaction; return a result or a refusal for each, in their order.

    Raises:
        StorageError: the database cannot be written; none was begun.
    """
    answers: dict[int, CommandResult | CommandRefused] = {}
    wanted: dict[str, tuple[Declare, Playbook]] = {}
    for place, command in enumerate(commands):
        try:
            wanted.setdefault(
                command.id, (validate_declaration(command, now), require_playbook(installation, command.playbook))
            )
        except CommandRefused as refused:
            answers[place] = refused
    begun: dict[str, CommandResult] = {}
    if wanted:
        roster = installation.roster()
        with installation.database.write() as connection:
            turns.lock_commands(connection, wanted)
            known = turns.list_carried_out(connection, wanted)
            for command_id, incident_id in known.items():
                incident = incidents.load_incident(connection, incident_id)
                begun[command_id] = CommandResult(incident.id, incident.ref, str(incident.status), changed=False)
            fresh = [wanted[command_id] for command_id in wanted if command_id not in known]
            for answer in begin_in_transaction(connection, roster, fresh, now):
                begun[answer.incident_id] = answer
    return [answers.get(place) or begun[command.id] for place, command in enumerate(commands)]


def begin_in_transaction(
    connection: Connection, roster: Roster, wanted: Sequence[tuple[Declare, Playbook]], now: DateTime
) -> list[CommandResult]:
    """Begin incidents that were not begun before, in the caller's transaction."""
    numbers = incidents.reserve_numbers(connection, len(wanted))
    beginnings = build_declarations(wanted, numbers, roster, now)
    insert_declared_incidents(connection, beginnings, now)
    begun = (one.snapshot.incident for one in beginnings)
    return [CommandResult(incident.id, incident.ref, str(incident.status), changed=True) for incident in begun]
