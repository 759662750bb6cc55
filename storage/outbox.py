"""The outbox: a message is a row before it is sent, and its outcome is a state of the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, Row, Update, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.tables import IN_HAND, UNSENT, OutboxRow, ResponseRow

OUTBOX = OutboxRow.__table__  # type: ignore[attr-defined]
RESPONSE = ResponseRow.__table__  # type: ignore[attr-defined]
PAGE, PUBLICATION, REST = 0, 1, 2
State = Literal["pending", "leased", "sent", "retry", "unknown", "dead", "cancelled", "coalesced"]
SKEW = timedelta(seconds=5)  # clocks of two machines may differ by this much; more means that one stepped back


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A message to be kept in the outbox; the fields are those of `OutboxRow`."""

    key: str
    incident_id: str
    response_id: str
    step: str
    kind: Literal["notice", "publication", "handover", "status-mail"]
    purpose: str
    person: str
    channel: str
    lane: int
    rank: int
    drill: bool
    payload: dict[str, Any]
    position: int = 0


def enqueue(connection: Connection, owed: Sequence[Owed], now: DateTime) -> None:
    """Keep these messages. A key that is there already is the same message: kept once."""
    if not owed:
        return
    rows = [
        {
            **{name: getattr(one, name) for name in Owed.__slots__},
            "state": "pending", "attempts": 0, "created_at": now, "next_attempt_at": now, "lease": "",
            "receipt": "", "detail": "",
        }
        for one in owed
    ]  # fmt: skip
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]), rows)


def claim(  # noqa: PLR0913 - each says which messages are meant
    connection: Connection, now: DateTime, until: DateTime, *, limit: int, lease: str,
    ready_since: DateTime, busy: Iterable[str] = (), worst: int = REST, most: int | None = None,
) -> list[Row[Any]]:  # fmt: skip
    """Lease messages that may go now, pages first; their attempt begins with this transaction.

    Messages of one claim share one channel, so that a slow one holds up nobody else's; a publication is claimed
    alone, and only once what was ordered before it for the same incident and channel has come to an end: the public
    reads statements in their order. `ready_since`: only what has been ready since then (the guarantor leaves the rest
    to the runner). `worst`: only lanes up to this one; `most`: only pages up to this rank.
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
    chosen = chosen.order_by(*order).limit(1 if head.lane == PUBLICATION else limit)
    if connection.dialect.name == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    ids = list(connection.execute(chosen).scalars())
    taken = connection.execute(
        update(OUTBOX)
        .where(OUTBOX.c.id.in_(ids), UNSENT)
        .values(
            state="leased", lease=lease, leased_until=until, attempt_started_at=now,
            attempts=OUTBOX.c.attempts + 1,
        )
        .returning(*OUTBOX.c)
    ).all()  # fmt: skip
    return sorted(taken, key=lambda row: (row.rank, row.id))


def _ready(now: DateTime, since: DateTime, busy: Iterable[str] = ()) -> ColumnElement[bool]:
    """What may go. Made or tried at a time that is yet to come: the clock stepped back, and it waits no longer."""
    begun = func.coalesce(OUTBOX.c.attempt_started_at, OUTBOX.c.created_at)
    come = or_(OUTBOX.c.next_attempt_at <= since, begun > now + SKEW)
    return and_(UNSENT, come, OUTBOX.c.channel.not_in(list(busy)), _in_turn())


def _in_turn() -> ColumnElement[bool]:
    """A publication waits for the one ordered before it for the same incident and channel."""
    before = OUTBOX.alias("before")
    unended = and_(
        before.c.incident_id == OUTBOX.c.incident_id, before.c.channel == OUTBOX.c.channel,
        before.c.kind == "publication", before.c.id < OUTBOX.c.id, before.c.state.in_(("pending", "retry", "leased")),
    )  # fmt: skip
    return or_(OUTBOX.c.lane != PUBLICATION, ~exists().where(unended))


def settle(connection: Connection, row_id: int, lease: str, **values: Any) -> bool:
    """Record the outcome of an attempt; False if the lease is no longer ours (the outcome was judged by others)."""
    said = {f"new_{name}": value for name, value in values.items()}
    statement = _settling(tuple(sorted(values)))
    return connection.execute(statement, {"row": row_id, "mine": lease, **said}).rowcount == 1


def rewrite(connection: Connection, row_id: int, lease: str, payload: dict[str, Any]) -> Row[Any]:
    """Give a message other words in the transaction that claimed it; the row as it is then."""
    mine = and_(OUTBOX.c.id == row_id, OUTBOX.c.lease == lease, IN_HAND)
    return connection.execute(update(OUTBOX).where(mine).values(payload=payload).returning(*OUTBOX.c)).one()


@lru_cache(maxsize=32)
def _settling(names: tuple[str, ...]) -> Update:
    """Built once for each set of columns: putting the statement together costs more than running it."""
    mine = and_(OUTBOX.c.id == bindparam("row"), OUTBOX.c.lease == bindparam("mine"), IN_HAND)
    changed = {name: bindparam(f"new_{name}", type_=OUTBOX.c[name].type) for name in names}
    return update(OUTBOX).where(mine).values(leased_until=None, **changed)


def in_hand(connection: Connection) -> list[Row[Any]]:
    """Every message that some sender has in hand now."""
    return list(connection.execute(select(OUTBOX).where(IN_HAND)))


def any_in_hand(connection: Connection) -> bool:
    """Whether some sender has a message in hand."""
    return connection.execute(select(OUTBOX.c.id).where(IN_HAND).limit(1)).first() is not None


def withdraw(connection: Connection, response_id: str, step: str, purposes: Iterable[str], why: str) -> int:
    """Cancel notices of a step that nobody needs any more and that have not begun to go out."""
    needless = and_(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.kind == "notice",
        OUTBOX.c.purpose.in_([str(purpose) for purpose in purposes]), UNSENT,
    )  # fmt: skip
    return connection.execute(update(OUTBOX).where(needless).values(state="cancelled", detail=why)).rowcount


def waiting(
    connection: Connection, now: DateTime, since: DateTime, busy: Iterable[str] = (), worst: int = REST,
    most: int | None = None,
) -> bool:  # fmt: skip
    """Whether `claim` would find anything."""
    wanted = and_(_ready(now, since, busy), _urgent(worst, most))
    return connection.execute(select(OUTBOX.c.id).where(wanted).limit(1)).first() is not None


def _urgent(worst: int, most: int | None) -> ColumnElement[bool]:
    """Lanes up to `worst`, and pages up to that rank: what is more urgent has the machine to itself until it is out."""
    lanes = OUTBOX.c.lane <= worst
    return lanes if most is None else and_(lanes, or_(OUTBOX.c.lane != PAGE, OUTBOX.c.rank <= most))


def first_page(connection: Connection, now: DateTime, since: DateTime, slow: Iterable[str]) -> int | None:
    """The rank of the most urgent page that waits, but for channels that are slow; None where none does."""
    query = select(OUTBOX.c.rank).where(_ready(now, since, slow), OUTBOX.c.lane == PAGE)
    found: int | None = connection.execute(query.order_by(OUTBOX.c.rank, OUTBOX.c.id).limit(1)).scalar_one_or_none()
    return found


def ready_responses(connection: Connection, now: DateTime, limit: int = 200) -> list[tuple[str, str]]:
    """Responses with messages that may go now, as (response id, flow)."""
    query = (
        select(OUTBOX.c.response_id, RESPONSE.c.flow)
        .join(RESPONSE, RESPONSE.c.id == OUTBOX.c.response_id)
        .where(_ready(now, now))
        .distinct()
        .limit(limit)
    )
    return [(row.response_id, row.flow) for row in connection.execute(query)]


def next_ready(connection: Connection) -> DateTime | None:
    """When the next message may go; None where none is owed."""
    query = select(func.min(OUTBOX.c.next_attempt_at)).where(UNSENT)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return found


def of_incident(connection: Connection, incident_id: str) -> list[Row[Any]]:
    """Every message of an incident, in the order they were made."""
    return list(connection.execute(select(OUTBOX).where(OUTBOX.c.incident_id == incident_id).order_by(OUTBOX.c.id)))


def told(connection: Connection, response_id: str, step: str, call: str = "") -> set[str]:
    """The people to whom a notice of this step was owed at any time; `call`: only by notices whose key begins so."""
    query = select(OUTBOX.c.person).where(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.kind == "notice"
    )
    if call:
        query = query.where(OUTBOX.c.key.startswith(f"{call}/", autoescape=True))
    return set(connection.execute(query).scalars())


def by_state(connection: Connection, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> dict[str, int]:
    """How many messages are in each state: of these kinds only, or of all but these."""
    query = select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)
    if only:
        query = query.where(OUTBOX.c.kind.in_(only))
    if without:
        query = query.where(OUTBOX.c.kind.not_in(without))
    return {row[0]: row[1] for row in connection.execute(query)}


def thin(connection: Connection, before: DateTime) -> int:
    """Forget the text of messages that went out before then; that they went is kept."""
    old = and_(OUTBOX.c.state.in_(("sent", "cancelled", "coalesced", "dead")), OUTBOX.c.created_at < before)
    return connection.execute(update(OUTBOX).where(old).values(payload={})).rowcount


LEASE = timedelta(seconds=30)  # outlasts the time-outs of a channel (4 s to connect, 8 s to answer) with room


def coalesce(connection: Connection, response_id: str, step: str, person: str) -> int:
    """An earlier notice of this step to this person that has not gone out yet is overtaken by a newer one."""
    older = and_(
        OUTBOX.c.response_id == response_id, OUTBOX.c.step == step, OUTBOX.c.person == person,
        OUTBOX.c.kind == "notice", UNSENT,
    )  # fmt: skip
    return connection.execute(update(OUTBOX).where(older).values(state="coalesced", detail="a newer one")).rowcount
