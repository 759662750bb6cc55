"""Changes of the on-call schedule: overrides of the roster, and the handovers that were made."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, select, update

from domain.oncall import DutyChange, DutyOverride
from storage.conflict_insert import insert_into
from storage.oncall.oncall_tables import HandoverRow, OverrideRow

OVERRIDE = OverrideRow.__table__  # type: ignore[attr-defined]
HANDOVER = HandoverRow.__table__  # type: ignore[attr-defined]


def list_overrides(connection: Connection, since: DateTime) -> tuple[DutyOverride, ...]:
    """List the overrides that are not over since then, ended ones among them, in the order they begin."""
    query = select(OVERRIDE).where(OVERRIDE.c.ends_at >= since).order_by(OVERRIDE.c.starts_at, OVERRIDE.c.id)
    return tuple(_override(row) for row in connection.execute(query))


def get_override(connection: Connection, override_id: str) -> DutyOverride | None:
    """Return the override of that id; None: there is none."""
    row = connection.execute(select(OVERRIDE).where(OVERRIDE.c.id == override_id)).first()
    return _override(row) if row else None


def add_override(connection: Connection, one: DutyOverride) -> bool:
    """Add an override; False: one of that id is there already."""
    values = {
        "id": one.id, "role": one.role, "person": one.person, "starts_at": one.start, "ends_at": one.end,
        "reason": one.reason, "made_by": one.by, "made_at": one.made_at, "ended_at": one.ended_at,
        "ended_by": one.ended_by,
    }  # fmt: skip
    statement = insert_into(connection, OVERRIDE).values(**values).on_conflict_do_nothing().returning(OVERRIDE.c.id)
    return connection.execute(statement).first() is not None


def end_override(connection: Connection, override_id: str, by: str, now: DateTime) -> bool:
    """End an override now; False: it was over already."""
    mine = update(OVERRIDE).where(OVERRIDE.c.id == override_id, OVERRIDE.c.ended_at.is_(None), OVERRIDE.c.ends_at > now)
    return connection.execute(mine.values(ended_at=now, ended_by=by)).rowcount == 1


def _override(row: Row[Any]) -> DutyOverride:
    return DutyOverride(
        row.id, row.role, row.person, row.starts_at, row.ends_at, row.reason, row.made_by, row.made_at,
        row.ended_at, row.ended_by,
    )  # fmt: skip


def is_handed_over(connection: Connection, change: DutyChange) -> bool:
    """Whether this change was handed over."""
    query = select(HANDOVER.c.role).where(HANDOVER.c.role == change.role, HANDOVER.c.shift == change.shift)
    return connection.execute(query).first() is not None


def claim_handover(connection: Connection, change: DutyChange, now: DateTime) -> bool:
    """Claim the handover of a change for this transaction; False: another process has it, or had it."""
    values = {
        "role": change.role, "shift": change.shift, "before": change.before, "after": change.after, "made_at": now,
    }  # fmt: skip
    statement = insert_into(connection, HANDOVER).values(**values).on_conflict_do_nothing().returning(HANDOVER.c.role)
    return connection.execute(statement).first() is not None
