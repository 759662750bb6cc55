"""Records of turns (by which process, how late), carried-out commands, and facts of the installation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import ARRAY, Connection, Text, delete, func, insert, literal, select, update

from storage.conflict_insert import insert_into
from storage.incidents.tables import CommandRow, InstallationFactRow, TurnRow

TURN = TurnRow.__table__  # type: ignore[attr-defined]
KEPT = InstallationFactRow.__table__  # type: ignore[attr-defined]
COMMAND = CommandRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class TurnShares:
    """Turns taken since some moment, and those among them without Prefect."""

    turns: int
    without_prefect: int

    @property
    def share(self) -> float:
        """The share of turns without Prefect, 0.0 to 1.0; 0 where no turn was taken."""
        return self.without_prefect / self.turns if self.turns else 0.0


def record_turns(connection: Connection, turns: Sequence[dict[str, Any]]) -> None:
    """Save turns: response_id, due_at, taken_at, driver, run_id."""
    if turns:
        connection.execute(insert(TURN), list(turns))


def count_turns(connection: Connection, since: DateTime) -> TurnShares:
    """Count the turns since then and those without Prefect."""
    query = select(TURN.c.driver, func.count()).where(TURN.c.taken_at >= since).group_by(TURN.c.driver)
    counts = {row[0]: row[1] for row in connection.execute(query)}
    total = sum(counts.values())
    return TurnShares(total, counts.get("guarantor", 0))


def delete_old_turns(connection: Connection, before: DateTime) -> int:
    """Delete turns taken before then."""
    return connection.execute(delete(TURN).where(TURN.c.taken_at < before)).rowcount


def find_carried_out(connection: Connection, command_id: str) -> str | None:
    """Find the incident on which a command of this id was carried out already."""
    query = select(COMMAND.c.incident_id).where(COMMAND.c.id == command_id)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def list_carried_out(connection: Connection, command_ids: Iterable[str]) -> dict[str, str]:
    """Return those of these commands that were carried out already, with their incidents."""
    query = select(COMMAND.c.id, COMMAND.c.incident_id).where(COMMAND.c.id.in_(list(command_ids)))
    return {row.id: row.incident_id for row in connection.execute(query)}


def lock_commands(connection: Connection, command_ids: Iterable[str]) -> None:
    """Lock these command ids to the end of the transaction. SQLite has its one writer."""
    if connection.dialect.name == "postgresql":
        ids = func.unnest(literal(list(command_ids), ARRAY(Text))).table_valued("id").render_derived()
        keys = select(func.hashtextextended(ids.c.id, 0).label("key")).distinct().order_by("key").subquery()
        connection.execute(select(func.pg_advisory_xact_lock(keys.c.key)))


def record_command(connection: Connection, command_id: str, incident_id: str, kind: str, now: DateTime) -> None:
    """Record that a command was carried out."""
    connection.execute(insert(COMMAND).values(id=command_id, incident_id=incident_id, kind=kind, at=now))


def save_installation_fact(connection: Connection, name: str, value: dict[str, Any], now: DateTime) -> None:
    """Save a small fact of the installation."""
    statement = insert_into(connection, KEPT).values(name=name, value=value, at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value, "at": now}))


def load_installation_fact(connection: Connection, name: str) -> tuple[dict[str, Any], DateTime] | None:
    """Load the fact saved under that name, and when it was saved."""
    row = connection.execute(select(KEPT.c.value, KEPT.c.at).where(KEPT.c.name == name)).first()
    return (row.value, row.at) if row else None


def add_installation_fact(connection: Connection, name: str, value: dict[str, Any], now: DateTime) -> bool:
    """Add a fact that was never saved; False where another process has added it meanwhile."""
    statement = insert_into(connection, KEPT).values(name=name, value=value, at=now).on_conflict_do_nothing()
    return connection.execute(statement.returning(KEPT.c.name)).first() is not None


def replace_installation_fact(
    connection: Connection, name: str, value: dict[str, Any], since: DateTime, now: DateTime
) -> bool:
    """Replace the fact that was saved at `since`; False where another process has replaced it meanwhile."""
    mine = update(KEPT).where(KEPT.c.name == name, KEPT.c.at == since)
    return connection.execute(mine.values(value=value, at=now)).rowcount == 1


def lock_installation_fact(connection: Connection, name: str) -> dict[str, Any] | None:
    """Load a fact, kept from being changed by others to the end of this transaction."""
    query = select(KEPT.c.value).where(KEPT.c.name == name).with_for_update(read=True)
    found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found
