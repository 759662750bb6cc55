"""Outcome of each send: sent, retried later, next channel, next person, or left to a person's decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import tenacity
from pendulum import DateTime
from sqlalchemy import Connection, Row

from channels.outcome import SendOutcome, SendVerdict
from domain.evolve import evolve_snapshot
from domain.facts import Fact, FactKind
from domain.incident import PublicationState, Snapshot
from domain.notifications import Notification, NotificationPurpose
from domain.text import N_, Reason
from engine.installation import Installation
from engine.response.enqueue import append_facts, make_notice_entry
from storage import outbox
from storage.incidents import incidents
from storage.outbox import OutboxEntry

K = FactKind
MAX_UNKNOWN_RESENDS = 2  # so often a page whose outcome is unknown is sent again, marked; then the next channel
# Attempts that certainly failed, before the next channel or person: lane -> how many, and how long between them.
_ATTEMPTS = {outbox.PRIORITY_PAGE: 5, outbox.PRIORITY_PUBLICATION: 6, outbox.PRIORITY_REST: 8}
_BACK_OFF = {
    outbox.PRIORITY_PAGE: tenacity.wait_exponential_jitter(multiplier=1, max=30, jitter=0.5),
    outbox.PRIORITY_PUBLICATION: tenacity.wait_exponential_jitter(multiplier=2, max=60, jitter=1),
    outbox.PRIORITY_REST: tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5),
}
_ELSEWHERE = 1  # a page whose person has another channel does not wait for this one


@dataclass(frozen=True, slots=True)
class SendCancelled:
    """Result of a row that is not sent: nobody wants it any more."""

    why: str


SendResult = SendOutcome | SendCancelled | None  # None: it was not begun, and goes back


def record_outcome(
    connection: Connection, installation: Installation, row: Row[Any], outcome: SendResult, now: DateTime
) -> str:
    """Record the outcome of a claimed row; return the state it is in now.

    A row whose lease is no longer ours was judged by others: nothing is written.
    """
    if outcome is None:
        return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=now)
    if isinstance(outcome, SendCancelled):
        return _needless(connection, installation, row, outcome, now)
    if outcome.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED):
        return _sent(connection, installation, row, outcome, now)
    if outcome.verdict is SendVerdict.UNKNOWN:
        return _unknown(connection, installation, row, outcome, now)
    return _failed(connection, installation, row, outcome, now)


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.save_outcome(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _needless(
    connection: Connection, installation: Installation, row: Row[Any], outcome: SendCancelled, now: DateTime
) -> str:
    """An ordered publication that does not go out is said: whoever reopens its step must know that it never did."""
    state = _write(connection, row, "cancelled", detail=outcome.why)
    if state == "cancelled":
        snapshot = incidents.load_snapshot(connection, row.response_id, installation.roster())
        if snapshot.steps[row.step].postings.get(row.person) == PublicationState.ORDERED:
            data = {"channel": row.person, "target": row.payload["target"], "reason": outcome.why}
            _record_publication_fact(connection, installation, row, Fact(K.PUBLISH_FAILED, now, row.step, data=data))
    return state


def _sent(
    connection: Connection, installation: Installation, row: Row[Any], outcome: SendOutcome, now: DateTime
) -> str:
    detail = "unverified: the service did not object" if outcome.verdict is SendVerdict.UNVERIFIED else outcome.detail
    state = _write(connection, row, "sent", sent_at=now, receipt=outcome.receipt or "", detail=detail)
    if state == "sent" and row.kind == "publication":
        data = {"channel": row.person, "target": row.payload["target"], "receipt": outcome.receipt}
        _record_publication_fact(connection, installation, row, Fact(K.PUBLISHED, now, row.step, data=data))
    return state


def _unknown(
    connection: Connection, installation: Installation, row: Row[Any], outcome: SendOutcome, now: DateTime
) -> str:
    """A page is sent again, marked; a public statement never is: a person looks, and decides."""
    times = int(row.payload.get("unknown", 0)) + 1
    again = row.kind == "notice" and times <= MAX_UNKNOWN_RESENDS
    payload = {**row.payload, "unknown": times, "possible_duplicate": True}
    values = {"detail": outcome.detail, "payload": payload, "next_attempt_at": now}
    state = _write(connection, row, "retry" if again else "unknown", **values)
    if state == "overtaken":
        return state
    if row.kind == "publication":
        data = {"channel": row.person, "target": row.payload["target"], "detail": outcome.detail}
        _record_publication_fact(connection, installation, row, Fact(K.IN_DOUBT, now, row.step, data=data))
    else:
        data = {"person": row.person, "channel": row.channel, "detail": outcome.detail, "again": again}
        snapshot = incidents.load_snapshot(connection, row.response_id, installation.roster())
        append_facts(connection, snapshot, [Fact(K.NOTICE_UNKNOWN, now, row.step, data=data)])
        if not again:
            _enqueue_next_recipient(connection, installation, row, snapshot, now, payload)
    return state


def _failed(
    connection: Connection, installation: Installation, row: Row[Any], outcome: SendOutcome, now: DateTime
) -> str:
    if not outcome.begun:  # held back by the rate of its channel: nothing was tried
        later = now + timedelta(seconds=min(outcome.retry_after or 1.0, 3_600.0))
        return _write(connection, row, "retry", detail=outcome.detail, attempts=row.attempts - 1, next_attempt_at=later)
    final = outcome.verdict is SendVerdict.REFUSED or row.attempts >= _ATTEMPTS[row.lane]
    if row.kind == "notice" and row.lane == outbox.PRIORITY_PAGE and row.attempts >= _ELSEWHERE:
        final = final or _next_channel(installation, row) is not None
    if not final:
        seconds = max(_wait(row.lane, row.attempts), outcome.retry_after or 0.0)
        later = now + timedelta(seconds=min(seconds, 3_600.0))
        return _write(connection, row, "retry", detail=outcome.detail, next_attempt_at=later)
    state = _write(connection, row, "dead", detail=outcome.detail)
    if state == "overtaken":
        return state
    if row.kind == "publication":
        data = {"channel": row.person, "target": row.payload["target"], "reason": outcome.detail}
        _record_publication_fact(connection, installation, row, Fact(K.PUBLISH_FAILED, now, row.step, data=data))
        return state
    snapshot = incidents.load_snapshot(connection, row.response_id, installation.roster())
    data = {"person": row.person, "channel": row.channel, "detail": outcome.detail}
    append_facts(connection, snapshot, [Fact(K.NOTICE_DEAD, now, row.step, data=data)])
    _enqueue_next_recipient(connection, installation, row, snapshot, now, row.payload)
    return state


def _wait(lane: int, attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF[lane](state))


# --- elsewhere ---------------------------------------------------------------------------------------------------


def _next_channel(installation: Installation, row: Row[Any]) -> str | None:
    person = installation.roster().people.get(row.person)
    following = row.position + 1
    return person.channels[following] if person and following < len(person.channels) else None


def _enqueue_next_recipient(
    connection: Connection,
    installation: Installation,
    row: Row[Any],
    snapshot: Snapshot,
    now: DateTime,
    payload: dict[str, Any],
) -> None:
    """The person's next channel; where there is none, the next person who has not been called for this step."""
    channel = _next_channel(installation, row)
    if channel is not None:
        base = row.key.rsplit("/", 2)[0]
        position = row.position + 1
        again = OutboxEntry(
            key=f"{base}/{channel}/{position + 1}", incident_id=row.incident_id, response_id=row.response_id,
            step=row.step, kind="notice", purpose=row.purpose, person=row.person, channel=channel, lane=row.lane,
            rank=row.rank, drill=row.drill, payload={**payload, "unknown": 0}, position=position,
        )  # fmt: skip
        outbox.enqueue_entries(connection, [again], now)
        return
    if row.lane != outbox.PRIORITY_PAGE:
        return
    person = _next_person(connection, row, snapshot)
    if person:
        because = Reason(N_("{name} could not be reached on any channel."), {"name": snapshot.roster.name(row.person)})
        state = snapshot.steps.get(row.step)
        number = state.calls if state else int(_call(row).rpartition("/")[2])
        notice = Notification(person, NotificationPurpose(row.purpose), number, because, row.step)
        outbox.enqueue_entries(connection, [make_notice_entry(snapshot, notice, now)], now)


def _call(row: Row[Any]) -> str:
    """Which call of what a notice belongs to: its key without person, channel and position."""
    return str(row.key).rsplit("/", 3)[0]


def _next_person(connection: Connection, row: Row[Any], snapshot: Snapshot) -> str:
    roster, playbook = snapshot.roster, snapshot.response.playbook
    state = snapshot.steps.get(row.step)
    told = outbox.list_notified_people(connection, row.response_id, row.step, "" if row.step else _call(row))
    backup = state.backup if state else ""
    for person in (backup, roster.primary(playbook.commander), roster.primary(playbook.last_resort)):
        if person and person not in told:
            return person
    return ""


def _record_publication_fact(connection: Connection, installation: Installation, row: Row[Any], fact: Fact) -> None:
    """A publication's outcome is a fact that moves its step; what follows from it is decided at the next turn."""
    incidents.lock_incident_of_response(connection, row.response_id)
    before = incidents.load_snapshot(connection, row.response_id, installation.roster())
    after = evolve_snapshot(before, fact)
    incidents.save_snapshot(connection, before, after, fact.at)
    append_facts(connection, after, [fact])
