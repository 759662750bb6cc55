"""Tables of incidents. Rows follow the dataclasses of `domain`; what a column means is said there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

# Their tables are of the same schema.
import storage.accounts.account_tables
import storage.customers.customer_tables
import storage.learning.learning_tables
import storage.oncall.oncall_tables
import storage.reviews.review_tables
import storage.statuspage.subscriber_tables  # noqa: F401
from storage.columns import count_field, duration_field, json_field, text_field, time_field

UNSENT = text("state IN ('pending', 'retry')")  # as a literal: a partial index is not found by parameters
IN_HAND = text("state = 'leased'")
TROUBLED = text("state IN ('pending', 'leased', 'retry', 'unknown', 'dead')")
PUBLIC = text("kind = 'published'")
WORDS = text("kind IN ('noted', 'corrected')")
SUMS = text("amount IS NOT NULL")
DOERS = text("done_by <> ''")


class IncidentRow(SQLModel, table=True):
    """An incident."""

    __tablename__ = "incident"
    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    id: str = Field(unique=True, max_length=64)
    ref: str = Field(default="", index=True, max_length=32)
    nature: str = "incident"  # of domain.incident.Nature
    title: str
    severity: str
    status: str = Field(index=True)
    origin: str = ""
    service: str = Field(default="", index=True)
    kind: str = ""
    drill: bool = False
    pace: dict[str, float] = json_field()
    declared_at: datetime = time_field(nullable=False, index=True)
    mitigated_at: datetime | None = time_field()
    closed_at: datetime | None = time_field()
    last_public_at: datetime | None = time_field()
    customers: int = count_field()
    orders: int = count_field()
    money: int = count_field()
    brand: int = 0
    facts: int = 0  # how many facts its timeline has
    head: str = ""  # hash of the last one


class PlaybookCopyRow(SQLModel, table=True):
    """A playbook as a response started with it; equal copies are kept once."""

    __tablename__ = "playbook_copy"
    digest: str = Field(primary_key=True, max_length=64)
    document: dict[str, Any] = json_field()


class ResponseRow(SQLModel, table=True):
    """A response: a running copy of a playbook, and the lease of its next turn."""

    __tablename__ = "response"
    __table_args__ = (Index("response_due", "wake_at"), {"sqlite_autoincrement": True})
    id: str = Field(primary_key=True, max_length=64)
    incident_id: str = Field(index=True, max_length=64)
    position: int = 0  # 0: the first response of its incident
    playbook: str
    flow: str
    copy_digest: str = Field(max_length=64)
    started_at: datetime = time_field(nullable=False)
    finished_at: datetime | None = time_field()
    silence_level: int = 0
    silence_at: datetime | None = time_field()
    silence_calls: int = 0
    wake_at: datetime | None = time_field()
    token: int = 0  # the fencing token: whoever holds an older one changes nothing
    leased_until: datetime | None = time_field()


class StepRow(SQLModel, table=True):
    """A scheduled step."""

    __tablename__ = "step"
    __table_args__ = (
        Index("step_sums", "response_id", "id", sqlite_where=SUMS, postgresql_where=SUMS),
        Index("step_doers", "done_by", "response_id", sqlite_where=DOERS, postgresql_where=DOERS),
    )
    response_id: str = Field(primary_key=True, max_length=64)
    id: str = Field(primary_key=True, max_length=160)
    position: int = 0
    stage: str = ""
    step: str = ""
    round: int = 1
    opens_at: datetime = time_field(nullable=False)
    due_at: datetime = time_field(nullable=False)
    laid_at: datetime = time_field(nullable=False)
    ack_within: timedelta | None = duration_field()
    remind: timedelta | None = duration_field()
    status: str = ""
    owner: str = ""
    backup: str = ""
    holder: str = ""
    called: list[str] = json_field()
    level: int = 0
    calls: int = 0
    called_at: datetime | None = time_field()
    opened_at: datetime | None = time_field()
    acknowledged_at: datetime | None = time_field()
    missed_at: datetime | None = time_field()
    done_at: datetime | None = time_field()
    done_by: str = ""
    evidence: str = text_field()
    texts: dict[str, str] = json_field()
    version: int = 0
    digest: str = ""
    author: str = ""
    amount: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    postings: dict[str, str] = json_field()
    receipts: dict[str, str] = json_field()
    alarmed: int = 0


class FactRow(SQLModel, table=True):
    """A fact of a timeline: appended, never changed, each holding the hash of the one before."""

    __tablename__ = "fact"
    __table_args__ = (
        Index("fact_public", "incident_id", "at", sqlite_where=PUBLIC, postgresql_where=PUBLIC),
        Index("fact_words", "incident_id", "seq", sqlite_where=WORDS, postgresql_where=WORDS),
    )
    incident_id: str = Field(primary_key=True, max_length=64)
    seq: int = Field(primary_key=True)
    at: datetime = time_field(nullable=False)
    kind: str
    response_id: str = ""
    step: str = ""
    by: str = ""
    data: dict[str, Any] = json_field()
    run_id: str = ""  # the Prefect flow run of the turn, where there was one
    previous: str = ""
    hash: str = ""


class OutboxRow(SQLModel, table=True):
    """A message owed: one recipient, one channel. The row exists before the message is sent."""

    __tablename__ = "outbox"
    __table_args__ = (
        # What is still to be sent is a handful of rows among millions: found in their order, without sorting.
        Index("outbox_unsent", "lane", "rank", "id", sqlite_where=UNSENT, postgresql_where=UNSENT),
        Index("outbox_next", "next_attempt_at", sqlite_where=UNSENT, postgresql_where=UNSENT),
        Index("outbox_in_hand", "leased_until", sqlite_where=IN_HAND, postgresql_where=IN_HAND),
        Index("outbox_step", "response_id", "step"),
        Index("outbox_troubled", "state", "kind", sqlite_where=TROUBLED, postgresql_where=TROUBLED),
    )
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    key: str = Field(unique=True)
    incident_id: str = Field(index=True, max_length=64)
    response_id: str = Field(max_length=64)
    step: str = ""
    kind: str  # notice | publication
    purpose: str
    person: str = ""  # notice: to whom; publication: the official channel that is meant
    channel: str  # a channel of the Apprise configuration
    position: int = 0  # which of the person's channels this is
    lane: int  # 0 pages, 1 publications, 2 the rest
    rank: int = count_field()  # within a lane: smaller first
    drill: bool = False
    state: str = "pending"
    attempts: int = 0
    created_at: datetime = time_field(nullable=False)
    next_attempt_at: datetime = time_field(nullable=False)
    leased_until: datetime | None = time_field()
    lease: str = ""
    attempt_started_at: datetime | None = time_field()
    sent_at: datetime | None = time_field()
    receipt: str = ""
    detail: str = ""
    payload: dict[str, Any] = json_field()


class TurnRow(SQLModel, table=True):
    """A turn that was taken: by which process, how late. Kept for the figures, thinned by the sweep."""

    __tablename__ = "turn"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    response_id: str = Field(max_length=64)
    due_at: datetime = time_field(nullable=False)
    taken_at: datetime = time_field(nullable=False, index=True)
    driver: str  # prefect | guarantor | sweep
    run_id: str = ""


class CommandRow(SQLModel, table=True):
    """A command that was carried out: the same id again gets the same answer and changes nothing."""

    __tablename__ = "command"
    id: str = Field(primary_key=True, max_length=64)
    incident_id: str = Field(max_length=64)
    kind: str
    at: datetime = time_field(nullable=False)


class PersonTokenRow(SQLModel, table=True):
    """A person's own token, kept hashed."""

    __tablename__ = "person_token"
    hash: str = Field(primary_key=True, max_length=64)
    person: str = Field(index=True)
    made_at: datetime = time_field(nullable=False)


class RuleStateRow(SQLModel, table=True):
    """The state of a warning rule on one of its series; no row: it is ok and nothing ever happened."""

    __tablename__ = "rule_standing"
    lane: str = Field(primary_key=True, max_length=64)  # empty: live figures; else a replay's
    rule: str = Field(primary_key=True, max_length=64)
    series: str = Field(primary_key=True, max_length=1_000)  # its labels, as canonical JSON
    standing: dict[str, Any] = json_field()
    at: datetime = time_field(nullable=False)  # in the figures' time


class WarningRow(SQLModel, table=True):
    """A warning: one firing of a rule on one of its series, and its disposition. Times are the figures'."""

    __tablename__ = "warning"
    __table_args__ = (Index("warning_open", "lane", "ended_at"), Index("warning_series", "lane", "rule", "series"))
    id: str = Field(primary_key=True, max_length=64)
    lane: str = ""
    rule: str
    title: dict[str, str] = json_field()  # by language, as the rule had it then
    series: str
    tier: str
    worst: str  # the highest tier that it reached
    course: str  # called | joined | held | shown
    because: dict[str, str] = json_field()  # by language
    began_at: datetime = time_field(nullable=False, index=True)
    ended_at: datetime | None = time_field()
    made_at: datetime = time_field(nullable=False)  # by the clock on the wall
    matter: str = Field(default="", index=True, max_length=64)  # id of the incident row whose responses it runs
    playbook: str = ""
    service: str = ""
    value: float | None = None
    baseline: float | None = None
    link: str = ""  # where the monitor that said it shows it


class SilenceRow(SQLModel, table=True):
    """A silence: no calls for matching warnings, until an end, for a stated reason."""

    __tablename__ = "silence"
    id: str = Field(primary_key=True, max_length=64)
    rule: str = ""
    labels: dict[str, str] = json_field()
    until: datetime = time_field(nullable=False, index=True)
    reason: str = text_field()
    by: str = ""
    made_at: datetime = time_field(nullable=False)


class InstallationFactRow(SQLModel, table=True):
    """A small fact of the installation: when the share alarm last rang, when the sweep last ran."""

    __tablename__ = "kept"
    name: str = Field(primary_key=True)
    value: dict[str, Any] = json_field()
    at: datetime = time_field(nullable=False)
