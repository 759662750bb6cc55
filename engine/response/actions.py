"""Actions: promises opened as cases (ACT-7) that are acknowledged, reminded of and escalated like any step."""

from __future__ import annotations

from collections.abc import Mapping

from pendulum import DateTime

from domain.action import Action, build_action_playbook
from domain.commands import Declare
from domain.incident import CaseType
from domain.roster import Roster
from engine.response.declare import begin_in_transaction
from engine.response.validation import CommandResult, validate_declaration
from storage.database import Connection
from storage.incidents import turns


def open_actions(
    connection: Connection, roster: Roster, actions: Mapping[str, Action], now: DateTime, *, by: str = "",
    drill: bool = False,
) -> list[CommandResult]:  # fmt: skip
    """Open an action under each id, in the caller's transaction; a known id opens nothing again.

    Raises:
        Refused: a title that cannot be.
    """
    turns.lock_commands(connection, actions)
    known = turns.list_carried_out(connection, actions)
    wanted = []
    for command_id, action in actions.items():
        if command_id not in known:
            command = Declare(
                id=command_id, title=action.title.en, playbook=f"action-{action.kind}", by=by, origin=action.origin,
                service=action.service, kind=str(action.kind), case_type=CaseType.ACTION, drill=drill,
            )  # fmt: skip
            wanted.append((validate_declaration(command, now), build_action_playbook(action)))
    return begin_in_transaction(connection, roster, wanted, now)
