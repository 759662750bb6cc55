"""Who may do what: five roles in order, and for each deed the least role that may do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from domain.playbook import Playbook
from domain.roster import Roster

COMMANDING = ("incident-commander", "executive")  # roles of the roster that command whatever runs


class Role(IntEnum):
    """What somebody may do; each role may do all that those before it may."""

    NONE = 0  # known, but not to the pages: a program that only pushes figures
    VIEWER = 1
    RESPONDER = 2
    APPROVER = 3
    COMMANDER = 4
    ADMIN = 5

    @property
    def word(self) -> str:
        """How it is written: `viewer`."""
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> Role:
        """The role that is written so.

        Raises:
            ValueError: there is none; the message names them all.
        """
        for role in ROLES:
            if role.word == word:
                return role
        raise ValueError(f"there is no role {word[:40]!r}: one of {', '.join(role.word for role in ROLES)}")


ROLES = (Role.VIEWER, Role.RESPONDER, Role.APPROVER, Role.COMMANDER, Role.ADMIN)

# What a token may be limited to, and the role that it then has at most. `samples` is figures and alerts only.
SCOPES: Mapping[str, Role] = MappingProxyType(
    {
        "samples": Role.NONE,
        "read": Role.VIEWER,
        "respond": Role.RESPONDER,
        "approve": Role.APPROVER,
        "command": Role.COMMANDER,
        "admin": Role.ADMIN,
    }
)

NEEDS: Mapping[str, Role] = MappingProxyType(
    {
        "look": Role.VIEWER,
        "declare": Role.RESPONDER,
        "acknowledge": Role.RESPONDER,
        "done": Role.RESPONDER,
        "draft": Role.RESPONDER,
        "retry": Role.RESPONDER,
        "reassign": Role.RESPONDER,
        "note": Role.RESPONDER,
        "impact": Role.RESPONDER,
        "silence": Role.RESPONDER,
        "samples": Role.RESPONDER,
        "customers": Role.RESPONDER,
        "promise": Role.RESPONDER,
        "report": Role.RESPONDER,
        "approve": Role.APPROVER,
        "reject": Role.APPROVER,
        "begin": Role.COMMANDER,
        "mitigate": Role.COMMANDER,
        "close": Role.COMMANDER,
        "reopen": Role.COMMANDER,
        "cancel": Role.COMMANDER,
        "attach": Role.COMMANDER,
        "duty": Role.COMMANDER,
        "merge": Role.COMMANDER,
        "correct": Role.COMMANDER,
        "forget": Role.COMMANDER,
        "users": Role.ADMIN,
        "audit": Role.ADMIN,
    }
)
_OF_COMMAND = {"setimpact": "impact"}


def need(deed: Role | str) -> Role:
    """The least role for a deed. A deed that nobody has put on the list is an administrator's."""
    return deed if isinstance(deed, Role) else NEEDS.get(deed, Role.ADMIN)


def deed_of(command: Any) -> str:
    """The deed that a command of the domain is."""
    name = type(command).__name__.lower()
    return "correct" if getattr(command, "corrects", 0) else _OF_COMMAND.get(name, name)


def capped(role: Role, scopes: Iterable[str]) -> Role:
    """The role of a token: its account's, at most what its widest scope allows. No scope is no limit."""
    wanted = [SCOPES[scope] for scope in scopes if scope in SCOPES]
    return min(role, max(wanted)) if wanted else role


def role_of_person(roster: Roster, person: str, playbooks: Iterable[Playbook]) -> Role:
    """What a person of the roster may do by their token, from the duties they hold, as primary or backup.

    Whoever holds a duty that commands a playbook commands. Whoever holds any duty approves: a step may be handed over
    to anybody, and of which text, after whom and up to which amount the domain checks itself. The others respond.
    """
    held = {role.id for role in roster.roles.values() if person in (role.primary, role.backup)} | {person}
    commanding = {*COMMANDING, *(playbook.commander for playbook in playbooks)}
    if held & commanding:
        return Role.COMMANDER
    return Role.APPROVER if len(held) > 1 else Role.RESPONDER
