"""Samples and what belongs to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _counted(name: str) -> sa.Column[int]:
    return sa.Column(name, _NUMBER, primary_key=True, autoincrement=True)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _figure(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "series",
        _counted("id"),
        _text("lane"),
        _text("metric"),
        _text("labels"),
        sa.UniqueConstraint("lane", "metric", "labels", name="series_is_one"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sample",
        _counted("seq"),
        _moment("series_id"),
        _moment("at"),
        _figure("value"),
        _figure("events"),
        sa.Column("stale", sa.SmallInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("sample_once", "sample", ["at", "series_id", "value", "events"], unique=True)
    op.create_table(
        "rollup",
        _moment("series_id"),
        _moment("minute"),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        _figure("events"),
        _figure("total"),
        _figure("weighted"),
        _figure("least"),
        _figure("most"),
        sa.PrimaryKeyConstraint("series_id", "minute"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "replay",
        _text("lane", key=True),
        _moment("started_at"),
        _moment("touched_at"),
        _figure("speed"),
        _moment("from_at"),
        _moment("position_at"),
        _moment("ended_at", nullable=True),
    )
    op.create_table("arrival", _moment("at"), _moment("seq"), sa.PrimaryKeyConstraint("at"))
    op.create_table("figure_counter", _text("name", key=True), _moment("value"))
    op.create_table("source_token", _text("hash", key=True), _text("name"), _moment("made_at"))
    op.create_table(
        "source_state",
        _text("name", key=True),
        _moment("next_at"),
        _moment("ok_at", nullable=True),
        _moment("failed_at", nullable=True),
        _text("error"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
    )
    op.create_table("conversation", _counted("id"), _moment("at"), _moment("kept_at"), _text("labels"), _text("text"))
    op.create_index("ix_conversation_kept_at", "conversation", ["kept_at"])


def downgrade() -> None:
    """Undo it."""
    for name in (
        "conversation", "source_state", "source_token", "figure_counter", "arrival", "replay", "rollup", "sample",
        "series",
    ):  # fmt: skip
        op.drop_table(name)
