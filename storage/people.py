"""Tokens by which people are told apart: shown once, kept hashed."""

from __future__ import annotations

import hashlib
import secrets

from pendulum import DateTime
from sqlalchemy import Connection, delete, insert, select

from storage.tables import PersonTokenRow

TOKEN = PersonTokenRow.__table__  # type: ignore[attr-defined]


def new_token(connection: Connection, person: str, now: DateTime) -> str:
    """A new token for a person; the ones they had are worth nothing from now on. It is shown this once."""
    token = f"tocsin-{secrets.token_urlsafe(24)}"
    connection.execute(delete(TOKEN).where(TOKEN.c.person == person))
    connection.execute(insert(TOKEN).values(hash=_hash(token), person=person, made_at=now))
    return token


def add_token(connection: Connection, person: str, now: DateTime) -> str:
    """One more token for a person, beside those they have: for a while, until `remove_token`."""
    token = f"tocsin-{secrets.token_urlsafe(24)}"
    connection.execute(insert(TOKEN).values(hash=_hash(token), person=person, made_at=now))
    return token


def remove_token(connection: Connection, token: str) -> None:
    """This one token is worth nothing from now on."""
    connection.execute(delete(TOKEN).where(TOKEN.c.hash == _hash(token)))


def person_of(connection: Connection, token: str) -> str | None:
    """Whose token this is; None for nobody's."""
    found: str | None = connection.execute(
        select(TOKEN.c.person).where(TOKEN.c.hash == _hash(token))
    ).scalar_one_or_none()
    return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
