"""Subscribers of the status page: asked, confirmed, deleted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pendulum import DateTime
from sqlalchemy import Connection, delete, func, insert, select, update

from storage.rows import read_all, read_first
from storage.statuspage.subscriber_tables import SubscriberRow

SUBSCRIBER = SubscriberRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class SubscriberRecord:
    """A subscriber to statements as recorded."""

    id: str
    sealed: str  # the address, for `ContactVault.open`
    language: str
    asked_at: DateTime  # when they were last asked to confirm
    confirmed_at: DateTime | None  # None: not yet


@dataclass(frozen=True, slots=True)
class ConfirmedSubscriber:
    """A subscriber who confirmed, as far as a statement needs it."""

    id: str
    language: str


def find_subscriber(connection: Connection, mark: str) -> SubscriberRecord | None:
    """Find the subscriber with that mark."""
    return read_first(connection, SubscriberRecord, select(SUBSCRIBER).where(SUBSCRIBER.c.mark == mark))


def get_subscriber(connection: Connection, subscriber: str) -> SubscriberRecord | None:
    """Return the subscriber of that id; None if they left."""
    return read_first(connection, SubscriberRecord, select(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber))


def add_subscriber(connection: Connection, mark: str, sealed: str, language: str, now: DateTime) -> str:
    """Add a subscriber who is still to confirm; return their id."""
    name = secrets.token_urlsafe(16)
    connection.execute(
        insert(SUBSCRIBER).values(id=name, mark=mark, sealed=sealed, language=language, made_at=now, asked_at=now)
    )
    return name


def record_new_request(connection: Connection, subscriber: str, language: str, now: DateTime) -> None:
    """Record that an unconfirmed subscriber asked again."""
    connection.execute(
        update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber).values(language=language, asked_at=now)
    )  # fmt: skip


def confirm_subscriber(connection: Connection, subscriber: str, now: DateTime) -> bool:
    """Confirm a subscriber; False if they are not known (any more)."""
    query = update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber)
    first = query.where(SUBSCRIBER.c.confirmed_at.is_(None)).values(confirmed_at=now)
    return connection.execute(first).rowcount == 1 or get_subscriber(connection, subscriber) is not None


def delete_subscriber(connection: Connection, subscriber: str) -> bool:
    """Delete a subscriber who left; nothing of them is kept."""
    return connection.execute(delete(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber)).rowcount == 1


def delete_unconfirmed(connection: Connection, before: DateTime) -> int:
    """Delete subscribers who were asked before then and did not confirm."""
    stale = (SUBSCRIBER.c.confirmed_at.is_(None), SUBSCRIBER.c.asked_at < before)
    return connection.execute(delete(SUBSCRIBER).where(*stale)).rowcount


def count_unconfirmed(connection: Connection, since: DateTime) -> int:
    """Count the subscribers asked since then who have not confirmed."""
    query = select(func.count()).where(SUBSCRIBER.c.confirmed_at.is_(None), SUBSCRIBER.c.asked_at >= since)
    return int(connection.execute(query).scalar_one())


def list_confirmed(
    connection: Connection, by: DateTime, after: str = "", limit: int = 500
) -> list[ConfirmedSubscriber]:
    """List ids and languages of those who had confirmed by then, in the order of their ids."""
    query = select(SUBSCRIBER.c.id, SUBSCRIBER.c.language).where(
        SUBSCRIBER.c.confirmed_at <= by, SUBSCRIBER.c.id > after
    )
    return read_all(connection, ConfirmedSubscriber, query.order_by(SUBSCRIBER.c.id).limit(limit))


def has_confirmed(connection: Connection) -> bool:
    """Whether there is any confirmed subscriber."""
    return (
        connection.execute(select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.confirmed_at.is_not(None)).limit(1)).first()
        is not None
    )
