"""What customers say: by the survey's page, or by complaining again; and what people record of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Row

from domain.customers.plan import Plan
from domain.customers.survey import REOPENS, Answer, Because, calls_back, read_answer
from domain.handle import Refused
from domain.incident import Incident
from domain.text import unshowable
from engine.asked import check_id
from engine.customers.desk import CustomerDesk
from engine.customers.following import call_people, look_soon
from engine.customers.scrubbing import scrub
from engine.links import BadLink
from storage import customers, customers_follow, incidents, turns

LONGEST_NOTE = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a survey's link shows."""

    state: str  # open | answered | expired
    language: str
    drill: bool
    ref: str


def page_of(desk: CustomerDesk, token: str, now: DateTime) -> Page:
    """Where the survey of a link stands.

    Raises:
        BadLink: altered, guessed, or its customer was forgotten.
    """
    with desk.house.database.read() as connection:
        row = customers.get(connection, desk.read_link(token))
        row = _wanted(row)
        incident = incidents.load_incident(connection, row.incident_id)
    return _page(row, incident, now)


def answer(desk: CustomerDesk, token: str, fields: Mapping[str, str], now: DateTime) -> tuple[Page, Answer | None]:
    """Keep a customer's answer, and have a person call whoever needs it; None: it was answered before, or is expired.

    Raises:
        BadLink: altered, guessed, or its customer was forgotten.
        BadAnswer: something is missing.
    """
    customer_id = desk.read_link(token)
    with desk.house.database.write() as connection:
        row = _wanted(customers.get(connection, customer_id))
        incident = incidents.load_incident(connection, row.incident_id)
        page = _page(row, incident, now)
        if page.state != "open":
            return page, None
        said = read_answer(fields)
        because = calls_back(said, desk.plan.unhappy_at_most)
        if because is not None:
            look_soon(connection, incident, now)
        if not customers.answer(connection, customer_id, said, now):
            return Page("answered", page.language, page.drill, page.ref), None
        if because is not None:
            reopened = {"reopened_at": now} if because in REOPENS else {}
            customers.call_back(connection, row, because, now, **reopened)
    if because is not None:
        call_people(desk, incident.id, now)
    return Page("answered", page.language, page.drill, page.ref), said


def _wanted(row: Row[Any] | None) -> Row[Any]:
    if row is None or row.state == "forgotten" or row.asked_at is None:
        raise BadLink("this link is not whole: open it from the message itself, all of it")
    return row


def _page(row: Row[Any], incident: Incident, now: DateTime) -> Page:
    state = "open"
    if row.answered_at is not None:
        state = "answered"
    elif row.expires_at is None or row.expires_at <= now:
        state = "expired"
    return Page(state, row.language, incident.drill, incident.ref)


def complained(desk: CustomerDesk, ref: str, customer: str, now: DateTime, *, command_id: str) -> bool:
    """A customer complains again: their matter is open again, and its owner is called. False: said before.

    Raises:
        UnknownCustomer, UnknownIncident: there is none.
    """
    check_id(command_id)
    with desk.house.database.write() as connection:
        incident_id = incidents.find(connection, ref)
        incidents.lock(connection, incident_id)
        if turns.carried_out(connection, command_id):
            return False
        look_soon(connection, incidents.load_incident(connection, incident_id), now)
        row = customers.find(connection, incident_id, customer, desk.vault().mark(customer))
        values = {"complaints": row.complaints + 1, "reopened_at": now}
        customers.call_back(connection, row, Because.AGAIN, now, **values)
        turns.carry_out(connection, command_id, incident_id, "ComplainedAgain", now)
    call_people(desk, incident_id, now)
    return True


def called(desk: CustomerDesk, ref: str, customer: str, now: DateTime, *, by: str, note: str) -> None:
    """A person has called a customer.

    Raises:
        Refused: nobody was to call them, or the note cannot be kept.
        UnknownCustomer, UnknownIncident: there is none.
    """
    if len(note) > LONGEST_NOTE or unshowable(note):
        raise Refused(f"the note is longer than {LONGEST_NOTE} characters, or holds a control character")
    with desk.house.database.write() as connection:
        incident_id = incidents.find(connection, ref)
        row = customers.find(connection, incident_id, customer, desk.vault().mark(customer))
        if not row.callback:
            raise Refused("nobody was to call this customer: `tocsin customers callbacks` lists them")
        if row.called_at is None:
            customers.change(connection, row.id, called_at=now, called_by=by, called_note=note)


def forget(desk: CustomerDesk, customer: str) -> int:
    """Forget a customer wherever they are known; in how many incidents. Figures stay, without them.

    Raises:
        SettingsError: the key of the contacts cannot be used.
    """
    mark = desk.vault().mark(customer)
    with desk.house.database.write() as connection:
        ids = customers.forget(connection, mark)
        customers_follow.withdraw_of(connection, ids, "the customer was forgotten")
    scrub(desk)
    return len(ids)


def aims(plan: Plan) -> dict[str, float]:
    """What the result is held against."""
    return {"second_complaints": plan.second_aim}
