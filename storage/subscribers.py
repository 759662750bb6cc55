"""Subscribers of the public page: asked, confirmed, forgotten."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.subscriber_tables import SubscriberRow

SUBSCRIBER = SubscriberRow.__table__  # type: ignore[attr-defined]


def by_mark(connection: Connection, mark: str) -> Row[Any] | None:
    """Whoever is known by that mark."""
    return connection.execute(select(SUBSCRIBER).where(SUBSCRIBER.c.mark == mark)).first()


def get(connection: Connection, subscriber: str) -> Row[Any] | None:
    """The subscriber of that id; None if they left."""
    return connection.execute(select(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber)).first()


def ask(connection: Connection, mark: str, sealed: str, language: str, now: DateTime) -> str:
    """Somebody who is still to confirm; their id."""
    name = secrets.token_urlsafe(16)
    connection.execute(
        insert(SUBSCRIBER).values(id=name, mark=mark, sealed=sealed, language=language, made_at=now, asked_at=now)
    )
    return name


def asked_again(connection: Connection, subscriber: str, language: str, now: DateTime) -> None:
    """They asked again and are asked again."""
    connection.execute(
        update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber).values(language=language, asked_at=now)
    )  # fmt: skip


def confirm(connection: Connection, subscriber: str, now: DateTime) -> bool:
    """They want it; False if they are not known (any more)."""
    query = update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber)
    first = query.where(SUBSCRIBER.c.confirmed_at.is_(None)).values(confirmed_at=now)
    return connection.execute(first).rowcount == 1 or get(connection, subscriber) is not None


def forget(connection: Connection, subscriber: str) -> bool:
    """They left: nothing of them is kept."""
    return connection.execute(delete(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber)).rowcount == 1


def forget_unconfirmed(connection: Connection, before: DateTime) -> int:
    """Forget whoever was asked before then and did not answer."""
    stale = (SUBSCRIBER.c.confirmed_at.is_(None), SUBSCRIBER.c.asked_at < before)
    return connection.execute(delete(SUBSCRIBER).where(*stale)).rowcount


def waiting(connection: Connection, since: DateTime) -> int:
    """How many were asked since then and have not answered."""
    query = select(func.count()).where(SUBSCRIBER.c.confirmed_at.is_(None), SUBSCRIBER.c.asked_at >= since)
    return int(connection.execute(query).scalar_one())


def confirmed(connection: Connection, by: DateTime, after: str = "", limit: int = 500) -> Sequence[Row[Any]]:
    """Ids and languages of those who had confirmed by then, in the order of their ids."""
    query = select(SUBSCRIBER.c.id, SUBSCRIBER.c.language).where(
        SUBSCRIBER.c.confirmed_at <= by, SUBSCRIBER.c.id > after
    )
    return connection.execute(query.order_by(SUBSCRIBER.c.id).limit(limit)).all()


def any_confirmed(connection: Connection) -> bool:
    """Whether anybody subscribes."""
    return (
        connection.execute(select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.confirmed_at.is_not(None)).limit(1)).first()
        is not None
    )
