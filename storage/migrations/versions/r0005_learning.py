"""What recurs, what customers suggest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
SUGGESTED = sa.text("suggestion <> ''")


def upgrade() -> None:
    """Change the schema."""
    _suggestions()
    _recurrences()


def _suggestions() -> None:
    op.create_index(
        "customer_suggested", "customer", ["answered_at"], sqlite_where=SUGGESTED, postgresql_where=SUGGESTED
    )
    op.create_table(
        "suggestion",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scope", AutoString(length=64), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("example", AutoString(length=32), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.Column("language", AutoString(), nullable=False),
        sa.Column("voices", sa.Integer(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("agenda", AutoString(length=160), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", AutoString(), nullable=False),
        sa.Column("action", AutoString(length=64), nullable=False),
        sa.Column("tracker", AutoString(), nullable=False),
        sa.Column("tracker_attempts", sa.Integer(), nullable=False),
        sa.Column("tracker_next_at", UtcDateTime(), nullable=True),
        sa.Column("tracker_receipt", AutoString(), nullable=False),
        sa.Column("tracker_detail", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("suggestion_open", "suggestion", ["scope", "answered_at"])
    op.create_index("suggestion_tracker", "suggestion", ["tracker", "tracker_next_at"])
    op.create_table(
        "suggestion_voice",
        sa.Column("customer_id", AutoString(length=32), nullable=False),
        sa.Column("suggestion", sa.Integer(), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_index("ix_suggestion_voice_suggestion", "suggestion_voice", ["suggestion"])


def _recurrences() -> None:
    op.create_table(
        "recurrence",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("kind", AutoString(length=60), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("service", AutoString(), nullable=False),
        sa.Column("document", AutoString(length=160), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_recurrence_ended_at", "recurrence", ["ended_at"])
    op.create_table(
        "recurrence_case",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recurrence", AutoString(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_recurrence_case_recurrence", "recurrence_case", ["recurrence"])
