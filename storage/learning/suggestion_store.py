"""Suggestions of customers: gathered into groups, put on an agenda, answered.

And the share of complaints improved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from domain.action import ActionKind
from domain.customers.survey import SATISFIED
from domain.incident import CaseType
from storage.customers.customer_tables import SUGGESTED, CustomerRow
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP, UnknownIncident
from storage.learning.learning_tables import SuggestionRow, SuggestionVoiceRow
from storage.rows import read_all, read_first
from storage.types import UtcDateTime

SUGGESTION = SuggestionRow.__table__  # type: ignore[attr-defined]
SUGGESTION_VOICE = SuggestionVoiceRow.__table__  # type: ignore[attr-defined]
CUSTOMER = CustomerRow.__table__  # type: ignore[attr-defined]
SUGGESTION_PREFIX = "SUG-"
OVERLAP = timedelta(hours=1)  # an answer may be committed later than one that was given after it
IMPROVING_KINDS = (ActionKind.MEASURE, ActionKind.RETROSPECTIVE, ActionKind.PROPOSAL)
_STANDS = ("waiting", "open", "acknowledged", "done")  # of a step: it is to be done, or is


class UnknownSuggestion(UnknownIncident):
    """No such suggestion; the message says how to find the right one."""


@dataclass(frozen=True, slots=True)
class CustomerSuggestion:
    """What a customer suggested, in their own words."""

    id: str  # the customer's, ours
    suggestion: str
    language: str


@dataclass(frozen=True, slots=True)
class UngroupedSuggestion(CustomerSuggestion):
    """A suggestion that is in no group yet."""

    answered_at: DateTime
    incident_id: str  # after which it was made
    drill: bool


@dataclass(frozen=True, slots=True)
class SuggestionGroup:
    """A group of suggestions in the same or nearly the same words, as recorded."""

    number: int  # 3 of SUG-3
    scope: str  # empty: of real customers; else the id of the drill they belong to
    wording: str  # an example, without anybody's address or number; empty once its customer is forgotten
    plain: str  # the same as it is compared
    language: str
    voices: int  # how many customers
    first_at: DateTime
    last_at: DateTime
    agenda: str  # the newest agenda that it stood on
    answer: str
    answered_at: DateTime | None
    answered_by: str
    action: str  # id of the action that the answer opened; empty: none
    action_ref: str | None  # its reference
    tracker: str  # owed | sent | refused; empty: no tracker was asked
    tracker_attempts: int
    tracker_receipt: str
    tracker_detail: str


# --- gathering ---------------------------------------------------------------------------------------------------


def newest_suggestion_at(connection: Connection) -> DateTime | None:
    """When the newest grouped suggestion was made."""
    found: DateTime | None = connection.execute(select(func.max(SUGGESTION_VOICE.c.at))).scalar_one_or_none()
    return found


def list_ungrouped(connection: Connection, limit: int) -> list[UngroupedSuggestion]:
    """List suggestions in no group yet, the earliest first: customer's id, words, language, incident, drill."""
    newest = newest_suggestion_at(connection)
    wanted = [
        SUGGESTED,
        CUSTOMER.c.answered_at.is_not(None),
        ~exists().where(SUGGESTION_VOICE.c.customer_id == CUSTOMER.c.id),
    ]
    if newest is not None:
        wanted.append(CUSTOMER.c.answered_at >= newest - OVERLAP)
    query = (
        select(
            CUSTOMER.c.id, CUSTOMER.c.suggestion, CUSTOMER.c.language, CUSTOMER.c.answered_at, CUSTOMER.c.incident_id,
            INCIDENT.c.drill,
        )
        .join(INCIDENT, INCIDENT.c.id == CUSTOMER.c.incident_id)
        .where(*wanted)
        .order_by(CUSTOMER.c.answered_at, CUSTOMER.c.id)
        .limit(limit)
    )  # fmt: skip
    return read_all(connection, UngroupedSuggestion, query)


def list_compared_texts(connection: Connection, scope: str = "") -> dict[int, str]:
    """Return the text by which each group is compared, of real customers or of a drill, the first group first."""
    mine = (SUGGESTION.c.scope == scope, SUGGESTION.c.plain != "")
    query = select(SUGGESTION.c.number, SUGGESTION.c.plain).where(*mine).order_by(SUGGESTION.c.number)
    return {row.number: row.plain for row in connection.execute(query)}


def add_group(connection: Connection, **values: Any) -> int:
    """Add a group; return its number."""
    defaults = {"voices": 0, "agenda": "", "answer": "", "answered_by": "", "action": "", "tracker": ""}
    more = {"tracker_attempts": 0, "tracker_receipt": "", "tracker_detail": ""}
    statement = insert(SUGGESTION).values({**defaults, **more, **values}).returning(SUGGESTION.c.number)
    return int(connection.execute(statement).scalar_one())


def add_to_group(connection: Connection, number: int, row: UngroupedSuggestion) -> None:
    """Add a customer's suggestion to a group."""
    at = row.answered_at
    connection.execute(
        insert(SUGGESTION_VOICE).values(customer_id=row.id, suggestion=number, incident_id=row.incident_id, at=at)
    )
    latest = case((SUGGESTION.c.last_at < at, literal(at, UtcDateTime)), else_=SUGGESTION.c.last_at)
    mine = SUGGESTION.c.number == number
    connection.execute(update(SUGGESTION).where(mine).values(voices=SUGGESTION.c.voices + 1, last_at=latest))


def list_forgotten_examples(connection: Connection) -> list[int]:
    """List the groups, by number, whose example is the words of a customer who was erased since."""
    query = (
        select(SUGGESTION.c.number)
        .join(CUSTOMER, CUSTOMER.c.id == SUGGESTION.c.example)
        .where(CUSTOMER.c.state == "forgotten")
    )
    return list(connection.execute(query).scalars())


def find_other_example(connection: Connection, number: int) -> CustomerSuggestion | None:
    """Find the first suggestion of a group whose customer is not erased."""
    query = (
        select(CUSTOMER.c.id, CUSTOMER.c.suggestion, CUSTOMER.c.language)
        .join(SUGGESTION_VOICE, SUGGESTION_VOICE.c.customer_id == CUSTOMER.c.id)
        .where(SUGGESTION_VOICE.c.suggestion == number, CUSTOMER.c.suggestion != "")
        .order_by(SUGGESTION_VOICE.c.at, CUSTOMER.c.id)
        .limit(1)
    )
    return read_first(connection, CustomerSuggestion, query)


# --- agenda, answer, tracker -------------------------------------------------------------------------------------


def get_group(connection: Connection, name: str) -> SuggestionGroup:
    """Return a group by its name, `SUG-3` or `3`.

    Raises:
        UnknownSuggestion: there is none.
    """
    wanted = name.strip().upper().removeprefix(SUGGESTION_PREFIX)
    found = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 9:  # noqa: PLR2004 - no more than the column holds
        found = read_first(connection, SuggestionGroup, _shown().where(SUGGESTION.c.number == int(wanted)))
    if found is None:
        raise UnknownSuggestion(f"there is no suggestion {name[:60]!r}: `tocsin suggestions list --all` names them")
    return found


def _shown() -> Select[Any]:
    """Groups with the reference of the action that their answer opened."""
    query = select(SUGGESTION, INCIDENT.c.ref.label("action_ref"))
    return query.outerjoin(INCIDENT, INCIDENT.c.id == SUGGESTION.c.action)


def update_groups(connection: Connection, numbers: Iterable[int], **values: Any) -> None:
    """Update columns of groups."""
    connection.execute(update(SUGGESTION).where(SUGGESTION.c.number.in_(list(numbers))).values(**values))


def list_suggestions(
    connection: Connection, *, scope: str | None = "", unanswered: bool = True, limit: int = 500
) -> list[SuggestionGroup]:
    """List groups with the reference and state of the action that their answer opened, the largest first.

    Args:
        scope: of real customers (empty), of one drill, or of all (None).
        unanswered: only those that nobody has answered.
    """
    query = _shown()
    if scope is not None:
        query = query.where(SUGGESTION.c.scope == scope)
    if unanswered:
        query = query.where(SUGGESTION.c.answered_at.is_(None))
    query = query.order_by(SUGGESTION.c.voices.desc(), SUGGESTION.c.number)
    return read_all(connection, SuggestionGroup, query.limit(limit))


def list_due_for_tracker(connection: Connection, now: DateTime, limit: int) -> list[SuggestionGroup]:
    """List groups that are due to be posted to the issue tracker."""
    due = and_(SUGGESTION.c.tracker == "owed", SUGGESTION.c.tracker_next_at <= now)
    return read_all(connection, SuggestionGroup, _shown().where(due).order_by(SUGGESTION.c.number).limit(limit))


def claim_for_tracker(connection: Connection, group: SuggestionGroup, now: DateTime, until: DateTime) -> bool:
    """Claim a group for posting until then; False where another process has it."""
    mine = and_(
        SUGGESTION.c.number == group.number, SUGGESTION.c.tracker == "owed", SUGGESTION.c.tracker_next_at <= now,
        SUGGESTION.c.tracker_attempts == group.tracker_attempts,
    )  # fmt: skip
    values = {"tracker_attempts": group.tracker_attempts + 1, "tracker_next_at": until}
    return connection.execute(update(SUGGESTION).where(mine).values(values)).rowcount == 1


# --- what became of complaints -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImprovementShare:
    """The share of complaints that became a recorded improvement.

    Attributes:
        complaints: affected customers of real incidents who said in the span that something is wrong: they
            rated less than 4 of 5, said that it is not solved, complained again after the close, or suggested
            something.
        by_suggestion: of them, those whose suggestion was answered with an action that is promised or done.
        by_incident: of the others, those whose incident led to a measure, an action of its retrospective or of
            a proposal that is promised or done.
        done: of the improved, those whose improvement is done, not only promised.
    """

    complaints: int
    by_suggestion: int
    by_incident: int
    done: int

    @property
    def improved(self) -> int:
        """The complaints that became a recorded improvement."""
        return self.by_suggestion + self.by_incident

    @property
    def share(self) -> float | None:
        """0.0 to 1.0; None where nobody complained."""
        return self.improved / self.complaints if self.complaints else None


def compute_improvement_share(connection: Connection, from_at: DateTime, to_at: DateTime) -> ImprovementShare:
    """Compute the share of complaints of [from_at, to_at) that became a recorded improvement by now.

    A complaint counts once, whatever its customer said. What was given up or cancelled is no improvement. The
    aim is 80 %.
    """
    said = CUSTOMER.c
    wrong = or_(
        said.csat < SATISFIED, said.solved.is_(False), said.complaints > 0, SUGGESTION_VOICE.c.customer_id.is_not(None)
    )
    heard = func.coalesce(said.answered_at, said.reopened_at)
    standing, origins = _standing_actions().alias(), _standing_origins().alias()
    by_suggestion = standing.c.id.is_not(None)
    by_incident = and_(standing.c.id.is_(None), origins.c.ref.is_not(None))
    found = connection.execute(
        select(
            func.count(),
            _count(by_suggestion),
            _count(by_incident),
            _count(func.coalesce(standing.c.done, origins.c.done) == 1),
        )
        .select_from(CUSTOMER)
        .join(INCIDENT, INCIDENT.c.id == said.incident_id)
        .outerjoin(SUGGESTION_VOICE, SUGGESTION_VOICE.c.customer_id == said.id)
        .outerjoin(SUGGESTION, SUGGESTION.c.number == SUGGESTION_VOICE.c.suggestion)
        .outerjoin(standing, standing.c.id == SUGGESTION.c.action)
        .outerjoin(origins, origins.c.ref == INCIDENT.c.ref)
        .where(INCIDENT.c.drill.is_(False), wrong, heard >= from_at, heard < to_at)
    ).one()
    return ImprovementShare(*(int(number) for number in found))


def _standing_actions() -> Select[Any]:
    """Actions neither given up nor cancelled: id, kind, origin, and whether it is done (1 or 0)."""
    done = func.max(case((STEP.c.status == "done", 1), else_=0)).label("done")
    return (
        select(INCIDENT.c.id, INCIDENT.c.kind, INCIDENT.c.origin, done)
        .join(RESPONSE, RESPONSE.c.incident_id == INCIDENT.c.id)
        .join(STEP, STEP.c.response_id == RESPONSE.c.id)
        .where(INCIDENT.c.nature == str(CaseType.ACTION), INCIDENT.c.status != "cancelled")
        .where(STEP.c.status.in_(_STANDS))
        .group_by(INCIDENT.c.id, INCIDENT.c.kind, INCIDENT.c.origin)
    )


def _standing_origins() -> Select[Any]:
    """Incidents that led to a measure that stands; whether one of their measures is done."""
    standing = _standing_actions().alias()
    return (
        select(standing.c.origin.label("ref"), func.max(standing.c.done).label("done"))
        .where(standing.c.kind.in_([str(kind) for kind in IMPROVING_KINDS]))
        .group_by(standing.c.origin)
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


# --- what an agenda says of them ---------------------------------------------------------------------------------


def list_groups_by_number(connection: Connection, numbers: Iterable[int]) -> list[SuggestionGroup]:
    """List these groups, the largest first."""
    query = _shown().where(SUGGESTION.c.number.in_(list(numbers)))
    return read_all(connection, SuggestionGroup, query.order_by(SUGGESTION.c.voices.desc(), SUGGESTION.c.number))


def list_incidents_by_group(connection: Connection, numbers: Iterable[int]) -> dict[int, list[str]]:
    """List the references of the incidents after which each group came up."""
    query = (
        select(SUGGESTION_VOICE.c.suggestion, INCIDENT.c.ref, INCIDENT.c.number)
        .join(INCIDENT, INCIDENT.c.id == SUGGESTION_VOICE.c.incident_id)
        .where(SUGGESTION_VOICE.c.suggestion.in_(list(numbers)))
        .distinct()
        .order_by(INCIDENT.c.number)
    )
    found: dict[int, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.suggestion, []).append(row.ref)
    return found


def list_unanswered_drills(connection: Connection) -> list[str]:
    """List drills with a suggestion that is on no agenda yet, by the incident's id."""
    query = select(SUGGESTION.c.scope).where(SUGGESTION.c.scope != "", SUGGESTION.c.agenda == "").distinct()
    return list(connection.execute(query).scalars())
