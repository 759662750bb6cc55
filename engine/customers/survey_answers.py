"""Answers of customers, by the survey's page or by complaining again, and callbacks recorded by people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.customers.survey import REOPENING_REASONS, CallbackReason, SurveyAnswer, callback_reason, parse_answer
from domain.incident import Incident
from domain.text import find_unprintable
from engine.customers.service import CustomerService
from engine.customers.survey_schedule import begin_callbacks, schedule_soon
from engine.delivery.links import BadLink
from engine.response.validation import check_command_id
from storage.customers import affected_customers, follow_ups
from storage.customers.affected_customers import CustomerRecord
from storage.customers.erasure import purge_erased
from storage.incidents import incidents, turns

LONGEST_NOTE = 1_000


@dataclass(frozen=True, slots=True)
class SurveyPage:
    """What the page of a survey link shows: its state, language, whether a drill, and the incident's reference."""

    state: str  # open | answered | expired
    language: str
    drill: bool
    ref: str


def find_survey_page(service: CustomerService, token: str, now: DateTime) -> SurveyPage:
    """Return the survey page of a link.

    Raises:
        BadLink: altered, guessed, or its customer was forgotten.
    """
    with service.installation.database.read() as connection:
        row = affected_customers.get_customer(connection, service.read_survey_link(token))
        row = _wanted(row)
        incident = incidents.load_incident(connection, row.incident_id)
    return _page(row, incident, now)


def record_answer(
    service: CustomerService, token: str, fields: Mapping[str, str], now: DateTime
) -> tuple[SurveyPage, SurveyAnswer | None]:
    """Record a customer's answer, and have a person call them where it asks for that.

    The answer is None where the survey was answered before, or is expired.

    Raises:
        BadLink: altered, guessed, or its customer was forgotten.
        BadAnswer: something is missing.
    """
    customer_id = service.read_survey_link(token)
    with service.installation.database.write() as connection:
        row = _wanted(affected_customers.get_customer(connection, customer_id))
        incident = incidents.load_incident(connection, row.incident_id)
        page = _page(row, incident, now)
        if page.state != "open":
            return page, None
        said = parse_answer(fields)
        because = callback_reason(said, service.plan.unhappy_at_most)
        if because is not None:
            schedule_soon(connection, incident, now)
        if not affected_customers.save_answer(connection, customer_id, said, now):
            return SurveyPage("answered", page.language, page.drill, page.ref), None
        if because is not None:
            reopened = {"reopened_at": now} if because in REOPENING_REASONS else {}
            affected_customers.request_callback(connection, row, because, now, **reopened)
    if because is not None:
        begin_callbacks(service, incident.id, now)
    return SurveyPage("answered", page.language, page.drill, page.ref), said


def _wanted(row: CustomerRecord | None) -> CustomerRecord:
    if row is None or row.state == "forgotten" or row.asked_at is None:
        raise BadLink("this link is not whole: open it from the message itself, all of it")
    return row


def _page(row: CustomerRecord, incident: Incident, now: DateTime) -> SurveyPage:
    state = "open"
    if row.answered_at is not None:
        state = "answered"
    elif row.expires_at is None or row.expires_at <= now:
        state = "expired"
    return SurveyPage(state, row.language, incident.drill, incident.ref)


def record_complaint(service: CustomerService, ref: str, customer: str, now: DateTime, *, command_id: str) -> bool:
    """Record that a customer complains again: their case is reopened, its owner called. False: recorded before.

    Raises:
        UnknownCustomer, UnknownIncident: there is none.
    """
    check_command_id(command_id)
    with service.installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incidents.lock_incident(connection, incident_id)
        if turns.find_carried_out(connection, command_id):
            return False
        schedule_soon(connection, incidents.load_incident(connection, incident_id), now)
        row = affected_customers.find_customer(connection, incident_id, customer, service.open_vault().mark(customer))
        values = {"complaints": row.complaints + 1, "reopened_at": now}
        affected_customers.request_callback(connection, row, CallbackReason.AGAIN, now, **values)
        turns.record_command(connection, command_id, incident_id, "ComplainedAgain", now)
    begin_callbacks(service, incident_id, now)
    return True


def record_callback(service: CustomerService, ref: str, customer: str, now: DateTime, *, by: str, note: str) -> None:
    """Record that a person has called a customer.

    Raises:
        Refused: nobody was to call them, or the note cannot be kept.
        UnknownCustomer, UnknownIncident: there is none.
    """
    if len(note) > LONGEST_NOTE or find_unprintable(note):
        raise CommandRefused(f"the note is longer than {LONGEST_NOTE} characters, or holds a control character")
    with service.installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        row = affected_customers.find_customer(connection, incident_id, customer, service.open_vault().mark(customer))
        if not row.callback:
            raise CommandRefused("nobody was to call this customer: `tocsin customers callbacks` lists them")
        if row.called_at is None:
            affected_customers.update_customer(connection, row.id, called_at=now, called_by=by, called_note=note)


def forget_customer(service: CustomerService, customer: str) -> int:
    """Forget a customer in every incident; return in how many. Figures stay, without the customer.

    Raises:
        SettingsError: the key of the contacts cannot be used.
    """
    mark = service.open_vault().mark(customer)
    with service.installation.database.write() as connection:
        ids = affected_customers.erase_customer(connection, mark)
        follow_ups.withdraw_customer_surveys(connection, ids, "the customer was forgotten")
    purge_erased(service.installation.database)
    return len(ids)
