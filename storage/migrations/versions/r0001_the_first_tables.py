"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import DurationType, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "command",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "fact",
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("response_id", AutoString(), nullable=False),
        sa.Column("step", AutoString(), nullable=False),
        sa.Column("by", AutoString(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("run_id", AutoString(), nullable=False),
        sa.Column("previous", AutoString(), nullable=False),
        sa.Column("hash", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "seq"),
    )
    op.create_table(
        "incident",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("ref", AutoString(length=32), nullable=False),
        sa.Column("title", AutoString(), nullable=False),
        sa.Column("severity", AutoString(), nullable=False),
        sa.Column("status", AutoString(), nullable=False),
        sa.Column("origin", AutoString(), nullable=False),
        sa.Column("service", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("pace", sa.JSON(), nullable=False),
        sa.Column("declared_at", UtcDateTime(), nullable=False),
        sa.Column("mitigated_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("last_public_at", UtcDateTime(), nullable=True),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.BigInteger(), nullable=False),
        sa.Column("brand", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("head", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_incident_declared_at"), "incident", ["declared_at"], unique=False)
    op.create_index(op.f("ix_incident_ref"), "incident", ["ref"], unique=False)
    op.create_index(op.f("ix_incident_service"), "incident", ["service"], unique=False)
    op.create_index(op.f("ix_incident_status"), "incident", ["status"], unique=False)
    op.create_table(
        "kept",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("response_id", AutoString(length=64), nullable=False),
        sa.Column("step", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("purpose", AutoString(), nullable=False),
        sa.Column("person", AutoString(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("leased_until", UtcDateTime(), nullable=True),
        sa.Column("lease", AutoString(), nullable=False),
        sa.Column("attempt_started_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("receipt", AutoString(), nullable=False),
        sa.Column("detail", AutoString(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_outbox_incident_id"), "outbox", ["incident_id"], unique=False)
    unsent = sa.text("state IN ('pending', 'retry')")
    partial: dict[str, Any] = {"sqlite_where": unsent, "postgresql_where": unsent}
    op.create_index("outbox_unsent", "outbox", ["lane", "rank", "id"], unique=False, **partial)
    op.create_index("outbox_next", "outbox", ["next_attempt_at"], unique=False, **partial)
    leased = sa.text("state = 'leased'")
    in_hand: dict[str, Any] = {"sqlite_where": leased, "postgresql_where": leased}
    op.create_index("outbox_in_hand", "outbox", ["leased_until"], unique=False, **in_hand)
    op.create_index("outbox_step", "outbox", ["response_id", "step"], unique=False)
    op.create_table(
        "person_token",
        sa.Column("hash", AutoString(length=64), nullable=False),
        sa.Column("person", AutoString(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index(op.f("ix_person_token_person"), "person_token", ["person"], unique=False)
    op.create_table(
        "playbook_copy",
        sa.Column("digest", AutoString(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "response",
        sa.Column("id", AutoString(length=64), nullable=False),
        sa.Column("incident_id", AutoString(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("playbook", AutoString(), nullable=False),
        sa.Column("flow", AutoString(), nullable=False),
        sa.Column("copy_digest", AutoString(length=64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("silence_level", sa.Integer(), nullable=False),
        sa.Column("silence_at", UtcDateTime(), nullable=True),
        sa.Column("silence_calls", sa.Integer(), nullable=False),
        sa.Column("wake_at", UtcDateTime(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("leased_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_response_incident_id"), "response", ["incident_id"], unique=False)
    op.create_index("response_due", "response", ["wake_at"], unique=False)
    op.create_table(
        "step",
        sa.Column("response_id", AutoString(length=64), nullable=False),
        sa.Column("id", AutoString(length=160), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stage", AutoString(), nullable=False),
        sa.Column("step", AutoString(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opens_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("laid_at", UtcDateTime(), nullable=False),
        sa.Column("ack_within", DurationType(), nullable=True),
        sa.Column("remind", DurationType(), nullable=True),
        sa.Column("status", AutoString(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("backup", AutoString(), nullable=False),
        sa.Column("holder", AutoString(), nullable=False),
        sa.Column("called", sa.JSON(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("called_at", UtcDateTime(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("missed_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by", AutoString(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("postings", sa.JSON(), nullable=False),
        sa.Column("receipts", sa.JSON(), nullable=False),
        sa.Column("alarmed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("response_id", "id"),
    )
    op.create_table(
        "turn",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("response_id", AutoString(length=64), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("driver", AutoString(), nullable=False),
        sa.Column("run_id", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_turn_taken_at"), "turn", ["taken_at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_turn_taken_at"), table_name="turn")
    op.drop_table("turn")
    op.drop_table("step")
    op.drop_index("response_due", table_name="response")
    op.drop_index(op.f("ix_response_incident_id"), table_name="response")
    op.drop_table("response")
    op.drop_table("playbook_copy")
    op.drop_index(op.f("ix_person_token_person"), table_name="person_token")
    op.drop_table("person_token")
    op.drop_index("outbox_step", table_name="outbox")
    op.drop_index("outbox_unsent", table_name="outbox")
    op.drop_index("outbox_next", table_name="outbox")
    op.drop_index("outbox_in_hand", table_name="outbox")
    op.drop_index(op.f("ix_outbox_incident_id"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("kept")
    op.drop_index(op.f("ix_incident_status"), table_name="incident")
    op.drop_index(op.f("ix_incident_service"), table_name="incident")
    op.drop_index(op.f("ix_incident_ref"), table_name="incident")
    op.drop_index(op.f("ix_incident_declared_at"), table_name="incident")
    op.drop_table("incident")
    op.drop_table("fact")
    op.drop_table("command")
