"""Tables of accounts: accounts, sessions, tokens, login links, failed logins, and the audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import json_field, text_field, time_field


class AccountRow(SQLModel, table=True):
    """An account that may log in."""

    __tablename__ = "account"
    name: str = Field(primary_key=True, max_length=64)
    person: str = Field(default="", max_length=100)  # of the roster; in their name commands are given
    role: str = Field(max_length=20)
    language: str = Field(default="", max_length=10)
    password: str = ""  # argon2's own form; empty: they come by a link or by single sign-on
    subject: str | None = Field(default=None, max_length=400, unique=True)  # who they are to the provider
    made_at: datetime = time_field(nullable=False)
    disabled_at: datetime | None = time_field()


class LoginSessionRow(SQLModel, table=True):
    """A browser session, known by the hash of its cookie."""

    __tablename__ = "login_session"
    hash: str = Field(primary_key=True, max_length=64)
    account: str = Field(index=True, max_length=64)
    way: str = Field(max_length=20)  # password | link | single-sign-on
    made_at: datetime = time_field(nullable=False)
    seen_at: datetime = time_field(nullable=False)
    ends_at: datetime = time_field(nullable=False, index=True)


class AccountTokenRow(SQLModel, table=True):
    """An account's token for the API: its scopes, and its end."""

    __tablename__ = "account_token"
    hash: str = Field(primary_key=True, max_length=64)
    id: str = Field(unique=True, max_length=16)  # by which it is named once it is no longer shown
    account: str = Field(index=True, max_length=64)
    label: str = Field(default="", max_length=100)
    scopes: list[str] = json_field()
    made_at: datetime = time_field(nullable=False)
    ends_at: datetime = time_field(nullable=False)
    used_at: datetime | None = time_field()


class LoginLinkRow(SQLModel, table=True):
    """A link by which an account logs in once."""

    __tablename__ = "login_link"
    hash: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    made_at: datetime = time_field(nullable=False)
    ends_at: datetime = time_field(nullable=False)


class LoginTryRow(SQLModel, table=True):
    """Recent failed logins, by account and by address (both as keyed hashes)."""

    __tablename__ = "login_try"
    key: str = Field(primary_key=True, max_length=64)
    failures: int
    last_at: datetime = time_field(nullable=False, index=True)


class AuditRow(SQLModel, table=True):
    """One audited request: every change, every refusal. Rows are added only; the database enforces it."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = time_field(nullable=False, index=True)
    who: str = Field(default="", index=True, max_length=100)
    role: str = Field(default="", max_length=20)
    way: str = Field(default="", max_length=20)  # console | password | link | single-sign-on | token | none
    address: str = Field(default="", max_length=64)
    deed: str = Field(max_length=200)
    outcome: str = Field(max_length=20)  # done | refused
    detail: str = text_field()
    times: int = 1  # the same refusal again within a minute is counted, not written again

    __table_args__ = (Index("ix_audit_outcome", "outcome", "id"),)
