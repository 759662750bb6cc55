"""Documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "document",
        sa.Column("id", AutoString(length=160), nullable=False),
        sa.Column("kind", AutoString(length=40), nullable=False),
        sa.Column("about", AutoString(length=32), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=True),
        sa.Column("to_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("document_kind", "document", ["kind", "made_at"])
    op.create_index("ix_document_about", "document", ["about"])
