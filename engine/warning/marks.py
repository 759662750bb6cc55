"""How far each lane was evaluated, and which engine evaluates: small facts in the main database.

A commit of changes marks its tick in the same transaction, so that after a kill no tick is evaluated on standings that
are newer than it: a warning that worsened would worsen twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.durations import later
from storage.database import Database
from storage.turns import KEPT, keep, kept

_TICK: Final = "warning-tick:"
LEASE: Final = "warning-lease"
FACTS: Final = "warning-facts"
LEASED: Final = timedelta(seconds=25)  # two ticks and a half without a word, and another engine takes over


def mark(connection: Connection, lane: str, at: DateTime, now: DateTime) -> None:
    """Every tick of the lane up to `at` is evaluated, and what it changed is committed with this transaction."""
    before = marked(connection, lane)
    if before is None or before < at:
        keep(connection, _TICK + lane, {"at": at.isoformat()}, now)


def marked(connection: Connection, lane: str) -> DateTime | None:
    """The last tick of the lane that is done; None: there was none."""
    found = kept(connection, _TICK + lane)
    if found is None:
        return None
    at = pendulum.parse(found[0]["at"])
    assert isinstance(at, DateTime)  # noqa: S101 - written by `mark`
    return at


def say(connection: Connection, facts: Mapping[str, Any], now: DateTime) -> None:
    """Keep what the evaluation shows of itself: who, since when, ticks, overruns, series."""
    keep(connection, FACTS, dict(facts), now)


def said(connection: Connection) -> tuple[dict[str, Any], DateTime] | None:
    """What the evaluation last said of itself, and when."""
    return kept(connection, FACTS)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who evaluates the rules. `number` grows with each change of hands."""

    holder: str
    number: int


def take_lease(database: Database, holder: str, now: DateTime) -> Lease | None:
    """Take or renew the right to evaluate, or None while another engine has it.

    One conditional UPDATE: of two engines that find it free, the second changes no row.
    """
    with database.write() as connection:
        found = kept(connection, LEASE)
        if found is None:
            try:
                with connection.begin_nested():
                    connection.execute(insert(KEPT).values(name=LEASE, value={"holder": holder, "number": 1}, at=now))
            except IntegrityError:
                return None
            return Lease(holder, 1)
        value, since = found
        own = value["holder"] == holder
        if not own and now < later(since, LEASED):
            return None
        lease = Lease(holder, value["number"] + (not own))
        changed = connection.execute(
            update(KEPT)
            .where(KEPT.c.name == LEASE, KEPT.c.at == since)
            .values(value={"holder": lease.holder, "number": lease.number}, at=now)
        )
        return lease if changed.rowcount else None


class LeaseLost(RuntimeError):
    """Another engine evaluates by now: nothing of this transaction may be committed."""


def lease_held(connection: Connection, lease: Lease) -> bool:
    """Whether it is still in force. In a transaction that writes, nobody takes it over before that ends."""
    query = select(KEPT.c.value).where(KEPT.c.name == LEASE).with_for_update(read=True)
    found = connection.execute(query).scalar_one_or_none()
    return bool(found == {"holder": lease.holder, "number": lease.number})


def fence(connection: Connection, lease: Lease | None) -> None:
    """Ask it first in every transaction that writes: an engine that was frozen holds a lease that is over.

    Raises:
        LeaseLost: it is not in force any more. None is the lease of whoever evaluates alone, as tests and tools do.
    """
    if lease is not None and not lease_held(connection, lease):
        raise LeaseLost


def give_back(database: Database, lease: Lease) -> None:
    """End the lease at once, so that nobody waits for it to run out."""
    with database.write() as connection:
        if lease_held(connection, lease):
            value = {"holder": "", "number": lease.number}
            keep(connection, LEASE, value, pendulum.datetime(1970, 1, 1))
