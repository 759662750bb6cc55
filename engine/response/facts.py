"""Facts of a response on record: they move its state, stand on its timeline, and withdraw what they make needless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pendulum import DateTime

from domain.evolve import evolve_snapshot
from domain.facts import Fact, FactKind
from domain.incident import Snapshot
from domain.notifications import UNTIL_ACKNOWLEDGED, UNTIL_OVER
from storage import outbox
from storage.database import Connection
from storage.incidents import incidents, timeline

K = FactKind
_OVER = frozenset({K.DONE, K.SKIPPED, K.ABANDONED, K.SUPERSEDED, K.VOIDED, K.DRAFTED, K.APPROVED, K.REJECTED})


def record_facts(connection: Connection, before: Snapshot, facts: Sequence[Fact], now: DateTime) -> Snapshot:
    """Record facts with the state that they move, and make the response's next turn due now; return that state.

    The caller holds the incident's lock, and loaded `before` under it.
    """
    after = reduce(evolve_snapshot, facts, before)
    incidents.save_snapshot(connection, before, after, now)
    append_facts(connection, after, facts)
    return after


def append_facts(connection: Connection, snapshot: Snapshot, facts: Iterable[Fact], run_id: str = "") -> None:
    """Append facts to the timeline, and withdraw from the outbox what they make needless."""
    facts = list(facts)
    timeline.append_facts(connection, snapshot.incident.id, facts, response_id=snapshot.response.id, run_id=run_id)
    for fact in facts:
        if not _called_before(snapshot, fact, facts):
            continue
        if fact.kind is K.ACKNOWLEDGED:
            outbox.cancel_messages(connection, snapshot.response.id, fact.step, UNTIL_ACKNOWLEDGED, "acknowledged")
        elif fact.kind is K.REASSIGNED:
            outbox.cancel_messages(
                connection, snapshot.response.id, fact.step, UNTIL_ACKNOWLEDGED, "given to another person"
            )
        elif fact.kind in _OVER and fact.step:
            outbox.cancel_messages(connection, snapshot.response.id, fact.step, UNTIL_OVER, str(fact.kind))
    if any(fact.kind in (K.MITIGATED, K.CLOSED, K.REOPENED, K.CANCELLED) for fact in facts):
        incidents.wake_responses(connection, incidents.list_response_ids(connection, snapshot.incident.id), facts[0].at)


def _called_before(snapshot: Snapshot, fact: Fact, facts: list[Fact]) -> bool:
    """Whether anyone can have been called for the fact's step before these facts: else nothing is to withdraw."""
    state = snapshot.steps.get(fact.step)
    opened_here = any(f.kind is K.OPENED and f.step == fact.step for f in facts)
    return state is not None and state.calls > (1 if opened_here else 0)
