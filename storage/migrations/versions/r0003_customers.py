"""Affected customers and the follow-up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    _follow_up()
    _customer()
    op.create_table(
        "customer_contact",
        sa.Column("id", AutoString(length=32), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_customer_contact_incident_id", "customer_contact", ["incident_id"])


def _follow_up() -> None:
    op.create_table(
        "follow_up",
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("response_id", AutoString(length=64), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("ticks", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=True),
        sa.Column("collect_at", UtcDateTime(), nullable=True),
        sa.Column("erase_at", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id"),
    )
    op.create_index("ix_follow_up_state", "follow_up", ["state"])


def _customer() -> None:
    op.create_table(
        "customer",
        sa.Column("id", AutoString(length=32), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("mark", AutoString(length=64), nullable=False),
        sa.Column("customer", AutoString(length=64), nullable=False),
        sa.Column("masked", AutoString(), nullable=False),
        sa.Column("way", AutoString(), nullable=False),
        sa.Column("ways", sa.JSON(), nullable=False),
        sa.Column("language", AutoString(), nullable=False),
        sa.Column("zone", AutoString(), nullable=False),
        sa.Column("order_value", sa.BigInteger(), nullable=False),
        sa.Column("compensation", sa.BigInteger(), nullable=False),
        sa.Column("poor_service", sa.Integer(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("poor_history", sa.Boolean(), nullable=False),
        sa.Column("harmed", sa.Boolean(), nullable=False),
        sa.Column("compensated", sa.Boolean(), nullable=False),
        sa.Column("care", sa.JSON(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("remind_at", UtcDateTime(), nullable=True),
        sa.Column("reminded_at", UtcDateTime(), nullable=True),
        sa.Column("reached", AutoString(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("csat", sa.Integer(), nullable=True),
        sa.Column("nps", sa.Integer(), nullable=True),
        sa.Column("solved", sa.Boolean(), nullable=True),
        sa.Column("suggestion", sa.Text(), nullable=False),
        sa.Column("complaints", sa.Integer(), nullable=False),
        sa.Column("reopened_at", UtcDateTime(), nullable=True),
        sa.Column("callback", AutoString(), nullable=False),
        sa.Column("callback_at", UtcDateTime(), nullable=True),
        sa.Column("called_at", UtcDateTime(), nullable=True),
        sa.Column("called_by", AutoString(), nullable=False),
        sa.Column("called_note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_customer_mark", "customer", ["mark"])
    op.create_index("ix_customer_customer", "customer", ["customer"])
    op.create_index("customer_mark", "customer", ["incident_id", "mark"], unique=True)
    op.create_index("customer_next", "customer", ["incident_id", "state", "way", "zone", "rank"])
    op.create_index("customer_rank", "customer", ["incident_id", "rank", "id"])
    to_call = sa.text("callback <> '' AND called_at IS NULL")
    columns = ["incident_id", "rank", "id"]
    op.create_index("customer_call", "customer", columns, sqlite_where=to_call, postgresql_where=to_call)
