"""Suggestions of customers: grouped, answered, and quoted without a contact in them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from pendulum import DateTime

from domain.action import Action, ActionKind
from domain.command_handlers import CommandRefused
from domain.learning.suggestion_groups import group_suggestions
from domain.learning.text_comparison import normalize_text, redact_contacts
from domain.text import Text, find_unprintable
from engine.learning import meeting_agenda
from engine.learning.promises import Promise, check_owner, parse_due
from engine.learning.service import LearningService
from engine.response.actions import open_actions
from engine.response.validation import check_command_id
from storage.customers import affected_customers
from storage.database import Connection
from storage.incidents import turns
from storage.learning import suggestion_store
from storage.learning.suggestion_store import CustomerSuggestion, SuggestionGroup, UngroupedSuggestion

BATCH = 100  # suggestions of one transaction: some hundredths of a second of the lock
LONGEST_ANSWER = 2_000
LOCK = "learning/suggestions"


def group_new_suggestions(service: LearningService) -> int:
    """Put new suggestions of customers into groups; return how many suggestions."""
    with service.installation.database.read() as connection:
        if not suggestion_store.list_ungrouped(connection, 1) and not suggestion_store.list_forgotten_examples(
            connection
        ):
            return 0
    find_nearest("", [], 1.0)  # its library is loaded before the lock is taken
    heard = 0
    while True:
        with service.installation.database.write() as connection:
            turns.lock_commands(connection, [LOCK])
            rows = suggestion_store.list_ungrouped(connection, BATCH)
            for scope, those in groupby(sorted(rows, key=_scope), key=_scope):
                _place(connection, scope, list(those), service.plan.near)
            _forget(service, connection)
        heard += len(rows)
        if len(rows) < BATCH:
            return heard


def _scope(row: UngroupedSuggestion) -> str:
    """Real customers are one crowd; whom a drill invented stays within it."""
    return str(row.incident_id) if row.drill else ""


def _place(connection: Connection, scope: str, rows: Sequence[UngroupedSuggestion], near: float) -> None:
    affected_customers.enable_secure_delete(connection)
    known = suggestion_store.list_compared_texts(connection, scope)
    numbers: dict[int, int] = {}
    for one in group_suggestions([row.suggestion for row in rows], known, find_nearest, near):
        row = rows[one.place]
        number = one.group if one.group is not None else numbers.get(one.first)
        if number is None:
            number = numbers[one.first] = suggestion_store.add_group(
                connection, scope=scope, first_at=row.answered_at, last_at=row.answered_at, **_example(row)
            )
        suggestion_store.add_to_group(connection, number, row)


def _example(row: CustomerSuggestion) -> dict[str, str]:
    shown = redact_contacts(row.suggestion)
    return {"wording": shown, "example": row.id, "plain": normalize_text(shown), "language": row.language}


def _forget(service: LearningService, connection: Connection) -> None:
    """An example whose customer was forgotten gives way to another one's words, or to none."""
    gone = suggestion_store.list_forgotten_examples(connection)
    for number in gone:
        affected_customers.enable_secure_delete(connection)
        other = suggestion_store.find_other_example(connection, number)
        values = _example(other) if other else {"wording": "", "example": "", "plain": ""}
        suggestion_store.update_groups(connection, [number], **values)
    if gone:
        meeting_agenda.rewrite_agendas(connection, service, gone)


def find_nearest(text: str, others: Sequence[str], at_least: float) -> tuple[int, float] | None:
    """Find the nearest of other texts by rapidfuzz: letters in order, or the same words in another order."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 - only who hears suggestions carries it

    found = None
    for scorer in (fuzz.ratio, fuzz.token_sort_ratio):
        best = process.extractOne(text, others, scorer=scorer, processor=None, score_cutoff=at_least * 100)
        if best is not None and (found is None or best[1] > found[1]):
            found = best
    return (int(found[2]), float(found[1]) / 100) if found is not None else None


# --- the answer --------------------------------------------------------------------------------------------------


def answer_suggestion(
    service: LearningService, name: str, text: str, now: DateTime, *, command_id: str, by: str, promised: Promise | None
) -> SuggestionGroup:
    """Record the meeting's answer to a suggestion, open the action that it promises, and return the group.

    An answer may be given anew, and may promise what the first one did not; one that promised keeps its
    action.

    Raises:
        Refused: no answer, an owner whom nobody knows, a date that cannot be, a second promise.
        UnknownSuggestion: there is none.
    """
    check_command_id(command_id)
    words = " ".join(text.split())
    if not words or len(words) > LONGEST_ANSWER or find_unprintable(words):
        raise CommandRefused(f"an answer has 1 to {LONGEST_ANSWER} characters: say what is done, or why not")
    roster = service.installation.roster()
    due: timedelta | None = None
    if promised is not None:
        check_owner(roster, promised.owner)
        due = parse_due(promised.due, promised.owner, roster, now)
    with service.installation.database.write() as connection:
        turns.lock_commands(connection, [LOCK])
        row = suggestion_store.get_group(connection, name)
        if turns.find_carried_out(connection, command_id) is None:
            values: dict[str, Any] = {"answer": words, "answered_at": row.answered_at or now, "answered_by": by}
            if promised is not None and due is not None:
                if row.action:
                    raise CommandRefused(
                        f"{suggestion_store.SUGGESTION_PREFIX}{row.number} has an action already: "
                        "`tocsin actions` shows it"
                    )
                values["action"] = _promise(service, connection, row, promised, due, now, by)
            suggestion_store.update_groups(connection, [row.number], **values)
            turns.record_command(connection, command_id, values.get("action", ""), "AnswerSuggestion", now)
        return suggestion_store.get_group(connection, name)


def _promise(
    service: LearningService,
    connection: Connection,
    row: SuggestionGroup,
    promised: Promise,
    due: timedelta,
    now: DateTime,
    by: str,
) -> str:
    name = f"{suggestion_store.SUGGESTION_PREFIX}{row.number}"
    title = Text(" ".join(promised.title.en.split())[:160] or row.wording[:160] or name, promised.title.zh[:160])
    action = Action(
        title, promised.owner, due, ActionKind.SUGGESTION, origin=name,
        because=Text(f"{row.voices} customers suggested it ({name}).", f"{row.voices}位客户提出此建议（{name}）。"),
    )  # fmt: skip
    action_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"tocsin/suggestion/{row.number}/{row.first_at.isoformat()}"))
    open_actions(connection, service.installation.roster(), {action_id: action}, now, by=by, drill=bool(row.scope))
    return action_id
