"""Conversation texts, kept for a day where an installation is configured so; nothing here reads them."""

from __future__ import annotations

from collections.abc import Sequence

from pendulum import DateTime
from sqlalchemy import insert

from storage.samples.sample_store import SampleStore, to_micros
from storage.samples.sample_tables import CONVERSATION


def save_texts(figures: SampleStore, texts: Sequence[tuple[int, str, str]], now: DateTime) -> None:
    """Save texts: each with its time (microseconds since 1970) and canonical labels."""
    kept_at = to_micros(now)
    rows = [{"at": at, "kept_at": kept_at, "labels": labels, "text": text} for at, labels, text in texts]
    if rows:
        with figures.database.write() as connection:
            connection.execute(insert(CONVERSATION), rows)
