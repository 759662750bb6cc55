"""Warnings: where rules stand, what was raised, silences; incidents and warnings share their table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.add_column("incident", sa.Column("nature", AutoString(), nullable=False, server_default="incident"))
    op.create_table(
        "rule_standing",
        sa.Column("lane", AutoString(length=64), nullable=False),
        sa.Column("rule", AutoString(length=64), nullable=False),
        sa.Column("series", AutoString(length=1_000), nullable=False),
        sa.Column("standing", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "rule", "series"),
    )
    op.create_table(
        "warning",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("lane", AutoString(), nullable=False),
        sa.Column("rule", AutoString(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("series", AutoString(), nullable=False),
        sa.Column("tier", AutoString(), nullable=False),
        sa.Column("worst", AutoString(), nullable=False),
        sa.Column("course", AutoString(), nullable=False),
        sa.Column("because", sa.JSON(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("matter", AutoString(length=64), nullable=False),
        sa.Column("playbook", AutoString(), nullable=False),
        sa.Column("service", AutoString(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("baseline", sa.Float(), nullable=True),
        sa.Column("link", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_warning_began_at", "warning", ["began_at"])
    op.create_index("ix_warning_matter", "warning", ["matter"])
    op.create_index("warning_open", "warning", ["lane", "ended_at"])
    op.create_index("warning_series", "warning", ["lane", "rule", "series"])
    op.create_table(
        "silence",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("rule", AutoString(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", AutoString(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_silence_until", "silence", ["until"])
