"""Accounts: passwords and their check, failed login tries, login links, sessions, API tokens, roles."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pendulum import DateTime

from domain.access import SCOPES, AccessRole
from engine.installation import Installation
from playbooks.errors import BadFile
from storage import audit
from storage.accounts import failed_logins, sessions_and_tokens, user_accounts
from storage.accounts.user_accounts import Account
from storage.audit import AuditEntry
from storage.database import Connection
from storage.hashed_secrets import hash_secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FIRST_ADMIN = "admin"  # the account that the first link makes
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 256  # characters of a password
LINK_LIFE = timedelta(minutes=30)
MAX_TOKEN_DAYS = 366
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_KEPT = timedelta(minutes=30)  # a failure counts for so long after the last one
# Free tries, then a wait that doubles up to so many seconds. An account's is short: nobody must be able to keep its
# owner out at three in the morning. An address' is long: whoever tries from there tries many accounts.
_ACCOUNT_FREE, _ACCOUNT_LONGEST = 5, 60
_ADDRESS_FREE, _ADDRESS_LONGEST = 20, 900
_MEMORY_KIB, _ROUNDS = 48 * 1024, 2  # argon2id; twice what OWASP asks for at least: some 60 ms of one core


class BadAccount(ValueError):
    """An account or a change of one is refused; the message is one line that says what would be right."""


class LoginRefused(Exception):
    """A login is refused, with one message whatever was wrong; `wait`: seconds until the next try counts."""

    def __init__(self, message: str, wait: int = 0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class AuditActor:
    """Who acts, from which address and by which auth method: for the audit log."""

    address: str = ""
    who: str = ""
    role: str = ""
    way: str = "console"

    def entry(self, deed: str, detail: str = "", outcome: str = "done") -> AuditEntry:
        """An entry of the audit log."""
        return AuditEntry(
            deed, outcome=outcome, who=self.who, role=self.role, way=self.way, address=self.address, detail=detail
        )


@lru_cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415 - most commands never need it

    return PasswordHasher(time_cost=_ROUNDS, memory_cost=_MEMORY_KIB, parallelism=1)


@lru_cache
def _nobodys() -> str:
    """A hash that no password fits: who asks for an account that is none waits as long as for one."""
    return _hasher().hash("nobody knows this one")


def hash_password(password: str, name: str) -> str:
    """Hash a password for storage.

    Raises:
        BadAccount: it is too easy to guess, or too long.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadAccount(
            f"a password has {MIN_PASSWORD_LENGTH} characters or more: four words that do not belong together are one"
        )
    if len(password) > MAX_PASSWORD_LENGTH:
        raise BadAccount(f"a password has {MAX_PASSWORD_LENGTH} characters at most")
    if name.lower() in password.lower() or len(set(password)) < MIN_PASSWORD_LENGTH // 2:
        raise BadAccount("this password is easy to guess: take four words that do not belong together")
    return _hasher().hash(password)


def _fits(kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    try:
        return _hasher().verify(kept or _nobodys(), password[:MAX_PASSWORD_LENGTH]) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


# --- coming in ---------------------------------------------------------------------------------------------------


def log_in(installation: Installation, name: str, password: str, now: DateTime, way: AuditActor) -> Account:
    """Return the account that a name and password belong to. A try is counted before it is checked.

    Raises:
        LoginRefused: they belong to none, or too many tries failed of late.
            Both take as long whether or not the name exists.
    """
    name = name.strip().lower()[:100]
    keys = _keys(installation, name, way.address)
    with installation.database.write() as connection:
        wait = _count_try(connection, keys, now)
        if not wait:
            account = user_accounts.find_account(connection, name)
    if wait:  # not noted here: whoever goes on trying would fill the log
        raise LoginRefused(f"too many tries failed: wait {wait} seconds, or ask an administrator for a link", wait)
    good = _fits(account.password if account else "", password)
    if account is None or not good or account.disabled_at is not None:
        write_audit_entry(installation, way.entry("log in", _shown(name), "refused"))
        raise LoginRefused("name and password do not belong together: try again, or ask an administrator for a link")
    with installation.database.write() as connection:
        failed_logins.clear_failures(connection, keys[0])
        failed_logins.undo_failure(connection, keys[1])
        if _hasher().check_needs_rehash(account.password):
            user_accounts.update_account(connection, name, password=_hasher().hash(password))
    return account


def _shown(name: str) -> str:
    # A password typed into the wrong field must not stand in a log.
    return name if _NAME.fullmatch(name) and len(name) < MIN_PASSWORD_LENGTH else "(a name that is none)"


def _keys(installation: Installation, name: str, address: str) -> tuple[str, str]:
    """Under which a try is counted: hashed with this installation's key, so that the table names nobody."""
    key = installation.settings.secret_key().encode()
    said = (f"account {name}", f"address {address}")
    return tuple(hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for text in said)  # type: ignore[return-value]


def _count_try(connection: Connection, keys: tuple[str, str], now: DateTime) -> int:
    """Count a try as failed until it is known better; the seconds to wait first, and then it is not counted."""
    limits = ((_ACCOUNT_FREE, _ACCOUNT_LONGEST), (_ADDRESS_FREE, _ADDRESS_LONGEST))
    found = []
    for key, (free, longest) in zip(keys, limits, strict=True):
        number, last = failed_logins.count_failures(connection, key, now, _KEPT)
        wait = login_delay(number, free, longest)
        if last is not None and wait and (left := (last.add(seconds=wait) - now).total_seconds()) > 0:
            return max(1, round(left))
        found.append((key, number + 1))
    for key, number in found:
        failed_logins.set_failures(connection, key, number, now)
    return 0


def login_delay(failures: int, free: int, longest: int) -> int:
    """Return the seconds to wait after so many failures: none at first, then twice as long each time."""
    return 0 if failures < free else min(longest, 2 ** min(failures - free + 1, 20))


def write_audit_entry(installation: Installation, entry: AuditEntry) -> None:
    """Write an entry into the audit log in a transaction of its own."""
    with installation.database.write() as connection:
        audit.add_entries(connection, entry)


def open_session(installation: Installation, account: Account, now: DateTime, way: AuditActor, before: str = "") -> str:
    """Open a session of an account and return the value of its cookie.

    `before`: the cookie that the browser had, whose session ends.

    Raises:
        LoginRefused: the account is disabled.
    """
    if account.disabled_at is not None:
        raise LoginRefused("this account is disabled: ask an administrator")
    with installation.database.write() as connection:
        if before:
            sessions_and_tokens.end_session(connection, hash_secret(before))
        ends = now + timedelta(days=installation.settings.session_days)
        secret = sessions_and_tokens.create_session(connection, account.name, way.way, now, ends)
        audit.add_entries(connection, AuditActor(way.address, account.name, account.role.word, way.way).entry("log in"))
        sessions_and_tokens.delete_expired(connection, now)
        failed_logins.delete_old_failures(connection, now - 2 * _KEPT)
    return secret


def make_login_link(installation: Installation, name: str, now: DateTime, way: AuditActor) -> str:
    """Make a link that logs an account in once within half an hour, and return its address.

    No name: the first administrator.

    Raises:
        BadAccount: there is no such account, or it is disabled.
    """
    with installation.database.write() as connection:
        if not name:
            admins = [
                one
                for one in user_accounts.list_accounts(connection)
                if one.role is AccessRole.ADMIN and not one.disabled_at
            ]
            name = admins[0].name if admins else ""
        elif (account := user_accounts.find_account(connection, name)) is None or account.disabled_at is not None:
            raise BadAccount(f"there is no account {name[:60]!r} that may come in: `tocsin user list` names them")
        secret = sessions_and_tokens.create_login_link(connection, name, now, now + LINK_LIFE)
        audit.add_entries(connection, way.entry("make a login link", name or FIRST_ADMIN))
    return f"{installation.settings.links_url}/login/link/{secret}"


def use_login_link(installation: Installation, secret: str, now: DateTime, way: AuditActor) -> Account:
    """Use up a login link and return its account. The first link makes the first administrator.

    Raises:
        LoginRefused: it was used, has expired, or never was.
    """
    gone = LoginRefused("this link was used or has expired: `tocsin user link` makes another")
    with installation.database.write() as connection:
        found = sessions_and_tokens.redeem_link(connection, secret, now)
        if found is not None:
            name = found or FIRST_ADMIN
            account = user_accounts.find_account(connection, name)
            if account is None and not found:
                account = Account(name, "", AccessRole.ADMIN)
                user_accounts.add_account(connection, account, now)
                audit.add_entries(
                    connection,
                    AuditActor(way.address, name, AccessRole.ADMIN.word, "link").entry("add an account", name),
                )
    if found is None or account is None or account.disabled_at is not None:
        raise gone
    return account


# --- keeping accounts --------------------------------------------------------------------------------------------


def add_account(installation: Installation, account: Account, password: str, now: DateTime, way: AuditActor) -> Account:
    """Add an account.

    Raises:
        BadAccount: its name, person, role, language or password cannot be.
    """
    person = _checked(installation, account)
    kept = hash_password(password, account.name) if password else ""
    made = Account(account.name, person, account.role, account.language, kept, account.subject)
    with installation.database.write() as connection:
        if user_accounts.find_account(connection, made.name) is not None:
            raise BadAccount(
                f"there is an account {made.name!r} already: `tocsin user role {made.name} ROLE` changes it"
            )
        user_accounts.add_account(connection, made, now)
        detail = f"{made.name}, {made.role.word}" + (f", for {person}" if person else "")
        audit.add_entries(connection, way.entry("add an account", detail))
    return made


def _checked(installation: Installation, account: Account) -> str:
    """The person of an account: `-` is nobody, none said is the roster's of the same id."""
    if not _NAME.fullmatch(account.name):
        raise BadAccount("name: an account's has 1 to 40 characters of a-z, 0-9, dot, - and _, for example alice")
    try:
        people = installation.roster().people
    except BadFile:
        people = {}
    if account.person == "-":
        if account.name in people:
            raise BadAccount(f"{account.name} is a person of the roster: take another name for an account without one")
        return ""
    person = account.person or (account.name if account.name in people else "")
    if person and person not in people:
        raise BadAccount(f"the roster does not know {person[:60]!r}: one of {', '.join(people)}")
    if account.name in people and person != account.name:
        raise BadAccount(f"{account.name} is another person of the roster: take another name for {person}'s account")
    return person


def set_password(installation: Installation, name: str, password: str, way: AuditActor, *, keep: str = "") -> None:
    """Give an account a password. Its browsers are logged out, but for the one with the session `keep`.

    Raises:
        BadAccount: there is no such account, or the password cannot be.
    """
    kept = hash_password(password, name) if password else ""
    with installation.database.write() as connection:
        _changed(connection, name, password=kept)
        _end_all(connection, name, keep)
        audit.add_entries(connection, way.entry("set a password", name))


def set_role(installation: Installation, name: str, role: AccessRole, way: AuditActor) -> None:
    """Change the role of an account.

    Raises:
        BadAccount: there is no such account, or it is the last administrator.
    """
    with installation.database.write() as connection:
        before = _changed(connection, name, role=role.word)
        if before.role is AccessRole.ADMIN and role is not AccessRole.ADMIN:
            _one_left(connection)
        audit.add_entries(connection, way.entry("change a role", f"{name}: {before.role.word} -> {role.word}"))


def disable_account(installation: Installation, name: str, now: DateTime | None, way: AuditActor) -> None:
    """Disable an account and end its sessions, links and tokens; with no time, enable it again.

    Raises:
        BadAccount: there is no such account, or it is the last administrator.
    """
    with installation.database.write() as connection:
        _changed(connection, name, disabled_at=now)
        if now is not None:
            _one_left(connection)
            _end_all(connection, name)
            sessions_and_tokens.revoke_tokens(connection, name)
        audit.add_entries(connection, way.entry("disable an account" if now else "enable an account", name))


def log_out_everywhere(installation: Installation, name: str, way: AuditActor) -> int:
    """End every session of an account; how many there were."""
    with installation.database.write() as connection:
        count = sessions_and_tokens.end_sessions(connection, name)
        audit.add_entries(connection, way.entry("log out everywhere", name))
    return count


def make_api_token(
    installation: Installation,
    name: str,
    scopes: Sequence[str],
    days: int,
    now: DateTime,
    way: AuditActor,
    label: str = "",
) -> tuple[str, str, DateTime]:
    """Make an API token of an account; return its id, the token, and its end.

    Raises:
        BadAccount: no such account, an unknown scope, or an end too far away.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise BadAccount(f"there is no scope {scope[:40]!r}: one of {', '.join(SCOPES)}")
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise BadAccount(f"a token ends after 1 to {MAX_TOKEN_DAYS} days")
    with installation.database.write() as connection:
        account = user_accounts.find_account(connection, name)
        if account is None or account.disabled_at is not None:
            raise BadAccount(f"there is no account {name[:60]!r} that may come in: `tocsin user list` names them")
        ends = now.add(days=days)
        known, secret = sessions_and_tokens.create_token(connection, name, scopes, now, ends, label[:100])
        audit.add_entries(connection, way.entry("make a token", f"{known} for {name}: {' '.join(scopes) or 'all'}"))
    return known, secret, ends


def _changed(connection: Connection, name: str, **values: object) -> Account:
    """Change an account; as it was before."""
    before = user_accounts.find_account(connection, name)
    if before is None:
        raise BadAccount(f"there is no account {name[:60]!r}: `tocsin user list` names them")
    user_accounts.update_account(connection, name, **values)
    return before


def _one_left(connection: Connection) -> None:
    if not user_accounts.has_admin(connection):
        raise BadAccount("this is the last administrator: make another one first, with `tocsin user role NAME admin`")


def _end_all(connection: Connection, name: str, keep: str = "") -> None:
    sessions_and_tokens.end_sessions(connection, name, keep)
    sessions_and_tokens.revoke_links(connection, name)
