"""Accounts: who may log in, with which role."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, func, insert, select, update

from domain.access import Role
from storage.account_tables import AccountRow

ACCOUNT = AccountRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. `person`: of the roster, in whose name their commands are given; empty: their own."""

    name: str
    person: str
    role: Role
    language: str = ""
    password: str = ""
    subject: str | None = None
    made_at: DateTime | None = None
    disabled_at: DateTime | None = None

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.role.word})"


def hashed(secret: str) -> str:
    """What is kept of a secret that we made ourselves: its 192 random bits and more need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def account_of(row: Row[Any]) -> Account:
    """An account from its row. A role that this program does not know is the least."""
    try:
        role = Role.named(row.role)
    except ValueError:
        role = Role.VIEWER
    return Account(
        row.name, row.person, role, row.language, row.password, row.subject, row.made_at, row.disabled_at
    )  # fmt: skip


def add(connection: Connection, account: Account, now: DateTime) -> None:
    """Keep a new account.

    Raises:
        IntegrityError: there is one of that name.
    """
    connection.execute(
        insert(ACCOUNT).values(
            name=account.name, person=account.person, role=account.role.word, language=account.language,
            password=account.password, subject=account.subject, made_at=now,
        )
    )  # fmt: skip


def find(connection: Connection, name: str) -> Account | None:
    """The account of that name, disabled or not."""
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.name == name)).first()
    return account_of(row) if row else None


def by_subject(connection: Connection, subject: str) -> Account | None:
    """The account that a provider of single sign-on knows under that name."""
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.subject == subject)).first()
    return account_of(row) if row else None


def every(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    return [account_of(row) for row in connection.execute(select(ACCOUNT).order_by(ACCOUNT.c.name))]


def change(connection: Connection, name: str, **values: Any) -> bool:
    """Change columns of an account; False if there is none of that name."""
    return connection.execute(update(ACCOUNT).where(ACCOUNT.c.name == name).values(**values)).rowcount == 1


def any_admin(connection: Connection, *, with_password: bool = False) -> bool:
    """Whether an administrator may come in; `with_password`: one who needs nobody's help for it."""
    query = select(func.count()).where(ACCOUNT.c.role == Role.ADMIN.word, ACCOUNT.c.disabled_at.is_(None))
    if with_password:
        query = query.where(ACCOUNT.c.password != "")
    return bool(connection.execute(query).scalar_one())
