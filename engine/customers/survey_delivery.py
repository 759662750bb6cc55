"""Delivery of surveys: the contact is opened only to send, and the outcome is recorded at once.

A survey whose outcome cannot be known is not sent again: nobody is asked twice. The reminder reaches
those whom it did not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import tenacity
from pendulum import DateTime
from sqlalchemy import Connection, Row

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.customers.contact_hours import next_contact_time
from domain.customers.survey import CallbackReason
from engine.customers import survey_schedule, wording
from engine.customers.recipient_address import send_to_recipient
from engine.customers.service import CustomerService
from storage import outbox
from storage.customers import affected_customers, follow_ups
from storage.customers.affected_customers import CustomerRecord
from storage.customers.contact_vault import UnreadableContact
from storage.database import StorageError
from storage.incidents import incidents
from storage.settings import SettingsError

log = logging.getLogger("tocsin.customers")
KINDS = frozenset({follow_ups.SURVEY, follow_ups.ALARM})
MAX_ATTEMPTS = 8
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)


@dataclass(frozen=True, slots=True)
class SurveyPostponed:
    """Result of a survey that is put off: it is night where the customer is."""

    at: DateTime


@dataclass(frozen=True, slots=True)
class SurveyUnwanted:
    """Result of a survey that is not sent: nobody wants it any more.

    `undo`: the customer is as if it had not been owed.
    """

    why: str
    undo: bool = False


@dataclass(frozen=True, slots=True)
class SurveyRecorded:
    """Result of a survey whose outcome is on record already, as this state."""

    state: str


SurveySendResult = SendOutcome | SurveyPostponed | SurveyUnwanted | SurveyRecorded


class SurveySender:
    """Sender of the follow-up's surveys, for a `Deliverer`."""

    def __init__(self, service: CustomerService) -> None:
        self._service = service

    def run_due(self, now: DateTime) -> None:
        """Begin and go on with the follow-ups that are due; the sender calls it before it sends."""
        try:
            survey_schedule.run_due(self._service, now)
        except Exception:
            log.exception("a follow-up could not be looked at; pages go out all the same, and it is tried again")

    def send(self, row: Row[Any], now: DateTime) -> SurveySendResult:
        """Send one claimed row: an alarm, or a survey."""
        if row.kind == follow_ups.ALARM:
            survey_schedule.run_follow_up(self._service, row.payload["incident"], now)
            return SendOutcome(SendVerdict.SENT)
        ready = self._ready(row, now)
        if isinstance(ready, SurveyPostponed | SurveyUnwanted):
            return ready
        try:
            outcome = self._send(row, *ready)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether it went
            outcome = SendOutcome(SendVerdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")
        try:
            # At once, not with its chunk: of a sender that is killed one survey is in doubt, not sixteen.
            with self._service.installation.database.write() as connection:
                return SurveyRecorded(record_survey_outcome(connection, self._service, row, outcome, now))
        except StorageError:
            return outcome

    def _ready(self, row: Row[Any], now: DateTime) -> SurveyPostponed | SurveyUnwanted | tuple[CustomerRecord, str]:
        """Checked when the row is in hand; that the send begins is on record before it does."""
        plan, incident_id = self._service.plan, row.payload["incident"]
        with self._service.installation.database.write() as connection:
            customer = affected_customers.get_customer(connection, row.person)
            incident = incidents.load_incident(connection, incident_id)
            follow = follow_ups.get_follow_up(connection, incident_id)
            if customer is None or customer.state in ("answered", "forgotten"):
                return SurveyUnwanted("answered already, or forgotten")
            if (
                incident.status not in survey_schedule.OVER_STATUSES
                or follow is None
                or follow.state != survey_schedule.RUNNING
            ):
                return SurveyUnwanted("the incident was reopened, or the time is over", undo=True)
            if not incident.drill:
                opens = next_contact_time(customer.zone, now, plan.quiet)
                if opens > now:
                    return SurveyPostponed(opens)
            sealed = affected_customers.get_sealed_contact(connection, customer.id)
            if not sealed:
                return SurveyUnwanted("the contact was erased")
            if not follow_ups.mark_send_begun(connection, row, now):
                return SurveyUnwanted("somebody else has it")
        return customer, sealed

    def _send(self, row: Row[Any], customer: CustomerRecord, sealed: str) -> SendOutcome:
        service, plan = self._service, self._service.plan
        with service.installation.database.read() as connection:
            incident = incidents.load_incident(connection, row.payload["incident"])
        drill = row.drill or incident.drill
        link = service.make_survey_link(customer.id)
        title, body = wording.make_survey_message(plan, row.purpose, customer.language, incident.ref, link)
        message = Message(title=title, body=body, drill=drill, language=customer.language, key=row.key, link=link)
        directory = service.installation.channels()
        if drill:
            return self._to_the_sandbox(plan.drill, message)
        way = row.payload["way"]
        try:
            contact = service.open_vault().open(sealed)
        except (UnreadableContact, SettingsError) as error:
            return SendOutcome(SendVerdict.REFUSED, detail=str(error))
        recipient = contact.mail if way == "mail" else contact.phone
        return send_to_recipient(directory, row.channel, plan.placeholder[way], recipient, message)

    def _to_the_sandbox(self, tag: str, message: Message) -> SendOutcome:
        """A drill asks no customer: its channel is a declared sandbox, and no contact is opened for it."""
        directory = self._service.installation.channels()
        info = directory.info(tag)
        if info is None or not info.sandbox:
            detail = f"a drill's surveys go to a sandbox only: give `{tag}` of the channel file `sandbox: true`"
            return SendOutcome(SendVerdict.REFUSED, detail=detail)
        return directory.send(tag, message)


# --- what became of it -------------------------------------------------------------------------------------------


def record_survey_outcome(
    connection: Connection, service: CustomerService, row: Row[Any], result: Any, now: DateTime
) -> str:
    """Record the outcome of a claimed row; return its state. None as a result: it was not begun."""
    if row.kind == follow_ups.ALARM:
        return _alarm(connection, row, result, now)
    if isinstance(result, SurveyRecorded):
        return result.state
    if isinstance(result, SurveyUnwanted):
        return _unwanted(connection, row, result)
    if isinstance(result, SendOutcome):
        return _sent(connection, service, row, result, now)
    return _again(connection, row, result.at if result else now)


def _sent(connection: Connection, service: CustomerService, row: Row[Any], result: SendOutcome, now: DateTime) -> str:
    if result.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED):
        return _reached(connection, row, "sent", sent_at=now, detail="")
    if result.verdict is not SendVerdict.UNKNOWN:
        return _failed(connection, service, row, result, now)
    return _doubtful(connection, row, result, now)


def _doubtful(connection: Connection, row: Row[Any], result: SendOutcome, now: DateTime) -> str:
    if not follow_ups.has_send_begun(connection, row.id):  # its sender ended before: nobody can have got it
        return _again(connection, row, now)
    return _reached(connection, row, "unknown", detail=result.detail)


def _alarm(connection: Connection, row: Row[Any], result: Any, now: DateTime) -> str:
    rang = isinstance(result, SendOutcome) and result.verdict is SendVerdict.SENT
    return _write(connection, row, "sent", sent_at=now) if rang else _again(connection, row, now)


def _unwanted(connection: Connection, row: Row[Any], result: SurveyUnwanted) -> str:
    state = _write(connection, row, "cancelled", detail=result.why)
    if state == "cancelled" and result.undo:
        undo = affected_customers.mark_not_asked if row.purpose == "ask" else affected_customers.mark_not_reminded
        undo(connection, [row.person])
    return state


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.save_outcome(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _again(connection: Connection, row: Row[Any], at: DateTime) -> str:
    return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=at, detail="")


def _reached(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    written = _write(connection, row, state, **values)
    if written == state and row.purpose == "ask":
        affected_customers.update_customer(connection, row.person, reached=state)
    return written


def _failed(
    connection: Connection, service: CustomerService, row: Row[Any], outcome: SendOutcome, now: DateTime
) -> str:
    """Again later; where that is useless their next way; without one a person calls them."""
    if outcome.verdict is not SendVerdict.REFUSED and row.attempts < MAX_ATTEMPTS:
        seconds = min(max(_wait(row.attempts), outcome.retry_after or 0.0), 3_600.0)
        later = now + timedelta(seconds=seconds)
        return _write(connection, row, "retry", detail=outcome.detail, next_attempt_at=later)
    state = _write(connection, row, "dead", detail=outcome.detail)
    customer = affected_customers.get_customer(connection, row.person)
    if state == "overtaken" or customer is None or row.purpose != "ask":
        return state
    incident = incidents.load_incident(connection, row.payload["incident"])
    follow = follow_ups.get_follow_up(connection, incident.id)
    position = row.position + 1
    if follow is not None and position < len(customer.ways) and not incident.drill:
        way = customer.ways[position]
        affected_customers.update_customer(connection, customer.id, way=way, position=position)
        one = survey_schedule.make_survey_entry(
            incident, follow, customer, "ask", way=way, position=position, plan=service.plan
        )
        follow_ups.enqueue_surveys(connection, [one], now)
        return state
    affected_customers.update_customer(connection, customer.id, reached="dead", state="unreached")
    affected_customers.request_callback(connection, customer, CallbackReason.UNREACHED, now)
    return state


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
