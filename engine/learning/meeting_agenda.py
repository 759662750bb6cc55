"""Agenda of the product meeting: unanswered suggestions of customers, as a document and a calendar entry.

A meeting's agenda is made a day before it, once; drills have one of their own as soon as their answers
are collected.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pendulum import DateTime

from domain.commands import Declare
from domain.durations import elapsed, later
from domain.incident import CaseType
from domain.learning.plan import LearningPlan, next_meeting
from domain.playbook import Playbook, Stage
from domain.text import Text
from engine.learning.bilingual_document import render_document
from engine.learning.service import LearningService
from engine.response.declare import begin_in_transaction
from engine.response.validation import require_playbook, validate_declaration
from engine.review.blocks import Block, DocumentSheet, Heading, Paragraph, TableBlock
from locales import translator
from storage import documents
from storage.customers import follow_ups
from storage.database import Connection
from storage.documents import Document
from storage.incidents import incidents, turns
from storage.learning import suggestion_store
from storage.learning.suggestion_store import SuggestionGroup

KIND, PLAYBOOK = "product-meeting", "product-meeting"
MAX_SUGGESTIONS = 100  # of one agenda: what has more voices comes first, what is left comes next time
_NAMESPACE = uuid.UUID("a3f0b6a4-70b0-4f0a-8a3c-7a3f7a1c9d10")


def prepare_agenda(service: LearningService, now: DateTime) -> bool:
    """Make the agenda of the next meeting when it is due and not empty; return whether it was made."""
    plan = service.plan
    begins = next_meeting(plan, now)
    if elapsed(now, begins) > plan.lead:
        return False
    name = f"{KIND}/{begins.in_timezone(plan.zone).to_date_string()}"
    with service.installation.database.read() as connection:
        if turns.find_carried_out(connection, _command(name)) or not suggestion_store.list_suggestions(
            connection, limit=1
        ):
            return False
    return _make(service, name, begins, "", now)


def prepare_drill_agendas(service: LearningService, now: DateTime) -> int:
    """Make the agendas of drills whose answers are in: at once, for their own people, as documents alone."""
    with service.installation.database.read() as connection:
        wanted = []
        for scope in suggestion_store.list_unanswered_drills(connection):
            follow = follow_ups.get_follow_up(connection, scope)
            incident = incidents.load_incident(connection, scope)
            name = f"{KIND}/{incident.ref}"
            done = turns.find_carried_out(connection, _command(name))
            if follow is not None and follow.state in ("collected", "erased") and not done:
                wanted.append((name, scope))
    return sum(_make(service, name, later(now, service.plan.lead), scope, now) for name, scope in wanted)


def _command(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _make(service: LearningService, name: str, begins: DateTime, scope: str, now: DateTime) -> bool:
    """The document, the meeting as a matter of its owner's, and what the tracker is owed: one transaction."""
    plan, command_id = service.plan, _command(name)
    playbook = _with_link(require_playbook(service.installation, PLAYBOOK), service.document_link(name))
    title = _title(plan, begins)
    with service.installation.database.write() as connection:
        turns.lock_commands(connection, [command_id])
        rows = suggestion_store.list_suggestions(connection, scope=scope, limit=MAX_SUGGESTIONS)
        if turns.find_carried_out(connection, command_id) or not rows:
            return False
        drill = incidents.load_incident(connection, scope) if scope else None
        command = Declare(
            id=command_id, title=f"{title.en} · {title.zh}", playbook=PLAYBOOK, since=begins - plan.lead,
            origin=drill.ref if drill else "customers", kind=KIND, case_type=CaseType.REVIEW, drill=bool(scope),
            pace=drill.pace if drill else {},
        )  # fmt: skip
        (answer,) = begin_in_transaction(
            connection, service.installation.roster(), [(validate_declaration(command, now), playbook)], now
        )
        suggestion_store.update_groups(connection, [row.number for row in rows], agenda=name)
        fresh = [row.number for row in rows if not row.tracker]
        if plan.tracker_url and not scope:
            suggestion_store.update_groups(connection, fresh, tracker="owed", tracker_next_at=now)
        data = {"meeting": begins.isoformat(), "minutes": plan.minutes, "zone": plan.zone, "scope": scope}
        data |= {"groups": [row.number for row in rows], "again": [row.number for row in rows if row.agenda]}
        made = Document(name, title, now, about=answer.ref, from_at=begins, data=data)
        documents.save_document(connection, _written(service, connection, made, rows))
    return True


def rewrite_agendas(connection: Connection, service: LearningService, numbers: Sequence[int]) -> None:
    """Write the agendas anew that quote these groups, because an example of them was changed."""
    for listed in documents.list_documents(connection, kind=KIND, limit=documents.MOST):
        found = documents.load_document(connection, listed.id)
        if found is not None and set(numbers) & set(found.data.get("groups", [])):
            rows = suggestion_store.list_groups_by_number(connection, found.data["groups"])
            documents.save_document(connection, _written(service, connection, found, rows))


def _with_link(playbook: Playbook, link: str) -> Playbook:
    """The playbook of this one meeting: its texts lead to its agenda."""

    def filled(stage: Stage) -> Stage:
        steps = [
            replace(
                step,
                instruction=Text(
                    step.instruction.en.replace("{agenda}", link), step.instruction.zh.replace("{agenda}", link)
                ),
            )
            for step in stage.steps
        ]
        return replace(stage, steps=tuple(steps))

    return replace(playbook, stages=tuple(filled(stage) for stage in playbook.stages))


def _title(plan: LearningPlan, begins: DateTime) -> Text:
    local = begins.in_timezone(plan.zone).format("YYYY-MM-DD HH:mm")
    return Text(f"Product meeting {local} ({plan.zone})", f"产品例会 {local}（{plan.zone}）")


# --- how it reads ------------------------------------------------------------------------------------------------


def _written(
    service: LearningService, connection: Connection, made: Document, rows: Sequence[SuggestionGroup]
) -> Document:
    after = suggestion_store.list_incidents_by_group(connection, [row.number for row in rows])
    return render_document(made, lambda language: _sheet(service.plan, made, rows, after, language))


def _sheet(
    plan: LearningPlan,
    made: Document,
    rows: Sequence[SuggestionGroup],
    incidents_of: Mapping[int, Sequence[str]],
    language: str,
) -> DocumentSheet:
    _ = translator(language)
    table = TableBlock(
        head=[_("Suggestion"), _("Voices"), _("Customers' words"), _("After"), _("On an earlier agenda")],
        rows=[
            (
                f"{suggestion_store.SUGGESTION_PREFIX}{row.number}", str(row.voices), row.wording or _("(forgotten)"),
                ", ".join(incidents_of.get(row.number, ())), _("yes") if row.number in made.data["again"] else "",
            )
            for row in rows
        ],
        numbers=frozenset({1}),
        empty=_("No suggestion is without an answer."),
    )  # fmt: skip
    blocks: list[Block] = [
        Paragraph(_("What customers suggested in surveys and nobody has answered yet, most voices first.")),
        Heading(_("Suggestions")),
        table,
        Heading(_("Answers")),
        Paragraph(
            _("Each gets an answer on record: yes with an owner and a date, or no with a reason. For example:")
            + " tocsin suggestions answer SUG-1 --answer TEXT --action --owner ROLE --due 30d"
        ),
        Paragraph(_("What has no answer is on the next agenda again."), tone="soft"),
    ]
    voices = sum(row.voices for row in rows)
    subtitle = _("{groups} suggestions of {voices} customers; {minutes} minutes").format(
        groups=len(rows), voices=voices, minutes=plan.minutes
    )
    badges = ["DRILL 演练"] if made.data.get("scope") else []
    return DocumentSheet(language, made.title.in_(language), subtitle, blocks, badges=badges)


def make_calendar_entry(made: Document, link: str) -> bytes:
    """Return the meeting as an iCalendar file (RFC 5545)."""
    from icalendar import Calendar, Event  # noqa: PLC0415 - asked for once a week

    begins = datetime.fromisoformat(made.data["meeting"]).astimezone(UTC)  # what the library takes for UTC
    calendar, event = Calendar(), Event()
    calendar.add("prodid", "-//Tocsin//product meeting//")
    calendar.add("version", "2.0")
    event.add("uid", f"{_command(made.id)}@tocsin")
    event.add("sequence", made.version)
    event.add("dtstamp", datetime.fromtimestamp(made.made_at.timestamp(), UTC))
    event.add("dtstart", begins)
    event.add("dtend", begins + timedelta(minutes=made.data["minutes"]))
    event.add("summary", f"{made.title.en} · {made.title.zh}")
    event.add("description", f"{link}\n\n{made.texts['en']}")
    event.add("url", link)
    calendar.add_component(event)
    return bytes(calendar.to_ical())
