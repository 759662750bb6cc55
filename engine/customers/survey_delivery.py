"""Delivery of surveys: the contact is opened only to send, and the outcome is recorded at once.

A survey whose outcome cannot be known is not sent again: nobody is asked twice. The reminder reaches
those whom it did not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.customers.contact_hours import next_contact_time
from domain.customers.survey import CallbackReason
from domain.durations import later
from engine.customers import survey_schedule, wording
from engine.customers.recipient_address import send_to_recipient
from engine.delivery.kinds import DeliveryKind, send_or_unknown
from engine.delivery.outcomes import (
    SendCancelled,
    SendPostponed,
    SendRecorded,
    SendResult,
    is_delivered,
    is_unknown,
)
from engine.delivery.retry import PATIENT
from engine.installation import Installation
from storage import outbox
from storage.customers import affected_customers, follow_ups
from storage.customers.contact_vault import UnreadableContact
from storage.database import Connection, StorageError
from storage.incidents import incidents
from storage.outbox import OVERTAKEN, OutboxMessage, OutboxState
from storage.settings import SettingsError

log = logging.getLogger("tocsin.customers")


@dataclass(frozen=True, slots=True)
class SurveyUndone(SendCancelled):
    """Result of a survey that is not sent: its customer is as if it had not been owed."""


@dataclass(frozen=True, slots=True)
class ReadySurvey:
    """A survey whose send is on record as begun."""

    customer_id: str
    language: str  # the customer's
    sealed: str  # their contact, opened only to send


class SurveyDelivery(DeliveryKind[ReadySurvey]):
    """Surveys of the follow-up: each to one customer, by their ways in turn, then a person calls them."""

    name = follow_ups.SURVEY

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self._service = installation.customers

    def enqueue_due(self, now: DateTime) -> None:
        """Begin and go on with the follow-ups that are due."""
        try:
            survey_schedule.run_due(self._service, now)
        except Exception:
            log.exception("a follow-up could not be looked at; pages go out all the same, and it is tried again")

    def prepare(self, message: OutboxMessage, now: DateTime) -> ReadySurvey | SendResult:
        """Check that the customer is still to be asked, and now; that the send begins is on record before it does."""
        plan, incident_id = self._service.plan, message.payload["incident"]
        with self.installation.database.write() as connection:
            customer = affected_customers.get_customer(connection, message.person)
            incident = incidents.load_incident(connection, incident_id)
            follow = follow_ups.get_follow_up(connection, incident_id)
            if customer is None or customer.state in ("answered", "forgotten"):
                return SendCancelled("answered already, or forgotten")
            over = incident.status in survey_schedule.OVER_STATUSES
            if not over or follow is None or follow.state != survey_schedule.RUNNING:
                return SurveyUndone("the incident was reopened, or the time is over")
            if not incident.drill:
                opens = next_contact_time(customer.zone, now, plan.quiet)
                if opens > now:
                    return SendPostponed(opens)
            sealed = affected_customers.get_sealed_contact(connection, customer.id)
            if not sealed:
                return SendCancelled("the contact was erased")
            if not follow_ups.mark_send_begun(connection, message, now):
                return SendCancelled("somebody else has it")
        return ReadySurvey(customer.id, customer.language, sealed)

    def send(self, message: OutboxMessage, prepared: ReadySurvey, now: DateTime) -> SendOutcome | SendRecorded:
        """Send one survey and record its outcome at once: of a sender that is killed one is in doubt, not sixteen."""
        outcome = send_or_unknown(lambda: self._send(message, prepared))
        try:
            with self.installation.database.write() as connection:
                return SendRecorded(self.record(connection, message, outcome, now))
        except StorageError:
            return outcome

    def _send(self, message: OutboxMessage, ready: ReadySurvey) -> SendOutcome:
        service, plan = self._service, self._service.plan
        with self.installation.database.read() as connection:
            incident = incidents.load_incident(connection, message.payload["incident"])
        drill = message.drill or incident.drill
        link = service.make_survey_link(ready.customer_id)
        title, body = wording.make_survey_message(plan, message.purpose, ready.language, incident.ref, link)
        survey = Message(title=title, body=body, drill=drill, language=ready.language, key=message.key, link=link)
        if drill:
            return self._send_to_sandbox(plan.drill, survey)
        way = message.payload["way"]
        try:
            contact = service.open_vault().open(ready.sealed)
        except (UnreadableContact, SettingsError) as error:
            return SendOutcome(SendVerdict.REFUSED, detail=str(error))
        recipient = contact.mail if way == "mail" else contact.phone
        return send_to_recipient(
            self.installation.channels(), message.channel, plan.placeholder[way], recipient, survey
        )  # fmt: skip

    def _send_to_sandbox(self, tag: str, survey: Message) -> SendOutcome:
        """A drill asks no customer: its channel is a declared sandbox, and no contact is opened for it."""
        directory = self.installation.channels()
        info = directory.info(tag)
        if info is None or not info.sandbox:
            detail = f"a drill's surveys go to a sandbox only: give `{tag}` of the channel file `sandbox: true`"
            return SendOutcome(SendVerdict.REFUSED, detail=detail)
        return directory.send(tag, survey)

    # --- what became of it ---

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a survey's outcome, on its row and with its customer."""
        match result:
            case SendCancelled():
                return _record_cancelled(connection, message, result)
            case SendOutcome() if is_delivered(result):
                return _record_reached(connection, message, "sent", sent_at=now, detail="")
            case SendOutcome() if is_unknown(result):
                if not follow_ups.has_send_begun(connection, message.id):  # its sender ended before: nobody has it
                    return _put_off(connection, message, now)
                return _record_reached(connection, message, "unknown", detail=result.detail)
            case SendOutcome():
                return self._record_failed(connection, message, result, now)
        return _put_off(connection, message, result.until if result else now)

    def _record_failed(
        self, connection: Connection, message: OutboxMessage, outcome: SendOutcome, now: DateTime
    ) -> str:  # fmt: skip
        """Again later; where that is useless their next way; without one a person calls them."""
        if outcome.verdict is not SendVerdict.REFUSED and not PATIENT.is_exhausted(message.attempts):
            at = later(now, PATIENT.wait_after(message.attempts, outcome.retry_after))
            return outbox.record_state(connection, message, "retry", detail=outcome.detail, next_attempt_at=at)
        state = outbox.record_state(connection, message, "dead", detail=outcome.detail)
        customer = affected_customers.get_customer(connection, message.person)
        if state == OVERTAKEN or customer is None or message.purpose != "ask":
            return state
        incident = incidents.load_incident(connection, message.payload["incident"])
        follow = follow_ups.get_follow_up(connection, incident.id)
        position = message.position + 1
        if follow is not None and position < len(customer.ways) and not incident.drill:
            way = customer.ways[position]
            affected_customers.update_customer(connection, customer.id, way=way, position=position)
            one = survey_schedule.make_survey_entry(
                incident, follow, customer, "ask", way=way, position=position, plan=self._service.plan
            )
            follow_ups.enqueue_surveys(connection, [one], now)
            return state
        affected_customers.update_customer(connection, customer.id, reached="dead", state="unreached")
        affected_customers.request_callback(connection, customer, CallbackReason.UNREACHED, now)
        return state


def _record_cancelled(connection: Connection, message: OutboxMessage, result: SendCancelled) -> str:
    state = outbox.record_state(connection, message, "cancelled", detail=result.why)
    if state == "cancelled" and isinstance(result, SurveyUndone):
        undo = affected_customers.mark_not_asked if message.purpose == "ask" else affected_customers.mark_not_reminded
        undo(connection, [message.person])
    return state


def _put_off(connection: Connection, message: OutboxMessage, at: DateTime) -> str:
    attempts = message.attempts - 1
    return outbox.record_state(connection, message, "retry", attempts=attempts, next_attempt_at=at, detail="")


def _record_reached(connection: Connection, message: OutboxMessage, state: OutboxState, **values: Any) -> str:
    written = outbox.record_state(connection, message, state, **values)
    if written == state and message.purpose == "ask":
        affected_customers.update_customer(connection, message.person, reached=state)
    return written


class SurveyAlarmDelivery(DeliveryKind[str]):
    """Alarms of the follow-up: nothing is sent, the follow-up of an incident runs its next pass."""

    name = follow_ups.ALARM

    def prepare(self, message: OutboxMessage, now: DateTime) -> str:  # noqa: ARG002 - the pass looks what is due
        """Return the id of the incident."""
        return str(message.payload["incident"])

    def send(self, message: OutboxMessage, prepared: str, now: DateTime) -> SendOutcome:  # noqa: ARG002
        """Run the pass."""
        survey_schedule.run_follow_up(self.installation.customers, prepared, now)
        return SendOutcome(SendVerdict.SENT)

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record that the pass was run; one that did not come to its end is run again."""
        if is_delivered(result):
            return outbox.record_state(connection, message, "sent", sent_at=now)
        return _put_off(connection, message, now)
