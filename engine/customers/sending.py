"""A survey on its way: the customer's contact is opened at the moment of sending, and what became of it is recorded.

A survey whose outcome cannot be known is not sent again: nobody is asked twice. The reminder reaches
whoever it did not.
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
from channels.outcome import Outcome, Verdict
from domain.customers.hours import next_awake
from domain.customers.survey import Because
from engine.customers import following, wording
from engine.customers.desk import CustomerDesk
from engine.customers.recipients import send_to
from storage import customers, customers_follow, incidents, outbox
from storage.customers_vault import Unreadable
from storage.database import StorageError
from storage.settings import SettingsError

log = logging.getLogger("tocsin.customers")
KINDS = frozenset({customers_follow.SURVEY, customers_follow.ALARM})
MOST_ATTEMPTS = 8
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: it is night where the customer is."""

    at: DateTime


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Not sent: nobody wants it any more. `undo`: the customer is as if it had not been owed."""

    why: str
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it is on record already, as this state."""

    state: str


Sent = Outcome | Later | Unwanted | Recorded


class SurveySender:
    """Sends what the follow-up owes, for a `Deliverer`."""

    def __init__(self, desk: CustomerDesk) -> None:
        self._desk = desk

    def look(self, now: DateTime) -> None:
        """Begin and go on with what is due; whoever sends looks first."""
        try:
            following.look(self._desk, now)
        except Exception:
            log.exception("a follow-up could not be looked at; pages go out all the same, and it is tried again")

    def send(self, row: Row[Any], now: DateTime) -> Sent:
        """One row in hand: an alarm, or a survey."""
        if row.kind == customers_follow.ALARM:
            following.tick(self._desk, row.payload["incident"], now)
            return Outcome(Verdict.SENT)
        ready = self._ready(row, now)
        if isinstance(ready, Later | Unwanted):
            return ready
        try:
            outcome = self._send(row, *ready)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether it went
            outcome = Outcome(Verdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")
        try:
            # At once, not with its chunk: of a sender that is killed one survey is in doubt, not sixteen.
            with self._desk.house.database.write() as connection:
                return Recorded(settle(connection, self._desk, row, outcome, now))
        except StorageError:
            return outcome

    def _ready(self, row: Row[Any], now: DateTime) -> Later | Unwanted | tuple[Row[Any], str]:
        """Checked when the row is in hand; that the send begins is on record before it does."""
        plan, incident_id = self._desk.plan, row.payload["incident"]
        with self._desk.house.database.write() as connection:
            customer = customers.get(connection, row.person)
            incident = incidents.load_incident(connection, incident_id)
            follow = customers_follow.get(connection, incident_id)
            if customer is None or customer.state in ("answered", "forgotten"):
                return Unwanted("answered already, or forgotten")
            if incident.status not in following.OVER or follow is None or follow.state != following.RUNNING:
                return Unwanted("the incident was reopened, or the time is over", undo=True)
            if not incident.drill:
                opens = next_awake(customer.zone, now, plan.quiet)
                if opens > now:
                    return Later(opens)
            sealed = customers.sealed(connection, customer.id)
            if not sealed:
                return Unwanted("the contact was erased")
            if not customers_follow.mark_begun(connection, row, now):
                return Unwanted("somebody else has it")
        return customer, sealed

    def _send(self, row: Row[Any], customer: Row[Any], sealed: str) -> Outcome:
        desk, plan = self._desk, self._desk.plan
        with desk.house.database.read() as connection:
            incident = incidents.load_incident(connection, row.payload["incident"])
        drill = row.drill or incident.drill
        link = desk.link(customer.id)
        title, body = wording.message(plan, row.purpose, customer.language, incident.ref, link)
        message = Message(title=title, body=body, drill=drill, language=customer.language, key=row.key, link=link)
        directory = desk.house.channels()
        if drill:
            return self._to_the_sandbox(plan.drill, message)
        way = row.payload["way"]
        try:
            contact = desk.vault().open(sealed)
        except (Unreadable, SettingsError) as error:
            return Outcome(Verdict.REFUSED, detail=str(error))
        recipient = contact.mail if way == "mail" else contact.phone
        return send_to(directory, row.channel, plan.placeholder[way], recipient, message)

    def _to_the_sandbox(self, tag: str, message: Message) -> Outcome:
        """A drill asks no customer: its channel is a declared sandbox, and no contact is opened for it."""
        directory = self._desk.house.channels()
        info = directory.info(tag)
        if info is None or not info.sandbox:
            detail = f"a drill's surveys go to a sandbox only: give `{tag}` of the channel file `sandbox: true`"
            return Outcome(Verdict.REFUSED, detail=detail)
        return directory.send(tag, message)


# --- what became of it -------------------------------------------------------------------------------------------


def settle(connection: Connection, desk: CustomerDesk, row: Row[Any], result: Any, now: DateTime) -> str:
    """Record what became of a row in hand; the state it is in now. None as a result: it was not begun."""
    if row.kind == customers_follow.ALARM:
        return _alarm(connection, row, result, now)
    if isinstance(result, Recorded):
        return result.state
    if isinstance(result, Unwanted):
        return _unwanted(connection, row, result)
    if isinstance(result, Outcome):
        return _sent(connection, desk, row, result, now)
    return _again(connection, row, result.at if result else now)


def _sent(connection: Connection, desk: CustomerDesk, row: Row[Any], result: Outcome, now: DateTime) -> str:
    if result.verdict in (Verdict.SENT, Verdict.UNVERIFIED):
        return _reached(connection, row, "sent", sent_at=now, detail="")
    if result.verdict is not Verdict.UNKNOWN:
        return _failed(connection, desk, row, result, now)
    return _doubtful(connection, row, result, now)


def _doubtful(connection: Connection, row: Row[Any], result: Outcome, now: DateTime) -> str:
    if not customers_follow.has_begun(connection, row.id):  # its sender ended before: nobody can have got it
        return _again(connection, row, now)
    return _reached(connection, row, "unknown", detail=result.detail)


def _alarm(connection: Connection, row: Row[Any], result: Any, now: DateTime) -> str:
    rang = isinstance(result, Outcome) and result.verdict is Verdict.SENT
    return _write(connection, row, "sent", sent_at=now) if rang else _again(connection, row, now)


def _unwanted(connection: Connection, row: Row[Any], result: Unwanted) -> str:
    state = _write(connection, row, "cancelled", detail=result.why)
    if state == "cancelled" and result.undo:
        undo = customers.unask if row.purpose == "ask" else customers.unremind
        undo(connection, [row.person])
    return state


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.settle(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _again(connection: Connection, row: Row[Any], at: DateTime) -> str:
    return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=at, detail="")


def _reached(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    written = _write(connection, row, state, **values)
    if written == state and row.purpose == "ask":
        customers.change(connection, row.person, reached=state)
    return written


def _failed(connection: Connection, desk: CustomerDesk, row: Row[Any], outcome: Outcome, now: DateTime) -> str:
    """Again later; where that is useless their next way; without one a person calls them."""
    if outcome.verdict is not Verdict.REFUSED and row.attempts < MOST_ATTEMPTS:
        seconds = min(max(_wait(row.attempts), outcome.retry_after or 0.0), 3_600.0)
        later = now + timedelta(seconds=seconds)
        return _write(connection, row, "retry", detail=outcome.detail, next_attempt_at=later)
    state = _write(connection, row, "dead", detail=outcome.detail)
    customer = customers.get(connection, row.person)
    if state == "overtaken" or customer is None or row.purpose != "ask":
        return state
    incident = incidents.load_incident(connection, row.payload["incident"])
    follow = customers_follow.get(connection, incident.id)
    position = row.position + 1
    if follow is not None and position < len(customer.ways) and not incident.drill:
        way = customer.ways[position]
        customers.change(connection, customer.id, way=way, position=position)
        one = following.survey(incident, follow, customer, "ask", way=way, position=position, plan=desk.plan)
        customers_follow.owe(connection, [one], now)
        return state
    customers.change(connection, customer.id, reached="dead", state="unreached")
    customers.call_back(connection, customer, Because.UNREACHED, now)
    return state


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
