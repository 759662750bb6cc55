"""Ways in: sessions of browsers, tokens of the API, links that work once. Kept hashed, each with an end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from storage.account_tables import AccountTokenRow, LoginLinkRow, LoginSessionRow
from storage.accounts import ACCOUNT, Account, account_of, hashed

SESSION = LoginSessionRow.__table__  # type: ignore[attr-defined]
TOKEN = AccountTokenRow.__table__  # type: ignore[attr-defined]
LINK = LoginLinkRow.__table__  # type: ignore[attr-defined]
TOKEN_BEGINS = "tocsin-key-"  # noqa: S105 - how a token of an account is told from others
SEEN_EVERY = timedelta(minutes=5)  # a session's last sign of life is written so often at most


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is alive, and whose it is."""

    hash: str
    account: Account
    way: str
    made_at: DateTime
    seen_at: DateTime
    ends_at: DateTime


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an account, without its secret."""

    id: str
    account: str
    label: str
    scopes: tuple[str, ...]
    made_at: DateTime
    ends_at: DateTime
    used_at: DateTime | None


def open_session(connection: Connection, account: str, way: str, now: DateTime, ends_at: DateTime) -> str:
    """A new session; what its cookie holds. It is never one that was there before."""
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(SESSION).values(
            hash=hashed(secret), account=account, way=way, made_at=now, seen_at=now, ends_at=ends_at
        )
    )  # fmt: skip
    return secret


def find_session(connection: Connection, secret: str, now: DateTime, idle: timedelta) -> Session | None:
    """The session behind a cookie; None if it is over, was idle for too long, or its account is disabled."""
    mine = (SESSION.c.hash, SESSION.c.way, SESSION.c.made_at.label("began"), SESSION.c.seen_at, SESSION.c.ends_at)
    query = (
        select(*mine, *ACCOUNT.c)
        .join(ACCOUNT, ACCOUNT.c.name == SESSION.c.account)
        .where(SESSION.c.hash == hashed(secret), SESSION.c.ends_at > now, SESSION.c.seen_at > now - idle)
        .where(ACCOUNT.c.disabled_at.is_(None))
    )  # fmt: skip
    row = connection.execute(query).first()
    return Session(row.hash, account_of(row), row.way, row.began, row.seen_at, row.ends_at) if row else None


def seen(connection: Connection, session: str, now: DateTime) -> None:
    """A session showed a sign of life."""
    connection.execute(update(SESSION).where(SESSION.c.hash == session).values(seen_at=now))


def end_session(connection: Connection, session: str) -> None:
    """Log one browser out, by its hash."""
    connection.execute(delete(SESSION).where(SESSION.c.hash == session))


def end_sessions(connection: Connection, account: str, keep: str = "") -> int:
    """Log an account out everywhere, but for the session of that hash; how many ended."""
    return connection.execute(delete(SESSION).where(SESSION.c.account == account, SESSION.c.hash != keep)).rowcount


def sessions_of(connection: Connection, account: str, now: DateTime) -> list[Row[Any]]:
    """The sessions of an account that are not over, the newest first."""
    query = select(SESSION).where(SESSION.c.account == account, SESSION.c.ends_at > now)
    return list(connection.execute(query.order_by(SESSION.c.made_at.desc())))


def new_token(
    connection: Connection, account: str, scopes: Sequence[str], now: DateTime, ends_at: DateTime, label: str = ""
) -> tuple[str, str]:
    """A new token of an account, as (its id, the token). It is shown this once."""
    name, secret = secrets.token_hex(4), f"{TOKEN_BEGINS}{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(TOKEN).values(
            hash=hashed(secret), id=name, account=account, label=label, scopes=list(scopes), made_at=now,
            ends_at=ends_at,
        )
    )  # fmt: skip
    return name, secret


def find_token(connection: Connection, secret: str, now: DateTime) -> tuple[Account, Token] | None:
    """Whose token this is, and what it may; None if it is nobody's, over, or its account disabled."""
    named = (TOKEN.c.id, TOKEN.c.label, TOKEN.c.scopes, TOKEN.c.made_at.label("began"), TOKEN.c.ends_at)
    query = (
        select(*named, TOKEN.c.used_at, *ACCOUNT.c)
        .join(ACCOUNT, ACCOUNT.c.name == TOKEN.c.account)
        .where(TOKEN.c.hash == hashed(secret), TOKEN.c.ends_at > now, ACCOUNT.c.disabled_at.is_(None))
    )  # fmt: skip
    row = connection.execute(query).first()
    if row is None:
        return None
    return account_of(row), Token(
        row.id, row.name, row.label, tuple(row.scopes), row.began, row.ends_at, row.used_at
    )  # fmt: skip


def tokens(connection: Connection, account: str = "") -> list[Token]:
    """Tokens that are there, of one account or of all."""
    query = select(TOKEN).order_by(TOKEN.c.account, TOKEN.c.made_at)
    if account:
        query = query.where(TOKEN.c.account == account)
    return [
        Token(row.id, row.account, row.label, tuple(row.scopes), row.made_at, row.ends_at, row.used_at)
        for row in connection.execute(query)
    ]


def used(connection: Connection, token: str, now: DateTime) -> None:
    """A token was used, by its id."""
    connection.execute(update(TOKEN).where(TOKEN.c.id == token).values(used_at=now))


def end_token(connection: Connection, token: str) -> str:
    """This token, by its id, is worth nothing from now on; whose it was, empty if there is none."""
    found: str | None = connection.execute(
        delete(TOKEN).where(TOKEN.c.id == token).returning(TOKEN.c.account)
    ).scalar_one_or_none()
    return found or ""


def end_tokens(connection: Connection, account: str) -> int:
    """All tokens of an account are worth nothing from now on."""
    return connection.execute(delete(TOKEN).where(TOKEN.c.account == account)).rowcount


def new_link(connection: Connection, account: str, now: DateTime, ends_at: DateTime) -> str:
    """A link by which an account comes in once; the one it had is worth nothing from now on."""
    secret = secrets.token_urlsafe(24)
    connection.execute(delete(LINK).where(or_(LINK.c.account == account, LINK.c.ends_at < now)))
    connection.execute(insert(LINK).values(hash=hashed(secret), account=account, made_at=now, ends_at=ends_at))
    return secret


def link_holds(connection: Connection, secret: str, now: DateTime) -> bool:
    """Whether a link would let somebody in. Looking uses nothing up."""
    query = select(LINK.c.account).where(LINK.c.hash == hashed(secret), LINK.c.ends_at > now)
    return connection.execute(query).first() is not None


def use_link(connection: Connection, secret: str, now: DateTime) -> str | None:
    """Use a link up: the account that it lets in, empty for the first administrator; None if it is over or was used."""
    gone = delete(LINK).where(LINK.c.hash == hashed(secret), LINK.c.ends_at > now).returning(LINK.c.account)
    found: str | None = connection.execute(gone).scalar_one_or_none()
    return found


def end_links(connection: Connection, account: str) -> None:
    """No link lets this account in any more."""
    connection.execute(delete(LINK).where(LINK.c.account == account))


def tidy(connection: Connection, now: DateTime) -> int:
    """Forget what is over."""
    over = [connection.execute(delete(table).where(table.c.ends_at < now)).rowcount for table in (SESSION, TOKEN, LINK)]
    return sum(over)
