"""Reviews and what they count."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "review_run",
        sa.Column("kind", AutoString(length=40), nullable=False),
        sa.Column("period", AutoString(length=20), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("document", AutoString(), nullable=False),
        sa.Column("matter", AutoString(), nullable=False),
        sa.Column("trouble", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "period"),
    )
    op.create_index("ix_review_run_ends_at", "review_run", ["ends_at"])
    op.create_table(
        "retrospective",
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("over_at", UtcDateTime(), nullable=True),
        sa.Column("matter", AutoString(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id"),
    )
    op.create_index("ix_retrospective_next_at", "retrospective", ["next_at"])
    op.create_table(
        "day_figure",
        sa.Column("day", AutoString(length=10), nullable=False),
        sa.Column("metric", AutoString(length=80), nullable=False),
        sa.Column("events", sa.Float(), nullable=False),
        sa.Column("good", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("day", "metric"),
    )
