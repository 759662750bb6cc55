"""Access control: five roles in order, and the least role that each permission requires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from domain.playbook import Playbook
from domain.roster import Roster

COMMANDING_ROLES = ("incident-commander", "executive")  # roles of the roster that command whatever runs


class AccessRole(IntEnum):
    """The access level of an account or token; each role may do all that the roles before it may."""

    NONE = 0  # known, but not to the pages: a program that only pushes figures
    VIEWER = 1
    RESPONDER = 2
    APPROVER = 3
    COMMANDER = 4
    ADMIN = 5

    @property
    def word(self) -> str:
        """The role's written form: `viewer`."""
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> AccessRole:
        """Return the role with this written form.

        Raises:
            ValueError: there is none; the message names them all.
        """
        for role in ROLES:
            if role.word == word:
                return role
        raise ValueError(f"there is no role {word[:40]!r}: one of {', '.join(role.word for role in ROLES)}")


ROLES = (AccessRole.VIEWER, AccessRole.RESPONDER, AccessRole.APPROVER, AccessRole.COMMANDER, AccessRole.ADMIN)

# What a token may be limited to, and the role that it then has at most. `samples` is figures and alerts only.
SCOPES: Mapping[str, AccessRole] = MappingProxyType(
    {
        "samples": AccessRole.NONE,
        "read": AccessRole.VIEWER,
        "respond": AccessRole.RESPONDER,
        "approve": AccessRole.APPROVER,
        "command": AccessRole.COMMANDER,
        "admin": AccessRole.ADMIN,
    }
)

REQUIRED_ROLES: Mapping[str, AccessRole] = MappingProxyType(
    {
        "look": AccessRole.VIEWER,
        "declare": AccessRole.RESPONDER,
        "acknowledge": AccessRole.RESPONDER,
        "done": AccessRole.RESPONDER,
        "draft": AccessRole.RESPONDER,
        "retry": AccessRole.RESPONDER,
        "reassign": AccessRole.RESPONDER,
        "note": AccessRole.RESPONDER,
        "impact": AccessRole.RESPONDER,
        "silence": AccessRole.RESPONDER,
        "samples": AccessRole.RESPONDER,
        "customers": AccessRole.RESPONDER,
        "promise": AccessRole.RESPONDER,
        "report": AccessRole.RESPONDER,
        "approve": AccessRole.APPROVER,
        "reject": AccessRole.APPROVER,
        "begin": AccessRole.COMMANDER,
        "mitigate": AccessRole.COMMANDER,
        "close": AccessRole.COMMANDER,
        "reopen": AccessRole.COMMANDER,
        "cancel": AccessRole.COMMANDER,
        "attach": AccessRole.COMMANDER,
        "duty": AccessRole.COMMANDER,
        "merge": AccessRole.COMMANDER,
        "correct": AccessRole.COMMANDER,
        "forget": AccessRole.COMMANDER,
        "users": AccessRole.ADMIN,
        "audit": AccessRole.ADMIN,
    }
)
_OF_COMMAND = {"setimpact": "impact"}


def required_role(deed: AccessRole | str) -> AccessRole:
    """Return the least role for a permission. A permission missing from the table requires an administrator."""
    return deed if isinstance(deed, AccessRole) else REQUIRED_ROLES.get(deed, AccessRole.ADMIN)


def permission_for(command: Any) -> str:
    """Return the permission that a command of the domain requires."""
    name = type(command).__name__.lower()
    return "correct" if getattr(command, "corrects", 0) else _OF_COMMAND.get(name, name)


def cap_role(role: AccessRole, scopes: Iterable[str]) -> AccessRole:
    """Return a token's role: its account's, at most what its widest scope allows. No scope is no limit."""
    wanted = [SCOPES[scope] for scope in scopes if scope in SCOPES]
    return min(role, max(wanted)) if wanted else role


def role_of_person(roster: Roster, person: str, playbooks: Iterable[Playbook]) -> AccessRole:
    """Return a roster person's role by their token, from the duties they hold as primary or backup.

    The holder of a duty that commands a playbook is a commander. The holder of any duty is an approver: a step
    may be handed over to anybody, and of which text, after whom and up to which amount the domain checks
    itself. The others are responders.
    """
    held = {role.id for role in roster.roles.values() if person in (role.primary, role.backup)} | {person}
    commanding = {*COMMANDING_ROLES, *(playbook.commander for playbook in playbooks)}
    if held & commanding:
        return AccessRole.COMMANDER
    return AccessRole.APPROVER if len(held) > 1 else AccessRole.RESPONDER
