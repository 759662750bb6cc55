"""Retrospectives: drafted from the facts when a matter is over, made anew as its effects show, completed by people."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pendulum import DateTime
from sqlalchemy import Connection

from domain.action import Action, ActionKind
from domain.durations import later
from domain.handle import Refused
from domain.incident import Incident, IncidentStatus, Nature
from domain.text import Text, unshowable
from engine.actions import promise
from engine.asked import Answer, playbook_of
from engine.review import html, markdown, retrospective_facts, retrospective_sheet
from engine.review.desk import ReviewDesk
from engine.review.holding import LANGUAGES, keep_days, open_review
from engine.review.matters import case_of
from storage import documents, incidents, reviews
from storage.database import StorageError
from storage.documents import Document

log = logging.getLogger("tocsin.reviews")
KIND: Final = "retrospective"
BY_ITSELF: Final = "process-retrospective"  # a warning that runs it holds its own
SECTIONS: Final = ("cause", "well", "badly", "luck")
LONGEST: Final = 10_000  # characters of a section
LOOK_BACK: Final = timedelta(days=35)  # nobody is called for what is older
CHUNK: Final = 20
TRIES: Final = 5
WEEK: Final = timedelta(days=7)
OVER: Final = (IncidentStatus.CLOSED, IncidentStatus.COMPLETED)


def look(desk: ReviewDesk, now: DateTime) -> int:
    """Draft every retrospective that is wanted, and renew those whose effects are due; how many.

    Raises:
        StorageError: the database cannot be used; what was not committed is still wanted.
    """
    plan = desk.plan
    with desk.house.database.read() as connection:
        wanted = reviews.wanted(connection, plan.serious, BY_ITSELF, now - LOOK_BACK, CHUNK)
        renewed = reviews.traced(connection, now, CHUNK)
    done = 0
    failed: Exception | None = None
    for incident_id in dict.fromkeys((*wanted, *renewed)):
        try:
            draft(desk, incident_id, now)
            done += 1
        except StorageError:
            raise
        except Exception as error:  # one that cannot be written must not keep the others from their people
            log.exception("the retrospective of %s could not be written", incident_id)
            failed = error
    if failed is not None:
        raise failed
    return done


def draft(desk: ReviewDesk, name: str, now: DateTime) -> Document:
    """Write the retrospective of a matter from its facts as they are now; of one that is over, have it held.

    Raises:
        UnknownIncident: no such matter.
        Refused: it was declared by mistake, or is no incident and no warning.
    """
    keep_days(desk, now)
    for _ in range(TRIES):
        with desk.reading() as connection:
            incident = incidents.load_incident(connection, incidents.find(connection, name))
            if incident.nature not in (Nature.INCIDENT, Nature.WARNING) or incident.status is IncidentStatus.CANCELLED:
                raise Refused(f"{incident.ref} has no retrospective: one is written of incidents and warnings")
            document = _document(desk, connection, incident, now)
        if _keep(desk, incident, document, now):
            return document
    raise Refused(f"{document.id} is being written by others at this moment: try again")


def _keep(desk: ReviewDesk, incident: Incident, document: Document, now: DateTime) -> bool:
    """Keep it and have it held; False where people wrote into it meanwhile: it is made once more, with their words."""
    with desk.house.database.write() as connection:
        incidents.lock(connection, incident.id)
        row = reviews.retrospective(connection, incident.id)
        if row is not None and dict(row.words) != document.data["words"]:
            return False
        matter = (row.matter if row else "") or _hold(connection, desk, incident, document, now)
        documents.keep(connection, document)
        over = incident.status in OVER
        values = {"made_at": now, "over_at": incident.closed_at if over else None, "matter": matter}
        next_at = _next(desk, incident, now) if over and not incident.drill else None
        reviews.keep_retrospective(connection, incident.id, next_at=next_at, **values)
    return True


def write(desk: ReviewDesk, name: str, words: Mapping[str, str], now: DateTime) -> Document:
    """Put what people say into its sections, and write the document anew. An empty text takes a section out.

    Raises:
        UnknownIncident: no such matter.
        Refused: no such section, a text that cannot be kept.
    """
    for section, text in words.items():
        if section not in SECTIONS:
            raise Refused(f"no section {section[:40]!r}: {', '.join(SECTIONS)}")
        if len(text) > LONGEST or unshowable(text):
            raise Refused(f"{section}: longer than {LONGEST} characters, or with a control character")
    with desk.house.database.write() as connection:
        incident_id = incidents.find(connection, name)
        incidents.lock(connection, incident_id)
        row = reviews.retrospective(connection, incident_id)
        kept = {**(row.words if row else {}), **{section: text.strip() for section, text in words.items()}}
        kept = {section: text for section, text in kept.items() if text}
        if row is None:
            reviews.keep_retrospective(connection, incident_id, made_at=now, words=kept)
        else:
            reviews.keep_retrospective(connection, incident_id, made_at=row.made_at, words=kept)
    return draft(desk, name, now)


def act(  # noqa: PLR0913 - what is promised
    desk: ReviewDesk, name: str, command_id: str, title: str, owner: str, due: timedelta, now: DateTime, *, by: str = ""
) -> Answer | None:
    """Put an action of a retrospective on record, with its owner and date; None: it is there under that id.

    Raises:
        UnknownIncident: no such matter.
        Refused: nobody holds that role, or the title cannot be.
    """
    roster = desk.house.roster()
    if roster.primary(owner) is None:
        known = ", ".join(sorted(roster.roles))
        raise Refused(f"nobody is {owner[:60]!r}: a role of the roster ({known}), or a person's id")
    with desk.house.database.write() as connection:
        incident = incidents.load_incident(connection, incidents.find(connection, name))
        because = Text(
            f"Decided in the retrospective of {incident.ref}: {desk.link(document_id(incident))}",
            f"{incident.ref} 复盘会确定：{desk.link(document_id(incident))}?lang=zh_CN",
        )
        action = Action(
            Text(title), owner, due, ActionKind.RETROSPECTIVE, origin=incident.ref, service=incident.service,
            because=because,
        )  # fmt: skip
        answers = promise(connection, roster, {command_id: action}, now, by=by, drill=incident.drill)
    draft(desk, incident.id, now)
    return answers[0] if answers else None


def document_id(incident: Incident) -> str:
    """The id of a matter's retrospective."""
    return f"{KIND}/{incident.ref}"


def _document(desk: ReviewDesk, connection: Connection, incident: Incident, now: DateTime) -> Document:
    case = case_of(connection, incident, desk.house.roster())
    data = retrospective_facts.gather(desk, connection, case, now)
    metrics = desk.metrics()
    sheets = {name: retrospective_sheet.sheet(data, metrics, now, lang) for name, lang in LANGUAGES.items()}
    return Document(
        id=document_id(incident), title=Text(sheets["en"].title, sheets["zh"].title), made_at=now, about=incident.ref,
        from_at=incident.declared_at, to_at=incident.closed_at, data=data,
        pages={name: html.page(one) for name, one in sheets.items()},
        texts={name: markdown.markdown(one) for name, one in sheets.items()},
    )  # fmt: skip


def _hold(connection: Connection, desk: ReviewDesk, incident: Incident, document: Document, now: DateTime) -> str:
    """The review by which people hold it; empty for drills, for what still runs, and where its own playbook does."""
    own = incident.nature is Nature.WARNING  # a warning's own playbook is the retrospective
    if incident.drill or incident.status not in OVER or own:
        return ""
    try:
        procedure = playbook_of(desk.house, KIND)
    except Refused as refused:  # a role that nobody holds: the draft is there all the same
        log.error("%s: nobody is called: %s", document.id, refused)  # noqa: TRY400 - one line, no traceback
        return ""
    command_id = str(uuid.uuid5(uuid.NAMESPACE_URL, document.id))
    title = f"{document.title.en} · {document.title.zh}"[:200]
    return open_review(connection, desk, procedure, command_id, title, document, now, origin=incident.ref)


def _next(desk: ReviewDesk, incident: Incident, now: DateTime) -> DateTime | None:
    """When its effects are looked at again: every week, and at the end of the trace; None: it is traced."""
    closed = incident.closed_at or now
    ends = later(closed, desk.plan.trace_for)
    if now >= ends:
        return None
    at = closed
    while at <= now:
        at = later(at, WEEK)
    return min(at, ends)
