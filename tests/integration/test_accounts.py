"""Accounts: passwords, tries that fail, links that let in once, tokens with an end; what the log keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pendulum
import pytest
from sqlalchemy import text

from domain.access import AccessRole
from engine.accounts import accounts
from engine.accounts.accounts import AuditActor, BadAccount, LoginRefused, login_delay
from engine.installation import Installation
from storage import audit
from storage.accounts import failed_logins, sessions_and_tokens
from storage.accounts import user_accounts as rows
from storage.accounts.user_accounts import Account
from storage.database import StorageError
from storage.hashed_secrets import hash_secret
from tests.installations import installation_harness

PASSWORD = "correct horse battery"
NOW = pendulum.datetime(2026, 11, 22, 12)
HERE = AuditActor("198.51.100.7", way="password")


@pytest.fixture
def installation(home: Path, database_url: str) -> Iterator[Installation]:
    with installation_harness(home, database_url) as opened:
        accounts.add_account(opened.installation, Account("alice", "", AccessRole.ADMIN), PASSWORD, NOW, AuditActor())
        yield opened.installation


@pytest.fixture
def small(home: Path) -> Iterator[Installation]:
    """For what does not depend on the database."""
    with installation_harness(home) as opened:
        accounts.add_account(opened.installation, Account("alice", "", AccessRole.ADMIN), PASSWORD, NOW, AuditActor())
        yield opened.installation


def test_name_and_password_let_in_and_nothing_else_does(small: Installation) -> None:
    assert accounts.log_in(small, " Alice ", PASSWORD, NOW, HERE).role is AccessRole.ADMIN
    said = set()
    for name, password in (("alice", PASSWORD + "x"), ("alice", ""), ("mallory", PASSWORD), ("", "")):
        with pytest.raises(LoginRefused) as refused:
            accounts.log_in(small, name, password, NOW, HERE)
        said.add(str(refused.value))
    assert len(said) == 1, "what was wrong is not said"


def test_a_password_is_kept_as_argon2_alone(small: Installation) -> None:
    with small.database.read() as connection:
        kept = rows.find_account(connection, "alice")
    assert kept is not None
    assert kept.password.startswith("$argon2id$")
    assert PASSWORD not in repr(kept)
    assert kept.password not in repr(kept)


def test_a_password_costs_who_guesses_forty_eight_megabytes_and_two_rounds_each(
    monkeypatch: pytest.MonkeyPatch, shipped_cost_of_a_password: tuple[int, int]
) -> None:
    monkeypatch.setattr(accounts, "_MEMORY_KIB", shipped_cost_of_a_password[0])
    monkeypatch.setattr(accounts, "_ROUNDS", shipped_cost_of_a_password[1])
    assert accounts._hasher.__wrapped__().hash(PASSWORD).startswith("$argon2id$v=19$m=49152,t=2,p=1$")


@pytest.mark.parametrize("password", ["short", "alice alice alice", "aaaaaaaaaaaaaaaa", "x" * 400])
def test_a_password_that_is_guessed_is_refused(small: Installation, password: str) -> None:
    with pytest.raises(BadAccount, match="password"):
        accounts.set_password(small, "alice", password, AuditActor())


def test_tries_that_fail_make_wait_and_even_the_right_password_waits(installation: Installation) -> None:
    for _ in range(5):
        with pytest.raises(LoginRefused) as refused:
            accounts.log_in(installation, "alice", "wrong", NOW, HERE)
        assert refused.value.wait == 0
    with pytest.raises(LoginRefused) as refused:
        accounts.log_in(installation, "alice", PASSWORD, NOW, HERE)
    assert refused.value.wait == 2
    assert accounts.log_in(installation, "alice", PASSWORD, NOW.add(seconds=3), HERE).name == "alice"
    accounts.log_in(installation, "alice", PASSWORD, NOW.add(seconds=4), HERE)


def test_a_name_that_is_none_makes_wait_as_one_that_is(small: Installation) -> None:
    waits = []
    for name, address in (("alice", "203.0.113.1"), ("nobody", "203.0.113.2")):
        for _ in range(7):
            with pytest.raises(LoginRefused) as refused:
                accounts.log_in(small, name, "wrong", NOW, AuditActor(address))
            waits.append(refused.value.wait)
    assert waits[:7] == waits[7:]


def test_an_address_that_tries_many_accounts_waits_longest(small: Installation) -> None:
    for number in range(20):
        with pytest.raises(LoginRefused):
            accounts.log_in(small, f"guess{number}", "wrong", NOW, HERE)
    with pytest.raises(LoginRefused) as refused:
        accounts.log_in(small, "alice", PASSWORD, NOW, HERE)
    assert refused.value.wait > 0
    assert accounts.log_in(small, "alice", PASSWORD, NOW, AuditActor("192.0.2.9")).name == "alice", "others come in"


def test_nobody_keeps_an_owner_out_for_longer_than_a_minute() -> None:
    assert max(login_delay(failures, 5, 60) for failures in range(1_000)) == 60
    assert [login_delay(failures, 5, 60) for failures in range(4, 12)] == [0, 2, 4, 8, 16, 32, 60, 60]


def test_a_name_that_is_none_takes_as_long_as_one_that_is(small: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    hasher = accounts._hasher()

    class Watched:
        def verify(self, kept: str, password: str) -> bool:
            looked.append(kept)
            return hasher.verify(kept, password)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    monkeypatch.setattr(accounts, "_hasher", Watched)
    accounts.add_account(small, Account("linked", "", AccessRole.VIEWER), "", NOW, AuditActor())
    for name in ("alice", "nobody", "linked"):
        with pytest.raises(LoginRefused):
            accounts.log_in(small, name, "wrong", NOW, HERE)
    assert len(looked) == 3, "each time one password is looked at"
    costs = {kept.rpartition("$")[0].rpartition("$")[0] for kept in looked}
    assert len(costs) == 1, "at the same cost"


def test_failures_are_kept_under_no_name_and_forgotten(installation: Installation) -> None:
    with pytest.raises(LoginRefused):
        accounts.log_in(installation, "alice", "wrong", NOW, HERE)
    with installation.database.read() as connection:
        kept = [tuple(row) for row in connection.execute(failed_logins.TRY.select())]
    assert len(kept) == 2
    assert "alice" not in str(kept)
    assert HERE.address not in str(kept)
    with installation.database.write() as connection:
        assert failed_logins.delete_old_failures(connection, NOW.add(hours=1)) == 2


def test_a_password_in_the_field_of_the_name_stands_in_no_log(small: Installation) -> None:
    with pytest.raises(LoginRefused):
        accounts.log_in(small, PASSWORD, "", NOW, HERE)
    with small.database.read() as connection:
        assert all(PASSWORD not in str(row) for row in audit.read_entries(connection))


def test_a_session_is_new_at_each_login_and_the_one_before_ends(installation: Installation) -> None:
    account = accounts.log_in(installation, "alice", PASSWORD, NOW, HERE)
    first = accounts.open_session(installation, account, NOW, HERE, before="planted-by-somebody")
    second = accounts.open_session(installation, account, NOW, HERE, before=first)
    assert "planted-by-somebody" not in (first, second)
    assert _alive(installation, second, NOW)
    assert not _alive(installation, first, NOW)
    assert not _alive(installation, "planted-by-somebody", NOW)


def _alive(installation: Installation, secret: str, now: pendulum.DateTime) -> bool:
    with installation.database.read() as connection:
        return sessions_and_tokens.find_session(connection, secret, now, pendulum.duration(hours=24)) is not None


def test_a_session_ends_when_idle_and_in_any_case(installation: Installation) -> None:
    account = accounts.log_in(installation, "alice", PASSWORD, NOW, HERE)
    secret = accounts.open_session(installation, account, NOW, HERE)
    assert _alive(installation, secret, NOW.add(hours=23))
    assert not _alive(installation, secret, NOW.add(hours=25)), "idle for a day"
    digest = hash_secret(secret)
    for day in range(1, 8):
        with installation.database.write() as connection:
            sessions_and_tokens.touch_session(connection, digest, NOW.add(days=day))
    assert not _alive(installation, secret, NOW.add(days=7, minutes=1)), "however busy"


def test_out_is_out_at_once(small: Installation) -> None:
    account = accounts.log_in(small, "alice", PASSWORD, NOW, HERE)
    here, there = (accounts.open_session(small, account, NOW, HERE) for _ in range(2))
    accounts.set_password(small, "alice", "another horse battery", AuditActor(), keep=hash_secret(here))
    assert _alive(small, here, NOW)
    assert not _alive(small, there, NOW)
    assert accounts.log_out_everywhere(small, "alice", AuditActor()) == 1
    assert not _alive(small, here, NOW)


def test_a_disabled_account_is_out_by_every_way(installation: Installation) -> None:
    accounts.add_account(installation, Account("bob", "", AccessRole.COMMANDER), PASSWORD, NOW, AuditActor())
    account = accounts.log_in(installation, "bob", PASSWORD, NOW, HERE)
    secret = accounts.open_session(installation, account, NOW, HERE)
    link = accounts.make_login_link(installation, "bob", NOW, AuditActor()).rpartition("/")[2]
    _id, token, _ends = accounts.make_api_token(installation, "bob", ["read"], 30, NOW, AuditActor())
    accounts.disable_account(installation, "bob", NOW, AuditActor())
    assert not _alive(installation, secret, NOW)
    with installation.database.read() as connection:
        assert sessions_and_tokens.find_token(connection, token, NOW) is None
    with pytest.raises(LoginRefused):
        accounts.use_login_link(installation, link, NOW, AuditActor())
    with pytest.raises(LoginRefused):
        accounts.log_in(installation, "bob", PASSWORD, NOW, HERE)
    accounts.disable_account(installation, "bob", None, AuditActor())
    assert accounts.log_in(installation, "bob", PASSWORD, NOW, HERE).name == "bob"


def test_the_last_administrator_stays(small: Installation) -> None:
    with pytest.raises(BadAccount, match="last administrator"):
        accounts.set_role(small, "alice", AccessRole.VIEWER, AuditActor())
    with pytest.raises(BadAccount, match="last administrator"):
        accounts.disable_account(small, "alice", NOW, AuditActor())
    with small.database.read() as connection:
        found = rows.find_account(connection, "alice")
    assert found is not None
    assert (found.role, found.disabled_at) == (AccessRole.ADMIN, None)


def test_a_link_lets_in_once_and_within_half_an_hour(installation: Installation) -> None:
    def make() -> str:
        return accounts.make_login_link(installation, "alice", NOW, AuditActor()).rpartition("/")[2]

    secret = make()
    assert accounts.use_login_link(installation, secret, NOW, AuditActor()).name == "alice"
    for gone, when in ((secret, NOW), (make(), NOW.add(minutes=31)), ("nothing", NOW)):
        with pytest.raises(LoginRefused, match="was used or has expired"):
            accounts.use_login_link(installation, gone, when, AuditActor())
    old, new = make(), make()
    with pytest.raises(LoginRefused):
        accounts.use_login_link(installation, old, NOW, AuditActor())
    assert accounts.use_login_link(installation, new, NOW, AuditActor()).name == "alice"


def test_the_first_link_makes_the_first_administrator(home: Path) -> None:
    with installation_harness(home) as opened:
        secret = accounts.make_login_link(opened.installation, "", NOW, AuditActor()).rpartition("/")[2]
        with opened.installation.database.read() as connection:
            assert rows.list_accounts(connection) == []
        made = accounts.use_login_link(opened.installation, secret, NOW, AuditActor())
        assert (made.name, made.role, made.password) == ("admin", AccessRole.ADMIN, "")


@pytest.mark.parametrize(
    ("name", "person", "why"),
    [
        ("Alice", "", "1 to 40 characters"),
        ("a b", "", "1 to 40 characters"),
        ("../x", "", "1 to 40 characters"),
        ("x" * 41, "", "1 to 40 characters"),
        ("zed", "nobody-we-know", "does not know"),
        ("bob", "dora", "another person"),
        ("bob", "-", "is a person of the roster"),
        ("alice", "", "already"),
    ],
)
def test_no_account_takes_the_name_of_somebody_else(small: Installation, name: str, person: str, why: str) -> None:
    with pytest.raises(BadAccount, match=why):
        accounts.add_account(small, Account(name, person, AccessRole.VIEWER), "", NOW, AuditActor())


def test_a_token_has_scopes_and_an_end(installation: Installation) -> None:
    known, token, ends = accounts.make_api_token(
        installation, "alice", ["read", "samples"], 30, NOW, AuditActor(), "wallboard"
    )
    with installation.database.read() as connection:
        found = sessions_and_tokens.find_token(connection, token, NOW.add(days=29))
        assert found is not None
        assert found[1].scopes == ("read", "samples")
        assert sessions_and_tokens.find_token(connection, token, ends) is None
        assert token not in str([tuple(row) for row in connection.execute(sessions_and_tokens.TOKEN.select())])
    with installation.database.write() as connection:
        assert sessions_and_tokens.revoke_token(connection, known) == "alice"
    for scopes, days in ((["everything"], 30), (["read"], 0), (["read"], 400)):
        with pytest.raises(BadAccount):
            accounts.make_api_token(installation, "alice", scopes, days, NOW, AuditActor())


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
def test_the_audit_log_is_only_added_to(installation: Installation, statement: str) -> None:
    with installation.database.read() as connection:
        before = len(audit.read_entries(connection))
    assert before >= 1
    with pytest.raises(StorageError, match="append-only"), installation.database.write() as connection:
        connection.execute(text(statement))
    with installation.database.read() as connection:
        assert len(audit.read_entries(connection)) == before


def test_every_change_of_an_account_is_in_the_log(installation: Installation) -> None:
    me = AuditActor("192.0.2.1", "root", "admin", "console")
    accounts.add_account(installation, Account("bob", "", AccessRole.VIEWER), "", NOW, me)
    accounts.set_role(installation, "bob", AccessRole.RESPONDER, me)
    accounts.set_password(installation, "bob", PASSWORD, me)
    accounts.make_login_link(installation, "bob", NOW, me)
    accounts.disable_account(installation, "bob", NOW, me)
    with installation.database.read() as connection:
        found = [(row.deed, row.detail) for row in audit.read_entries(connection, who="root")]
    assert found[::-1] == [
        ("add an account", "bob, viewer, for bob"),
        ("change a role", "bob: viewer -> responder"),
        ("set a password", "bob"),
        ("make a login link", "bob"),
        ("disable an account", "bob"),
    ]
