"""User accounts: who may log in, with which role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, func, insert, select, update

from domain.access import AccessRole
from storage.accounts.account_tables import AccountRow

ACCOUNT_TABLE = AccountRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `person`: of the roster, in whose name their commands are given; empty: their own."""

    name: str
    person: str
    role: AccessRole
    language: str = ""
    password: str = ""
    subject: str | None = None
    made_at: DateTime | None = None
    disabled_at: DateTime | None = None

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.role.word})"


def account_from_row(row: Row[Any]) -> Account:
    """Read an account from its row. A role that this program does not know is the least."""
    try:
        role = AccessRole.named(row.role)
    except ValueError:
        role = AccessRole.VIEWER
    return Account(
        row.name, row.person, role, row.language, row.password, row.subject, row.made_at, row.disabled_at
    )  # fmt: skip


def add_account(connection: Connection, account: Account, now: DateTime) -> None:
    """Add a new account.

    Raises:
        IntegrityError: there is one of that name.
    """
    connection.execute(
        insert(ACCOUNT_TABLE).values(
            name=account.name, person=account.person, role=account.role.word, language=account.language,
            password=account.password, subject=account.subject, made_at=now,
        )
    )  # fmt: skip


def find_account(connection: Connection, name: str) -> Account | None:
    """Find the account of that name, disabled or not."""
    row = connection.execute(select(ACCOUNT_TABLE).where(ACCOUNT_TABLE.c.name == name)).first()
    return account_from_row(row) if row else None


def find_account_by_subject(connection: Connection, subject: str) -> Account | None:
    """Find the account that a provider of single sign-on knows under that name."""
    row = connection.execute(select(ACCOUNT_TABLE).where(ACCOUNT_TABLE.c.subject == subject)).first()
    return account_from_row(row) if row else None


def list_accounts(connection: Connection) -> list[Account]:
    """List all accounts, by name."""
    return [account_from_row(row) for row in connection.execute(select(ACCOUNT_TABLE).order_by(ACCOUNT_TABLE.c.name))]


def update_account(connection: Connection, name: str, **values: Any) -> bool:
    """Update columns of an account; False if there is none of that name."""
    return connection.execute(update(ACCOUNT_TABLE).where(ACCOUNT_TABLE.c.name == name).values(**values)).rowcount == 1


def has_admin(connection: Connection, *, with_password: bool = False) -> bool:
    """Whether an administrator may log in; `with_password`: one who needs nobody's help for it."""
    query = select(func.count()).where(
        ACCOUNT_TABLE.c.role == AccessRole.ADMIN.word, ACCOUNT_TABLE.c.disabled_at.is_(None)
    )
    if with_password:
        query = query.where(ACCOUNT_TABLE.c.password != "")
    return bool(connection.execute(query).scalar_one())
