"""The audit log. Entries are only added."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, insert, select

from storage.accounts.account_tables import AuditRow
from storage.rows import read_all

AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
MAX_FIELD_LENGTH = 300


@dataclass(slots=True)
class AuditEntry:
    """One audited request or refusal. `deed`: a command's name, or `GET /audit`.

    Never a secret that somebody typed.
    """

    deed: str
    outcome: str = "done"  # done | refused
    who: str = ""
    role: str = ""
    way: str = "console"
    address: str = ""
    detail: str = ""
    at: DateTime = field(default_factory=lambda: pendulum.now("UTC"))
    times: int = 1

    def __post_init__(self) -> None:
        # Written by whoever asks: one line, of an honest length.
        for name, most in (("deed", 200), ("who", 100), ("address", 64), ("detail", MAX_FIELD_LENGTH)):
            text = "".join(c if c.isprintable() else " " for c in str(getattr(self, name)))
            setattr(self, name, text[:most].encode("utf-8", "replace").decode())


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry as recorded; its fields are those of `AuditEntry`."""

    id: int  # counts up: a later entry has a higher one
    at: DateTime
    who: str
    role: str
    way: str
    address: str
    deed: str
    outcome: str
    detail: str
    times: int


def add_entries(connection: Connection, *entries: AuditEntry) -> None:
    """Add entries."""
    if entries:
        connection.execute(insert(AUDIT), [asdict(entry) for entry in entries])


def read_entries(
    connection: Connection, *, before: int | None = None, who: str = "", outcome: str = "", limit: int = 100
) -> list[AuditRecord]:
    """Read entries, the newest first; `before`: only those with a smaller number."""
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT.c.id < before)
    if who:
        query = query.where(AUDIT.c.who == who)
    if outcome:
        query = query.where(AUDIT.c.outcome == outcome)
    return read_all(connection, AuditRecord, query)
