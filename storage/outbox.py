"""The outbox: a message is a row before it is sent, and its send outcome is a state of the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from pendulum import DateTime
from sqlalchemy import ColumnElement, Update, and_, bindparam, exists, func, or_, select, update

from storage.conflict_insert import insert_into
from storage.database import Connection
from storage.incidents.tables import IN_HAND, UNSENT, OutboxRow, ResponseRow
from storage.rows import read_all

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]
RESPONSE = ResponseRow.__table__  # type: ignore[attr-defined]
PRIORITY_PAGE, PRIORITY_PUBLICATION, PRIORITY_REST = 0, 1, 2
OutboxState = Literal["pending", "leased", "sent", "retry", "unknown", "dead", "cancelled", "coalesced"]
OVERTAKEN = "overtaken"  # no state of a row: its lease was no longer ours, so others judged the outcome
CLOCK_SKEW = timedelta(seconds=5)  # clocks of two machines may differ by this much; more means that one stepped back


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """An entry of the outbox; the fields are those of `OutboxRow`."""

    key: str
    incident_id: str
    response_id: str
    step: str
    kind: str  # the name of a delivery kind
    purpose: str
    person: str
    channel: str
    lane: int
    rank: int
    drill: bool
    payload: dict[str, Any]
    position: int = 0


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message of the outbox as its row was read; the fields are the columns of `OutboxRow`."""

    id: int  # in the order they were made
    key: str  # unique: the same key is the same message
    incident_id: str  # empty: of no incident
    response_id: str  # empty: of no response
    step: str  # of the response; empty: of none
    kind: str  # the name of its delivery kind
    purpose: str  # what its reader is told or asked for
    person: str  # a person of the roster, an official channel, a customer or a subscriber, by its kind
    channel: str  # a tag of the channel file
    position: int  # which of the person's channels this is, from 0
    lane: int  # PRIORITY_PAGE, PRIORITY_PUBLICATION or PRIORITY_REST
    rank: int  # within its priority: smaller goes first
    drill: bool  # marked as a drill, and published to a sandbox only
    state: OutboxState
    attempts: int  # begun so far, the one in hand among them
    created_at: DateTime
    next_attempt_at: DateTime  # not before then
    leased_until: DateTime | None  # then its sender counts as dead
    lease: str  # the sender's name and the claim, `NAME/CLAIM`; empty: never claimed
    attempt_started_at: DateTime | None
    sent_at: DateTime | None
    receipt: str  # the platform's id or address of it, where it gave one
    detail: str  # one line on its state, without any secret
    payload: dict[str, Any]  # what its kind needs to make the message


def enqueue_entries(connection: Connection, owed: Sequence[OutboxEntry], now: DateTime) -> None:
    """Add entries to the outbox. A key that is there already is the same message: kept once."""
    if not owed:
        return
    rows = [
        {
            **{name: getattr(one, name) for name in OutboxEntry.__slots__},
            "state": "pending", "attempts": 0, "created_at": now, "next_attempt_at": now, "lease": "",
            "receipt": "", "detail": "",
        }
        for one in owed
    ]  # fmt: skip
    connection.execute(insert_into(connection, OUTBOX).on_conflict_do_nothing(index_elements=["key"]), rows)


def claim_messages(  # noqa: PLR0913 - each says which messages are meant
    connection: Connection, now: DateTime, until: DateTime, *, limit: int, lease: str,
    ready_since: DateTime, busy: Iterable[str] = (), worst: int = PRIORITY_REST, most: int | None = None,
) -> list[OutboxMessage]:  # fmt: skip
    """Lease messages that may go now, pages first; their attempt begins with this transaction.

    Messages of one claim share one channel, so that a slow one holds up no other channel; a publication is
    claimed alone, and only once what was ordered before it for the same incident and channel has come to an
    end: the public reads statements in their order. `ready_since`: only what has been ready since then (the
    guarantor leaves the rest to the runner). `worst`: only priorities up to this one; `most`: only pages up to
    this rank.
    """
    ready = and_(_ready(now, ready_since, busy), _urgent(worst, most))
    order = (OUTBOX.c.lane, OUTBOX.c.rank, OUTBOX.c.id)
    first = select(OUTBOX.c.id, OUTBOX.c.channel, OUTBOX.c.lane).where(ready).order_by(*order).limit(1)
    if connection.dialect.name == "postgresql":
        first = first.with_for_update(skip_locked=True)
    head = connection.execute(first).first()
    if head is None:
        return []
    chosen = select(OUTBOX.c.id).where(ready, OUTBOX.c.channel == head.channel, OUTBOX.c.lane == head.lane)
    chosen = chosen.order_by(*order).limit(1 if head.lane == PRIORITY_PUBLICATION else limit)
    if connection.dialect.name == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    ids = list(connection.execute(chosen).scalars())
    taken = read_all(
        connection, OutboxMessage,
        update(OUTBOX)
        .where(OUTBOX.c.id.in_(ids), UNSENT)
        .values(
            state="leased", lease=lease, leased_until=until, attempt_started_at=now,
            attempts=OUTBOX.c.attempts + 1,
        )
        .returning(*OUTBOX.c),
    )  # fmt: skip
    return sorted(taken, key=lambda message: (message.rank, message.id))


def _ready(now: DateTime, since: DateTime, busy: Iterable[str] = ()) -> ColumnElement[bool]:
    """Condition of a message that may go. One with a future time waits no longer: the clock was stepped back."""
    begun = func.coalesce(OUTBOX.c.attempt_started_at, OUTBOX.c.created_at)
    come = or_(OUTBOX.c.next_attempt_at <= since, begun > now + CLOCK_SKEW)
    return and_(UNSENT, come, OUTBOX.c.channel.not_in(list(busy)), _in_turn())


def _in_turn() -> ColumnElement[bool]:
    """A publication waits for the one ordered before it for the same incident and channel."""
    before = OUTBOX.alias("before")
    unended = and_(
        before.c.incident_id == OUTBOX.c.incident_id, before.c.channel == OUTBOX.c.channel,
        before.c.kind == "publication", before.c.id < OUTBOX.c.id, before.c.state.in_(("pending", "retry", "leased")),
    )  # fmt: skip
    return or_(OUTBOX.c.lane != PRIORITY_PUBLICATION, ~exists().where(unended))


def save_outcome(connection: Connection, row_id: int, lease: str, **values: Any) -> bool:
    """Save the outcome of an attempt; False if the lease is no longer ours (others have judged the outcome)."""
    said = {f"new_{name}": value for name, value in values.items()}
    statement = _outcome_update(tuple(sorted(values)))
    return connection.execute(statement, {"row": row_id, "mine": lease, **said}).rowcount == 1


def record_state(connection: Connection, message: OutboxMessage, state: OutboxState, **values: Any) -> str:
    """Record the state of a message in hand; return it, or OVERTAKEN where others have judged the outcome."""
    return state if save_outcome(connection, message.id, message.lease, state=state, **values) else OVERTAKEN


def rewrite_message(connection: Connection, message: OutboxMessage, payload: dict[str, Any]) -> OutboxMessage:
    """Replace a message's payload in the transaction that claimed it; return the message as it is then."""
    mine = and_(OUTBOX.c.id == message.id, OUTBOX.c.lease == message.lease, IN_HAND)
    connection.execute(update(OUTBOX).where(mine).values(payload=payload))
    return replace(message, payload=payload)


@lru_cache(maxsize=32)
def _outcome_update(names: tuple[str, ...]) -> Update:
    """Build the update once for each set of columns: building the statement costs more than running it."""
    mine = and_(OUTBOX.c.id == bindparam("row"), OUTBOX.c.lease == bindparam("mine"), IN_HAND)
    changed = {name: bindparam(f"new_{name}", type_=OUTBOX.c[name].type) for name in names}
    return update(OUTBOX).where(mine).values(leased_until=None, **changed)


def list_leased(connection: Connection) -> list[OutboxMessage]:
    """List every leased message."""
    return read_all(connection, OutboxMessage, select(OUTBOX).where(IN_HAND))


def has_leased(connection: Connection) -> bool:
    """Whether any message is leased."""
    return connection.execute(select(OUTBOX.c.id).where(IN_HAND).limit(1)).first() is not None


def cancel_messages(connection: Connection, response_id: str, step: str, purposes: Iterable[str], why: str) -> int:
    """Cancel notices of a step that are no longer needed and have not begun to go out."""
    needless = and_(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.kind == "notice",
        OUTBOX.c.purpose.in_([str(purpose) for purpose in purposes]), UNSENT,
    )  # fmt: skip
    return connection.execute(update(OUTBOX).where(needless).values(state="cancelled", detail=why)).rowcount


def has_ready_messages(
    connection: Connection, now: DateTime, since: DateTime, busy: Iterable[str] = (), worst: int = PRIORITY_REST,
    most: int | None = None,
) -> bool:  # fmt: skip
    """Whether `claim_messages` would find anything."""
    wanted = and_(_ready(now, since, busy), _urgent(worst, most))
    return connection.execute(select(OUTBOX.c.id).where(wanted).limit(1)).first() is not None


def _urgent(worst: int, most: int | None) -> ColumnElement[bool]:
    """Condition of priorities up to `worst`, and pages up to that rank.

    Nothing else is sent until they are out.
    """
    priorities = OUTBOX.c.lane <= worst
    return priorities if most is None else and_(priorities, or_(OUTBOX.c.lane != PRIORITY_PAGE, OUTBOX.c.rank <= most))


def most_urgent_rank(connection: Connection, now: DateTime, since: DateTime, slow: Iterable[str]) -> int | None:
    """Return the rank of the most urgent waiting page, slow channels left out; None where none waits."""
    query = select(OUTBOX.c.rank).where(_ready(now, since, slow), OUTBOX.c.lane == PRIORITY_PAGE)
    found: int | None = connection.execute(query.order_by(OUTBOX.c.rank, OUTBOX.c.id).limit(1)).scalar_one_or_none()
    return found


def list_ready_responses(connection: Connection, now: DateTime, limit: int = 200) -> list[tuple[str, str]]:
    """List responses with messages that may go now, as (response id, flow)."""
    query = (
        select(OUTBOX.c.response_id, RESPONSE.c.flow)
        .join(RESPONSE, RESPONSE.c.id == OUTBOX.c.response_id)
        .where(_ready(now, now))
        .distinct()
        .limit(limit)
    )
    return [(row.response_id, row.flow) for row in connection.execute(query)]


def next_message_at(connection: Connection) -> DateTime | None:
    """When the next message may go; None where none is owed."""
    query = select(func.min(OUTBOX.c.next_attempt_at)).where(UNSENT)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return found


def list_incident_messages(connection: Connection, incident_id: str) -> list[OutboxMessage]:
    """List every message of an incident, in the order they were made."""
    query = select(OUTBOX).where(OUTBOX.c.incident_id == incident_id).order_by(OUTBOX.c.id)
    return read_all(connection, OutboxMessage, query)


def list_notified_people(connection: Connection, response_id: str, step: str, call: str = "") -> set[str]:
    """List the people who ever had a notice of this step; `call`: only by notices whose key begins so."""
    query = select(OUTBOX.c.person).where(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.kind == "notice"
    )
    if call:
        query = query.where(OUTBOX.c.key.startswith(f"{call}/", autoescape=True))
    return set(connection.execute(query).scalars())


def count_by_state(connection: Connection, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> dict[str, int]:
    """Count messages by state: of these kinds only, or of all but these."""
    query = select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)
    if only:
        query = query.where(OUTBOX.c.kind.in_(only))
    if without:
        query = query.where(OUTBOX.c.kind.not_in(without))
    return {row[0]: row[1] for row in connection.execute(query)}


def clear_sent_payloads(connection: Connection, before: DateTime) -> int:
    """Clear the payload of messages sent before then; the record of the send is kept."""
    old = and_(OUTBOX.c.state.in_(("sent", "cancelled", "coalesced", "dead")), OUTBOX.c.created_at < before)
    return connection.execute(update(OUTBOX).where(old).values(payload={})).rowcount


LEASE = timedelta(seconds=30)  # outlasts the time-outs of a channel (4 s to connect, 8 s to answer) with room


def coalesce_messages(connection: Connection, response_id: str, step: str, person: str) -> int:
    """Coalesce an unsent earlier notice of this step to this person into a newer one."""
    older = and_(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.person == person,
        OUTBOX.c.kind == "notice", UNSENT,
    )  # fmt: skip
    return connection.execute(update(OUTBOX).where(older).values(state="coalesced", detail="a newer one")).rowcount
