"""Outcome of each send, recorded on the message's row: sent, again later, cancelled, unknown, or dead."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pendulum import DateTime

from channels.outcome import SendOutcome, SendVerdict
from domain.durations import later
from domain.roster import Roster
from engine.delivery.retry import PATIENT, RetryPolicy
from storage import outbox
from storage.database import Connection
from storage.outbox import OutboxEntry, OutboxMessage, OutboxState

MAX_UNKNOWN_RESENDS = 2  # so often a notice whose outcome is unknown is sent again, marked


@dataclass(frozen=True, slots=True)
class SendCancelled:
    """Result of a message that is not sent: nobody wants it any more."""

    why: str


@dataclass(frozen=True, slots=True)
class SendPostponed:
    """Result of a message that is not sent before then."""

    until: DateTime


@dataclass(frozen=True, slots=True)
class SendRecorded:
    """Result of a message whose outcome its kind recorded at once, as this state."""

    state: str


SendResult = SendOutcome | SendCancelled | SendPostponed | None  # None: it was not begun, and goes back


def is_delivered(result: SendResult) -> bool:
    """Return whether a service took the message, as far as anybody can say."""
    return isinstance(result, SendOutcome) and result.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED)


def is_unknown(result: SendResult) -> bool:
    """Return whether nobody can say whether the message arrived."""
    return isinstance(result, SendOutcome) and result.verdict is SendVerdict.UNKNOWN


def record_outcome(
    connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime, *,
    policy: RetryPolicy = PATIENT, resends: int = 0,
) -> str:  # fmt: skip
    """Record a result on the row of its claimed message; return the state it is in now.

    OVERTAKEN: the lease is no longer ours, others judged the message, and nothing was written.

    Args:
        policy: of attempts that certainly failed.
        resends: so often a message whose outcome is unknown is sent again, marked.
    """
    match result:
        case SendCancelled(why):
            return outbox.record_state(connection, message, "cancelled", detail=why)
        case SendOutcome() if is_delivered(result):
            return _record_sent(connection, message, result, now)
        case SendOutcome() if is_unknown(result):
            return _record_unknown(connection, message, result, now, resends)
        case SendOutcome():
            return _record_failed(connection, message, result, now, policy)
    at = result.until if result else now
    return outbox.record_state(connection, message, "retry", attempts=message.attempts - 1, next_attempt_at=at)


def _record_sent(connection: Connection, message: OutboxMessage, outcome: SendOutcome, now: DateTime) -> str:
    detail = "unverified: the service did not object" if outcome.verdict is SendVerdict.UNVERIFIED else outcome.detail
    receipt = outcome.receipt or ""
    return outbox.record_state(connection, message, "sent", sent_at=now, receipt=receipt, detail=detail)


def _record_unknown(
    connection: Connection, message: OutboxMessage, outcome: SendOutcome, now: DateTime, resends: int
) -> str:
    times = int(message.payload.get("unknown", 0)) + 1
    payload = {**mark_possible_duplicate(message).payload, "unknown": times}
    state: OutboxState = "retry" if times <= resends else "unknown"
    return outbox.record_state(
        connection, message, state, detail=outcome.detail, payload=payload, next_attempt_at=now
    )  # fmt: skip


def _record_failed(
    connection: Connection, message: OutboxMessage, outcome: SendOutcome, now: DateTime, policy: RetryPolicy
) -> str:
    attempts = message.attempts
    if not outcome.begun:  # held back by the rate of its channel: nothing was tried
        wait, attempts = policy.held_back_for(outcome.retry_after), attempts - 1
    elif outcome.verdict is SendVerdict.REFUSED or policy.is_exhausted(attempts):
        return outbox.record_state(connection, message, "dead", detail=outcome.detail)
    else:
        wait = policy.wait_after(attempts, outcome.retry_after)
    at = later(now, wait)
    return outbox.record_state(
        connection, message, "retry", detail=outcome.detail, attempts=attempts, next_attempt_at=at
    )  # fmt: skip


def mark_possible_duplicate(message: OutboxMessage) -> OutboxMessage:
    """Mark a message as one that its reader may have already."""
    return replace(message, payload={**message.payload, "possible_duplicate": True})


def make_next_channel_entry(roster: Roster, message: OutboxMessage) -> OutboxEntry | None:
    """Make the same message for its person's next channel; None where they have no other."""
    channel = find_next_channel(roster, message)
    if channel is None:
        return None
    position = message.position + 1
    return OutboxEntry(
        key=f"{message.key.rsplit('/', 2)[0]}/{channel}/{position + 1}", incident_id=message.incident_id,
        response_id=message.response_id, step=message.step, kind=message.kind, purpose=message.purpose,
        person=message.person, channel=channel, lane=message.lane, rank=message.rank, drill=message.drill,
        payload={**message.payload, "unknown": 0}, position=position,
    )  # fmt: skip


def find_next_channel(roster: Roster, message: OutboxMessage) -> str | None:
    """Find the person's channel after the one this message went by; None where there is no other."""
    person = roster.people.get(message.person)
    following = message.position + 1
    return person.channels[following] if person and following < len(person.channels) else None
