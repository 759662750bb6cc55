"""Who may do what: the order of roles, the deeds, what the roster gives."""

from __future__ import annotations

from dataclasses import fields

import pytest

from domain import commands
from domain.access import (
    REQUIRED_ROLES,
    ROLES,
    SCOPES,
    AccessRole,
    cap_role,
    permission_for,
    required_role,
    role_of_person,
)
from domain.playbook import Playbook
from domain.roster import Person, Roster
from domain.roster import Role as Duty
from domain.text import Text


def test_each_role_may_all_that_those_before_it_may() -> None:
    assert [role.word for role in ROLES] == ["viewer", "responder", "approver", "commander", "admin"]
    assert list(ROLES) == sorted(ROLES)
    assert all(role > AccessRole.NONE for role in ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_read_as_it_is_written(role: AccessRole) -> None:
    assert AccessRole.named(role.word) is role


@pytest.mark.parametrize("word", ["", "none", "NONE", "Admin", "root"])
def test_what_is_no_role_is_refused_with_those_that_are(word: str) -> None:
    with pytest.raises(ValueError, match="one of viewer, responder, approver, commander, admin"):
        AccessRole.named(word)


def test_every_command_of_the_domain_is_on_the_list() -> None:
    """A command that is forgotten here would be an administrator's, in the middle of the night."""
    kinds: list[type] = [commands.Declare, *commands.Command.__subclasses__()]
    assert len(kinds) > 10
    for kind in kinds:
        values = dict.fromkeys((field.name for field in fields(kind)), "")
        assert permission_for(kind(**values)) in REQUIRED_ROLES, kind.__name__
    assert permission_for(commands.Note(id="1", incident="INC-1", text="", corrects=3)) == "correct"


def test_a_deed_that_nobody_put_on_the_list_is_an_administrators() -> None:
    assert required_role("something new") is AccessRole.ADMIN
    assert required_role(AccessRole.VIEWER) is AccessRole.VIEWER


@pytest.mark.parametrize(
    ("role", "scopes", "may"),
    [
        (AccessRole.ADMIN, (), AccessRole.ADMIN),
        (AccessRole.ADMIN, ("read",), AccessRole.VIEWER),
        (AccessRole.ADMIN, ("read", "respond"), AccessRole.RESPONDER),
        (AccessRole.VIEWER, ("admin",), AccessRole.VIEWER),
        (AccessRole.COMMANDER, ("samples",), AccessRole.NONE),
    ],
)
def test_a_token_may_what_its_scopes_and_its_account_may(
    role: AccessRole, scopes: tuple[str, ...], may: AccessRole
) -> None:
    assert cap_role(role, scopes) is may
    assert set(scopes) <= set(SCOPES)


def test_the_duties_of_the_roster_give_a_person_their_rights() -> None:
    people = {name: Person(name, name, ()) for name in ("ann", "ben", "cem", "dan")}
    duties = {
        "incident-commander": Duty("incident-commander", "", "ann", "ben"),
        "workforce-manager": Duty("workforce-manager", "", "cem"),
        "pr-lead": Duty("pr-lead", "", "ben"),
    }
    roster = Roster(people, duties)
    standby = Playbook(id="standby", title=Text("S"), stages=(), commander="workforce-manager")
    found = {name: role_of_person(roster, name, [standby]) for name in people}
    assert found == {
        "ann": AccessRole.COMMANDER,
        "ben": AccessRole.COMMANDER,
        "cem": AccessRole.COMMANDER,
        "dan": AccessRole.RESPONDER,
    }
    assert role_of_person(roster, "cem", []) is AccessRole.APPROVER
