"""Checkpoints in the main database: how far each feed was evaluated, and which engine evaluates.

A commit of changes marks its tick in the same transaction, so that after a kill no tick is evaluated on
rule states that are newer than it: a warning that worsened would worsen twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pendulum
from pendulum import DateTime

from domain.durations import later
from storage.database import Connection, Database
from storage.incidents.turns import (
    add_installation_fact,
    load_installation_fact,
    lock_installation_fact,
    replace_installation_fact,
    save_installation_fact,
)

_TICK: Final = "warning-tick:"
LEASE: Final = "warning-lease"
FACTS: Final = "warning-facts"
LEASE_LASTS: Final = timedelta(seconds=25)  # two ticks and a half without a word, and another engine takes over


def save_checkpoint(connection: Connection, feed: str, at: DateTime, now: DateTime) -> None:
    """Save that every tick of the feed up to `at` is evaluated; its changes commit with this transaction."""
    before = load_checkpoint(connection, feed)
    if before is None or before < at:
        save_installation_fact(connection, _TICK + feed, {"at": at.isoformat()}, now)


def load_checkpoint(connection: Connection, feed: str) -> DateTime | None:
    """Load the last tick of the feed that is done; None: there was none."""
    found = load_installation_fact(connection, _TICK + feed)
    if found is None:
        return None
    at = pendulum.parse(found[0]["at"])
    assert isinstance(at, DateTime)  # noqa: S101 - written by `mark`
    return at


def save_evaluator_facts(connection: Connection, facts: Mapping[str, Any], now: DateTime) -> None:
    """Save what the evaluation reports of itself: who, since when, ticks, overruns, series."""
    save_installation_fact(connection, FACTS, dict(facts), now)


def load_evaluator_facts(connection: Connection) -> tuple[dict[str, Any], DateTime] | None:
    """Load what the evaluation last reported of itself, and when."""
    return load_installation_fact(connection, FACTS)


@dataclass(frozen=True, slots=True)
class EvaluatorLease:
    """Lease on evaluating the rules. `number` grows with each change of holder."""

    holder: str
    number: int


def take_lease(database: Database, holder: str, now: DateTime) -> EvaluatorLease | None:
    """Take or renew the right to evaluate, or None while another engine has it.

    One conditional UPDATE: of two engines that find it free, the second changes no row.
    """
    with database.write() as connection:
        found = load_installation_fact(connection, LEASE)
        if found is None:
            first = add_installation_fact(connection, LEASE, {"holder": holder, "number": 1}, now)
            return EvaluatorLease(holder, 1) if first else None
        value, since = found
        own = value["holder"] == holder
        if not own and now < later(since, LEASE_LASTS):
            return None
        lease = EvaluatorLease(holder, value["number"] + (not own))
        value = {"holder": lease.holder, "number": lease.number}
        return lease if replace_installation_fact(connection, LEASE, value, since, now) else None


class EvaluatorLeaseLost(RuntimeError):
    """Another engine evaluates by now: nothing of this transaction may be committed."""


def is_lease_held(connection: Connection, lease: EvaluatorLease) -> bool:
    """Whether the lease is still in force; a transaction that writes keeps it from being taken over."""
    found = lock_installation_fact(connection, LEASE)
    return found == {"holder": lease.holder, "number": lease.number}


def require_lease(connection: Connection, lease: EvaluatorLease | None) -> None:
    """Require the lease first in every transaction that writes: a frozen engine's lease may be over.

    Raises:
        EvaluatorLeaseLost: it is not in force any more. None is the lease of a sole evaluator, as in tests and
            tools.
    """
    if lease is not None and not is_lease_held(connection, lease):
        raise EvaluatorLeaseLost


def release_lease(database: Database, lease: EvaluatorLease) -> None:
    """Release the lease at once, so that nobody waits for it to run out."""
    with database.write() as connection:
        if is_lease_held(connection, lease):
            value = {"holder": "", "number": lease.number}
            save_installation_fact(connection, LEASE, value, pendulum.datetime(1970, 1, 1))
