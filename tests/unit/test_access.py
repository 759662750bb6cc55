"""Who may do what: the order of roles, the deeds, what the roster gives."""

from __future__ import annotations

from dataclasses import fields

import pytest

from domain import commands
from domain.access import NEEDS, ROLES, SCOPES, Role, capped, deed_of, need, role_of_person
from domain.playbook import Playbook
from domain.roster import Person, Roster
from domain.roster import Role as Duty
from domain.text import Text


def test_each_role_may_all_that_those_before_it_may() -> None:
    assert [role.word for role in ROLES] == ["viewer", "responder", "approver", "commander", "admin"]
    assert list(ROLES) == sorted(ROLES)
    assert all(role > Role.NONE for role in ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_read_as_it_is_written(role: Role) -> None:
    assert Role.named(role.word) is role


@pytest.mark.parametrize("word", ["", "none", "NONE", "Admin", "root"])
def test_what_is_no_role_is_refused_with_those_that_are(word: str) -> None:
    with pytest.raises(ValueError, match="one of viewer, responder, approver, commander, admin"):
        Role.named(word)


def test_every_command_of_the_domain_is_on_the_list() -> None:
    """A command that is forgotten here would be an administrator's, in the middle of the night."""
    kinds: list[type] = [commands.Declare, *commands.Command.__subclasses__()]
    assert len(kinds) > 10
    for kind in kinds:
        values = dict.fromkeys((field.name for field in fields(kind)), "")
        assert deed_of(kind(**values)) in NEEDS, kind.__name__
    assert deed_of(commands.Note(id="1", incident="INC-1", text="", corrects=3)) == "correct"


def test_a_deed_that_nobody_put_on_the_list_is_an_administrators() -> None:
    assert need("something new") is Role.ADMIN
    assert need(Role.VIEWER) is Role.VIEWER


@pytest.mark.parametrize(
    ("role", "scopes", "may"),
    [
        (Role.ADMIN, (), Role.ADMIN),
        (Role.ADMIN, ("read",), Role.VIEWER),
        (Role.ADMIN, ("read", "respond"), Role.RESPONDER),
        (Role.VIEWER, ("admin",), Role.VIEWER),
        (Role.COMMANDER, ("samples",), Role.NONE),
    ],
)
def test_a_token_may_what_its_scopes_and_its_account_may(role: Role, scopes: tuple[str, ...], may: Role) -> None:
    assert capped(role, scopes) is may
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
    assert found == {"ann": Role.COMMANDER, "ben": Role.COMMANDER, "cem": Role.COMMANDER, "dan": Role.RESPONDER}
    assert role_of_person(roster, "cem", []) is Role.APPROVER
