"""Indexes of what the console asks: first public words, words on timelines, sums, who did what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PUBLIC = sa.text("kind = 'published'")
_WORDS = sa.text("kind IN ('noted', 'corrected')")
_SUMS = sa.text("amount IS NOT NULL")
_TROUBLED = sa.text("state IN ('pending', 'leased', 'retry', 'unknown', 'dead')")
_DOERS = sa.text("done_by <> ''")


def upgrade() -> None:
    """Change the schema."""
    for name, table, columns, where in (
        ("fact_public", "fact", ["incident_id", "at"], _PUBLIC),
        ("fact_words", "fact", ["incident_id", "seq"], _WORDS),
        ("step_sums", "step", ["response_id", "id"], _SUMS),
        ("outbox_troubled", "outbox", ["state", "kind"], _TROUBLED),
        ("step_doers", "step", ["done_by", "response_id"], _DOERS),
    ):
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
