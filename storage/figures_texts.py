"""Conversation texts, where an installation is told to keep them: for a day, and read by nobody here."""

from __future__ import annotations

from collections.abc import Sequence

from pendulum import DateTime
from sqlalchemy import insert

from storage.figures import Figures, micros
from storage.figures_tables import CONVERSATION


def keep(figures: Figures, texts: Sequence[tuple[int, str, str]], now: DateTime) -> None:
    """Keep texts: each with its time (microseconds since 1970) and canonical labels."""
    kept_at = micros(now)
    rows = [{"at": at, "kept_at": kept_at, "labels": labels, "text": text} for at, labels, text in texts]
    if rows:
        with figures.database.write() as connection:
            connection.execute(insert(CONVERSATION), rows)
