"""Tokens of the programs that push samples and alerts: shown once, kept hashed."""

from __future__ import annotations

import secrets

from pendulum import DateTime
from sqlalchemy import delete, insert, select

from storage.hashed_secrets import hash_secret
from storage.samples.sample_store import SampleStore, to_micros
from storage.samples.sample_tables import TOKEN


def create_program_token(figures: SampleStore, name: str, now: DateTime) -> str:
    """Create a token for a program and revoke its earlier one. It is shown this once."""
    token = f"tocsin-source-{secrets.token_urlsafe(24)}"
    with figures.database.write() as connection:
        connection.execute(delete(TOKEN).where(TOKEN.c.name == name))
        connection.execute(insert(TOKEN).values(hash=hash_secret(token), name=name, made_at=to_micros(now)))
    return token


def find_program(figures: SampleStore, token: str) -> str | None:
    """Find the program of a token; None for an unknown one."""
    with figures.database.read() as connection:
        found: str | None = connection.execute(
            select(TOKEN.c.name).where(TOKEN.c.hash == hash_secret(token))
        ).scalar_one_or_none()
    return found
