"""Sessions of browsers, tokens of the API, and login links that work once. Kept hashed, each with an end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection, delete, insert, or_, select, update

from storage.accounts.account_tables import AccountTokenRow, LoginLinkRow, LoginSessionRow
from storage.accounts.user_accounts import ACCOUNT_TABLE, Account, account_from_row
from storage.hashed_secrets import hash_secret
from storage.rows import read_all

SESSION = LoginSessionRow.__table__  # type: ignore[attr-defined]
TOKEN = AccountTokenRow.__table__  # type: ignore[attr-defined]
LINK = LoginLinkRow.__table__  # type: ignore[attr-defined]
TOKEN_PREFIX = "tocsin-key-"  # noqa: S105 - how a token of an account is told from others
SEEN_EVERY = timedelta(minutes=5)  # a session's last sign of life is written so often at most


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A valid session and its account."""

    hash: str
    account: Account
    way: str
    made_at: DateTime
    seen_at: DateTime
    ends_at: DateTime


@dataclass(frozen=True, slots=True)
class AccountToken:
    """An account's token, without its secret."""

    id: str
    account: str
    label: str
    scopes: tuple[str, ...]
    made_at: DateTime
    ends_at: DateTime
    used_at: DateTime | None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as its account sees it listed."""

    hash: str
    made_at: DateTime
    seen_at: DateTime


def create_session(connection: Connection, account: str, way: str, now: DateTime, ends_at: DateTime) -> str:
    """Create a session and return its cookie's secret. It is never one that was there before."""
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(SESSION).values(
            hash=hash_secret(secret), account=account, way=way, made_at=now, seen_at=now, ends_at=ends_at
        )
    )  # fmt: skip
    return secret


def find_session(connection: Connection, secret: str, now: DateTime, idle: timedelta) -> LoginSession | None:
    """Find the session of a cookie; None if it is over, was idle for too long, or its account is disabled."""
    mine = (SESSION.c.hash, SESSION.c.way, SESSION.c.made_at.label("began"), SESSION.c.seen_at, SESSION.c.ends_at)
    query = (
        select(*mine, *ACCOUNT_TABLE.c)
        .join(ACCOUNT_TABLE, ACCOUNT_TABLE.c.name == SESSION.c.account)
        .where(SESSION.c.hash == hash_secret(secret), SESSION.c.ends_at > now, SESSION.c.seen_at > now - idle)
        .where(ACCOUNT_TABLE.c.disabled_at.is_(None))
    )  # fmt: skip
    row = connection.execute(query).first()
    return LoginSession(row.hash, account_from_row(row), row.way, row.began, row.seen_at, row.ends_at) if row else None


def touch_session(connection: Connection, session: str, now: DateTime) -> None:
    """Record that a session was used."""
    connection.execute(update(SESSION).where(SESSION.c.hash == session).values(seen_at=now))


def end_session(connection: Connection, session: str) -> None:
    """End one session, by its hash."""
    connection.execute(delete(SESSION).where(SESSION.c.hash == session))


def end_sessions(connection: Connection, account: str, keep: str = "") -> int:
    """End all sessions of an account, but for the session of that hash; return how many ended."""
    return connection.execute(delete(SESSION).where(SESSION.c.account == account, SESSION.c.hash != keep)).rowcount


def list_sessions(connection: Connection, account: str, now: DateTime) -> list[SessionRecord]:
    """List the sessions of an account that are not over, the newest first."""
    query = select(SESSION).where(SESSION.c.account == account, SESSION.c.ends_at > now)
    return read_all(connection, SessionRecord, query.order_by(SESSION.c.made_at.desc()))


def create_token(
    connection: Connection, account: str, scopes: Sequence[str], now: DateTime, ends_at: DateTime, label: str = ""
) -> tuple[str, str]:
    """Create a token of an account, as (its id, the token). It is shown this once."""
    name, secret = secrets.token_hex(4), f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(TOKEN).values(
            hash=hash_secret(secret), id=name, account=account, label=label, scopes=list(scopes), made_at=now,
            ends_at=ends_at,
        )
    )  # fmt: skip
    return name, secret


def find_token(connection: Connection, secret: str, now: DateTime) -> tuple[Account, AccountToken] | None:
    """Find a token's account and rights; None if it is unknown, over, or its account disabled."""
    named = (TOKEN.c.id, TOKEN.c.label, TOKEN.c.scopes, TOKEN.c.made_at.label("began"), TOKEN.c.ends_at)
    query = (
        select(*named, TOKEN.c.used_at, *ACCOUNT_TABLE.c)
        .join(ACCOUNT_TABLE, ACCOUNT_TABLE.c.name == TOKEN.c.account)
        .where(TOKEN.c.hash == hash_secret(secret), TOKEN.c.ends_at > now, ACCOUNT_TABLE.c.disabled_at.is_(None))
    )  # fmt: skip
    row = connection.execute(query).first()
    if row is None:
        return None
    return account_from_row(row), AccountToken(
        row.id, row.name, row.label, tuple(row.scopes), row.began, row.ends_at, row.used_at
    )  # fmt: skip


def list_tokens(connection: Connection, account: str = "") -> list[AccountToken]:
    """List tokens, of one account or of all."""
    query = select(TOKEN).order_by(TOKEN.c.account, TOKEN.c.made_at)
    if account:
        query = query.where(TOKEN.c.account == account)
    return [
        AccountToken(row.id, row.account, row.label, tuple(row.scopes), row.made_at, row.ends_at, row.used_at)
        for row in connection.execute(query)
    ]


def touch_token(connection: Connection, token: str, now: DateTime) -> None:
    """Record that a token was used, by its id."""
    connection.execute(update(TOKEN).where(TOKEN.c.id == token).values(used_at=now))


def revoke_token(connection: Connection, token: str) -> str:
    """Revoke a token, by its id; return its account, empty if there is none."""
    found: str | None = connection.execute(
        delete(TOKEN).where(TOKEN.c.id == token).returning(TOKEN.c.account)
    ).scalar_one_or_none()
    return found or ""


def revoke_tokens(connection: Connection, account: str) -> int:
    """Revoke all tokens of an account."""
    return connection.execute(delete(TOKEN).where(TOKEN.c.account == account)).rowcount


def create_login_link(connection: Connection, account: str, now: DateTime, ends_at: DateTime) -> str:
    """Create a link by which an account logs in once; its earlier link is revoked."""
    secret = secrets.token_urlsafe(24)
    connection.execute(delete(LINK).where(or_(LINK.c.account == account, LINK.c.ends_at < now)))
    connection.execute(insert(LINK).values(hash=hash_secret(secret), account=account, made_at=now, ends_at=ends_at))
    return secret


def is_link_valid(connection: Connection, secret: str, now: DateTime) -> bool:
    """Whether a link is valid. The check does not use it up."""
    query = select(LINK.c.account).where(LINK.c.hash == hash_secret(secret), LINK.c.ends_at > now)
    return connection.execute(query).first() is not None


def redeem_link(connection: Connection, secret: str, now: DateTime) -> str | None:
    """Use a link up and return its account, empty for the first administrator; None if it is over or was used."""
    gone = delete(LINK).where(LINK.c.hash == hash_secret(secret), LINK.c.ends_at > now).returning(LINK.c.account)
    found: str | None = connection.execute(gone).scalar_one_or_none()
    return found


def revoke_links(connection: Connection, account: str) -> None:
    """Revoke the login links of an account."""
    connection.execute(delete(LINK).where(LINK.c.account == account))


def delete_expired(connection: Connection, now: DateTime) -> int:
    """Delete what has expired."""
    over = [connection.execute(delete(table).where(table.c.ends_at < now)).rowcount for table in (SESSION, TOKEN, LINK)]
    return sum(over)
