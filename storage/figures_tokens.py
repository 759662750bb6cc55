"""Tokens of the programs that push figures and alerts: shown once, kept hashed."""

from __future__ import annotations

import hashlib
import secrets

from pendulum import DateTime
from sqlalchemy import delete, insert, select

from storage.figures import Figures, micros
from storage.figures_tables import TOKEN


def new_token(figures: Figures, name: str, now: DateTime) -> str:
    """A new token for a program; the one it had is worth nothing from now on. It is shown this once."""
    token = f"tocsin-source-{secrets.token_urlsafe(24)}"
    with figures.database.write() as connection:
        connection.execute(delete(TOKEN).where(TOKEN.c.name == name))
        connection.execute(insert(TOKEN).values(hash=_hash(token), name=name, made_at=micros(now)))
    return token


def program_of(figures: Figures, token: str) -> str | None:
    """Whose token this is; None for nobody's."""
    with figures.database.read() as connection:
        found: str | None = connection.execute(
            select(TOKEN.c.name).where(TOKEN.c.hash == _hash(token))
        ).scalar_one_or_none()
    return found


def _hash(token: str) -> str:
    # As for people's tokens: 192 random bits need no slow hash.
    return hashlib.sha256(token.encode()).hexdigest()
