"""Retrospectives: drafted from facts when a case is over, renewed as effects show, completed by people."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pendulum import DateTime

from domain.action import Action, ActionKind
from domain.command_handlers import CommandRefused
from domain.durations import later
from domain.incident import CaseType, Incident, IncidentStatus
from domain.text import Text, find_unprintable
from engine.response.actions import open_actions
from engine.response.validation import CommandResult, require_playbook
from engine.review import document_templates, retrospective_facts, retrospective_sheet
from engine.review.case_records import load_case
from engine.review.run_review import LANGUAGES, keep_daily_shares, open_review
from engine.review.service import ReviewService
from storage import documents
from storage.database import Connection, StorageError
from storage.documents import Document
from storage.incidents import incidents
from storage.reviews import review_records

log = logging.getLogger("tocsin.reviews")
KIND: Final = "retrospective"
OWN_RETROSPECTIVE_PLAYBOOK: Final = "process-retrospective"  # a warning that runs it holds its own
SECTIONS: Final = ("cause", "well", "badly", "luck")
MAX_SECTION_LENGTH: Final = 10_000  # characters of a section
LOOK_BACK: Final = timedelta(days=35)  # nobody is called for what is older
CHUNK: Final = 20
MAX_TRIES: Final = 5
WEEK: Final = timedelta(days=7)
OVER: Final = (IncidentStatus.CLOSED, IncidentStatus.COMPLETED)


def draft_due(service: ReviewService, now: DateTime) -> int:
    """Draft every wanted retrospective, and renew those whose effects are due; return how many.

    Raises:
        StorageError: the database cannot be used; what was not committed is still wanted.
    """
    plan = service.plan
    with service.installation.database.read() as connection:
        wanted = review_records.list_wanted_retrospectives(
            connection, plan.serious, OWN_RETROSPECTIVE_PLAYBOOK, now - LOOK_BACK, CHUNK
        )
        renewed = review_records.list_due_retrospectives(connection, now, CHUNK)
    done = 0
    failed: Exception | None = None
    for incident_id in dict.fromkeys((*wanted, *renewed)):
        try:
            draft_retrospective(service, incident_id, now)
            done += 1
        except StorageError:
            raise
        except Exception as error:  # one that cannot be written must not keep the others from their people
            log.exception("the retrospective of %s could not be written", incident_id)
            failed = error
    if failed is not None:
        raise failed
    return done


def draft_retrospective(service: ReviewService, name: str, now: DateTime) -> Document:
    """Write the retrospective of a case from its facts now; of a case that is over, open its review.

    Raises:
        UnknownIncident: no such case.
        Refused: it was declared by mistake, or is no incident and no warning.
    """
    keep_daily_shares(service, now)
    for _ in range(MAX_TRIES):
        with service.installation.database.read_long() as connection:
            incident = incidents.load_incident(connection, incidents.find_incident_id(connection, name))
            if (
                incident.case_type not in (CaseType.INCIDENT, CaseType.WARNING)
                or incident.status is IncidentStatus.CANCELLED
            ):
                raise CommandRefused(f"{incident.ref} has no retrospective: one is written of incidents and warnings")
            document = _document(service, connection, incident, now)
        if _keep(service, incident, document, now):
            return document
    raise CommandRefused(f"{document.id} is being written by others at this moment: try again")


def _keep(service: ReviewService, incident: Incident, document: Document, now: DateTime) -> bool:
    """Keep it and have it held; False where people wrote into it meanwhile: it is made once more, with their words."""
    with service.installation.database.write() as connection:
        incidents.lock_incident(connection, incident.id)
        row = review_records.get_retrospective(connection, incident.id)
        if row is not None and dict(row.words) != document.data["words"]:
            return False
        case = (row.matter if row else "") or _hold(connection, service, incident, document, now)
        documents.save_document(connection, document)
        over = incident.status in OVER
        values = {"made_at": now, "over_at": incident.closed_at if over else None, "matter": case}
        next_at = _next(service, incident, now) if over and not incident.drill else None
        review_records.save_retrospective(connection, incident.id, next_at=next_at, **values)
    return True


def write_sections(service: ReviewService, name: str, words: Mapping[str, str], now: DateTime) -> Document:
    """Put people's texts into its sections, and write the document anew. An empty text removes a section.

    Raises:
        UnknownIncident: no such case.
        Refused: no such section, a text that cannot be kept.
    """
    for section, text in words.items():
        if section not in SECTIONS:
            raise CommandRefused(f"no section {section[:40]!r}: {', '.join(SECTIONS)}")
        if len(text) > MAX_SECTION_LENGTH or find_unprintable(text):
            raise CommandRefused(f"{section}: longer than {MAX_SECTION_LENGTH} characters, or with a control character")
    with service.installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, name)
        incidents.lock_incident(connection, incident_id)
        row = review_records.get_retrospective(connection, incident_id)
        kept = {**(row.words if row else {}), **{section: text.strip() for section, text in words.items()}}
        kept = {section: text for section, text in kept.items() if text}
        if row is None:
            review_records.save_retrospective(connection, incident_id, made_at=now, words=kept)
        else:
            review_records.save_retrospective(connection, incident_id, made_at=row.made_at, words=kept)
    return draft_retrospective(service, name, now)


def add_action(  # noqa: PLR0913 - what is promised
    service: ReviewService,
    name: str,
    command_id: str,
    title: str,
    owner: str,
    due: timedelta,
    now: DateTime,
    *,
    by: str = "",
) -> CommandResult | None:
    """Record an action of a retrospective, with its owner and date; None: it is there under that id.

    Raises:
        UnknownIncident: no such case.
        Refused: nobody holds that role, or the title cannot be.
    """
    roster = service.installation.roster()
    if roster.primary(owner) is None:
        known = ", ".join(sorted(roster.roles))
        raise CommandRefused(f"nobody is {owner[:60]!r}: a role of the roster ({known}), or a person's id")
    with service.installation.database.write() as connection:
        incident = incidents.load_incident(connection, incidents.find_incident_id(connection, name))
        because = Text(
            f"Decided in the retrospective of {incident.ref}: {service.document_link(document_id(incident))}",
            f"{incident.ref} 复盘会确定：{service.document_link(document_id(incident))}?lang=zh_CN",
        )
        action = Action(
            Text(title), owner, due, ActionKind.RETROSPECTIVE, origin=incident.ref, service=incident.service,
            because=because,
        )  # fmt: skip
        answers = open_actions(connection, roster, {command_id: action}, now, by=by, drill=incident.drill)
    draft_retrospective(service, incident.id, now)
    return answers[0] if answers else None


def document_id(incident: Incident) -> str:
    """Return the id of a case's retrospective."""
    return f"{KIND}/{incident.ref}"


def _document(service: ReviewService, connection: Connection, incident: Incident, now: DateTime) -> Document:
    case = load_case(connection, incident, service.installation.roster())
    data = retrospective_facts.gather_facts(service, connection, case, now)
    metrics = service.metrics()
    sheets = {name: retrospective_sheet.make_sheet(data, metrics, now, lang) for name, lang in LANGUAGES.items()}
    return Document(
        id=document_id(incident), title=Text(sheets["en"].title, sheets["zh"].title), made_at=now, about=incident.ref,
        from_at=incident.declared_at, to_at=incident.closed_at, data=data,
        pages={name: document_templates.render_html(one) for name, one in sheets.items()},
        texts={name: document_templates.render_markdown(one) for name, one in sheets.items()},
    )  # fmt: skip


def _hold(connection: Connection, service: ReviewService, incident: Incident, document: Document, now: DateTime) -> str:
    """The review by which people hold it; empty for drills, for what still runs, and where its own playbook does."""
    own = incident.case_type is CaseType.WARNING  # a warning's own playbook is the retrospective
    if incident.drill or incident.status not in OVER or own:
        return ""
    try:
        procedure = require_playbook(service.installation, KIND)
    except CommandRefused as refused:  # a role that nobody holds: the draft is there all the same
        log.error("%s: nobody is called: %s", document.id, refused)  # noqa: TRY400 - one line, no traceback
        return ""
    command_id = str(uuid.uuid5(uuid.NAMESPACE_URL, document.id))
    title = f"{document.title.en} · {document.title.zh}"[:200]
    return open_review(connection, service, procedure, command_id, title, document, now, origin=incident.ref)


def _next(service: ReviewService, incident: Incident, now: DateTime) -> DateTime | None:
    """When its effects are looked at again: every week, and at the end of the trace; None: it is traced."""
    closed = incident.closed_at or now
    ends = later(closed, service.plan.trace_for)
    if now >= ends:
        return None
    at = closed
    while at <= now:
        at = later(at, WEEK)
    return min(at, ends)
