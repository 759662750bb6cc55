"""Promises become matters (ACT-7) with the machinery of any step: acknowledged, reminded of, escalated, on record."""

from __future__ import annotations

from collections.abc import Mapping

from pendulum import DateTime
from sqlalchemy import Connection

from domain.action import Action, playbook_of
from domain.commands import Declare
from domain.incident import Nature
from domain.roster import Roster
from engine.asked import Answer, checked
from engine.declaring import begin_within
from storage import turns


def promise(
    connection: Connection, roster: Roster, actions: Mapping[str, Action], now: DateTime, *, by: str = "",
    drill: bool = False,
) -> list[Answer]:  # fmt: skip
    """Open an action under each id, in the caller's transaction; an id that is known already opens nothing again.

    Raises:
        Refused: a title that cannot be.
    """
    turns.hold(connection, actions)
    known = turns.carried_out_among(connection, actions)
    wanted = []
    for command_id, action in actions.items():
        if command_id not in known:
            command = Declare(
                id=command_id, title=action.title.en, playbook=f"action-{action.kind}", by=by, origin=action.origin,
                service=action.service, kind=str(action.kind), nature=Nature.ACTION, drill=drill,
            )  # fmt: skip
            wanted.append((checked(command, now), playbook_of(action)))
    return begin_within(connection, roster, wanted, now)
