"""Turns that were taken, by whom and how late: the figures of punctuality and of Prefect's share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import ARRAY, Connection, Text, delete, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.tables import CommandRow, KeptRow, TurnRow

TURN = TurnRow.__table__  # type: ignore[attr-defined]
KEPT = KeptRow.__table__  # type: ignore[attr-defined]
COMMAND = CommandRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Shares:
    """How many turns were taken since some moment, and how many of them without Prefect."""

    turns: int
    without_prefect: int

    @property
    def share(self) -> float:
        """0.0 to 1.0; 0 where no turn was taken."""
        return self.without_prefect / self.turns if self.turns else 0.0


def record(connection: Connection, turns: Sequence[dict[str, Any]]) -> None:
    """Keep turns: response_id, due_at, taken_at, driver, run_id."""
    if turns:
        connection.execute(insert(TURN), list(turns))


def shares(connection: Connection, since: DateTime) -> Shares:
    """The share of turns that went without Prefect."""
    query = select(TURN.c.driver, func.count()).where(TURN.c.taken_at >= since).group_by(TURN.c.driver)
    counts = {row[0]: row[1] for row in connection.execute(query)}
    total = sum(counts.values())
    return Shares(total, counts.get("guarantor", 0))


def thin(connection: Connection, before: DateTime) -> int:
    """Forget turns taken before then."""
    return connection.execute(delete(TURN).where(TURN.c.taken_at < before)).rowcount


def carried_out(connection: Connection, command_id: str) -> str | None:
    """The incident on which a command of this id was carried out already."""
    query = select(COMMAND.c.incident_id).where(COMMAND.c.id == command_id)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def carried_out_among(connection: Connection, command_ids: Iterable[str]) -> dict[str, str]:
    """Those of these commands that were carried out already, with their incidents."""
    query = select(COMMAND.c.id, COMMAND.c.incident_id).where(COMMAND.c.id.in_(list(command_ids)))
    return {row.id: row.incident_id for row in connection.execute(query)}


def hold(connection: Connection, command_ids: Iterable[str]) -> None:
    """To the end of the transaction nobody else carries out a command of these ids. SQLite has its one writer."""
    if connection.dialect.name == "postgresql":
        ids = func.unnest(literal(list(command_ids), ARRAY(Text))).table_valued("id").render_derived()
        keys = select(func.hashtextextended(ids.c.id, 0).label("key")).distinct().order_by("key").subquery()
        connection.execute(select(func.pg_advisory_xact_lock(keys.c.key)))


def carry_out(connection: Connection, command_id: str, incident_id: str, kind: str, now: DateTime) -> None:
    """Remember that a command was carried out."""
    connection.execute(insert(COMMAND).values(id=command_id, incident_id=incident_id, kind=kind, at=now))


def keep(connection: Connection, name: str, value: dict[str, Any], now: DateTime) -> None:
    """Keep a small fact of the installation."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(KEPT).values(name=name, value=value, at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value, "at": now}))


def kept(connection: Connection, name: str) -> tuple[dict[str, Any], DateTime] | None:
    """What was kept under that name, and when."""
    row = connection.execute(select(KEPT.c.value, KEPT.c.at).where(KEPT.c.name == name)).first()
    return (row.value, row.at) if row else None
