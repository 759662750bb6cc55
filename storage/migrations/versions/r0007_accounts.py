"""Accounts, sessions, tokens of the API and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from storage.types import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    _accounts()
    _ways_in()
    _audit()


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("name", AutoString(length=64), nullable=False),
        sa.Column("person", AutoString(length=100), nullable=False),
        sa.Column("role", AutoString(length=20), nullable=False),
        sa.Column("language", AutoString(length=10), nullable=False),
        sa.Column("password", AutoString(), nullable=False),
        sa.Column("subject", AutoString(length=400), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "login_session",
        sa.Column("hash", AutoString(length=64), nullable=False),
        sa.Column("account", AutoString(length=64), nullable=False),
        sa.Column("way", AutoString(length=20), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_login_session_account", "login_session", ["account"])
    op.create_index("ix_login_session_ends_at", "login_session", ["ends_at"])


def _ways_in() -> None:
    op.create_table(
        "account_token",
        sa.Column("hash", AutoString(length=64), nullable=False),
        sa.Column("id", AutoString(length=16), nullable=False),
        sa.Column("account", AutoString(length=64), nullable=False),
        sa.Column("label", AutoString(length=100), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_account_token_account", "account_token", ["account"])
    op.create_table(
        "login_link",
        sa.Column("hash", AutoString(length=64), nullable=False),
        sa.Column("account", AutoString(length=64), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "login_try",
        sa.Column("key", AutoString(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_login_try_last_at", "login_try", ["last_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", AutoString(length=100), nullable=False),
        sa.Column("role", AutoString(length=20), nullable=False),
        sa.Column("way", AutoString(length=20), nullable=False),
        sa.Column("address", AutoString(length=64), nullable=False),
        sa.Column("deed", AutoString(length=200), nullable=False),
        sa.Column("outcome", AutoString(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_who", "audit", ["who"])
    op.create_index("ix_audit_outcome", "audit", ["outcome", "id"])
    # Whoever has the application's own way to the database cannot rewrite what was done, nor forget it.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )
