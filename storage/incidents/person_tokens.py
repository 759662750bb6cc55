"""Personal tokens: shown once, kept hashed."""

from __future__ import annotations

import secrets

from pendulum import DateTime
from sqlalchemy import Connection, delete, insert, select

from storage.hashed_secrets import hash_secret
from storage.incidents.tables import PersonTokenRow

TOKEN = PersonTokenRow.__table__  # type: ignore[attr-defined]


def replace_person_token(connection: Connection, person: str, now: DateTime) -> str:
    """Create a token for a person and revoke their earlier ones. It is shown this once."""
    token = f"tocsin-{secrets.token_urlsafe(24)}"
    connection.execute(delete(TOKEN).where(TOKEN.c.person == person))
    connection.execute(insert(TOKEN).values(hash=hash_secret(token), person=person, made_at=now))
    return token


def add_person_token(connection: Connection, person: str, now: DateTime) -> str:
    """Add a token for a person, beside those they have: for a while, until `remove_person_token`."""
    token = f"tocsin-{secrets.token_urlsafe(24)}"
    connection.execute(insert(TOKEN).values(hash=hash_secret(token), person=person, made_at=now))
    return token


def remove_person_token(connection: Connection, token: str) -> None:
    """Remove this one token."""
    connection.execute(delete(TOKEN).where(TOKEN.c.hash == hash_secret(token)))


def find_person(connection: Connection, token: str) -> str | None:
    """Find the person of a token; None for an unknown one."""
    found: str | None = connection.execute(
        select(TOKEN.c.person).where(TOKEN.c.hash == hash_secret(token))
    ).scalar_one_or_none()
    return found
