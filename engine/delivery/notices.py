"""Notices to people of the roster: after the last attempt the next channel, then the next person."""

from __future__ import annotations

from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome
from domain.facts import Fact, FactKind
from domain.incident import Snapshot
from domain.notifications import Notification, NotificationPurpose
from domain.text import N_, Reason
from engine.delivery.kinds import ChannelDelivery
from engine.delivery.links import AcknowledgeLink, AcknowledgeLinks
from engine.delivery.outcomes import (
    MAX_UNKNOWN_RESENDS,
    SendResult,
    find_next_channel,
    is_delivered,
    is_unknown,
    make_next_channel_entry,
    mark_possible_duplicate,
    record_outcome,
)
from engine.delivery.retry import PAGE, PAGE_WITH_ANOTHER_CHANNEL, PATIENT, RetryPolicy
from engine.installation import Installation
from engine.response.enqueue import make_notice_entry
from engine.response.facts import append_facts
from storage import outbox
from storage.database import Connection
from storage.incidents import incidents
from storage.outbox import OVERTAKEN, OutboxEntry, OutboxMessage


class NoticeDelivery(ChannelDelivery):
    """Notices: pages, reminders, and what people of the roster are told besides."""

    name = "notice"

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self._links = AcknowledgeLinks(installation.settings.secret_key(), installation.settings.links_url)

    def prepare(self, message: OutboxMessage, now: DateTime) -> Message:  # noqa: ARG002 - no notice is stale
        """Prepare a notice, with a link of its person's own."""
        payload = message.payload
        link = payload.get("link")
        return Message(
            title=payload["title"],
            body=payload["body"],
            drill=message.drill,
            possible_duplicate=bool(payload.get("possible_duplicate")),
            language=payload.get("language", "en"),
            urgent=message.lane == outbox.PRIORITY_PAGE,
            key=message.key,
            link=self._links.make_url(AcknowledgeLink(**link)) if link else None,
        )

    def changes_only_its_row(self, result: SendResult) -> bool:
        """Whether it was delivered, or goes back untried: no fact, nobody else to call."""
        return result is None or is_delivered(result)

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a notice's outcome; who cannot be reached is on the timeline, and somebody else is called."""
        policy = PATIENT if is_delivered(result) else self._choose_policy(message)
        state = record_outcome(connection, message, result, now, policy=policy, resends=MAX_UNKNOWN_RESENDS)
        if state == OVERTAKEN or not isinstance(result, SendOutcome):
            return state
        data = {"person": message.person, "channel": message.channel, "detail": result.detail}
        if is_unknown(result):
            fact = Fact(FactKind.NOTICE_UNKNOWN, now, message.step, data={**data, "again": state == "retry"})
            self._record_failure(connection, mark_possible_duplicate(message), fact, elsewhere=state != "retry")
        elif state == "dead":
            self._record_failure(connection, message, Fact(FactKind.NOTICE_DEAD, now, message.step, data=data))
        return state

    def _choose_policy(self, message: OutboxMessage) -> RetryPolicy:
        if message.lane != outbox.PRIORITY_PAGE:
            return PATIENT
        return PAGE_WITH_ANOTHER_CHANNEL if find_next_channel(self.installation.roster(), message) else PAGE

    def _record_failure(
        self, connection: Connection, message: OutboxMessage, fact: Fact, *, elsewhere: bool = True
    ) -> None:
        snapshot = incidents.load_snapshot(connection, message.response_id, self.installation.roster())
        append_facts(connection, snapshot, [fact])
        entry = _make_next_entry(connection, snapshot, message, fact.at) if elsewhere else None
        if entry:
            outbox.enqueue_entries(connection, [entry], fact.at)


def _make_next_entry(
    connection: Connection, snapshot: Snapshot, message: OutboxMessage, now: DateTime
) -> OutboxEntry | None:
    """The person's next channel; where there is none, of a page the next person who was not called for this step."""
    entry = make_next_channel_entry(snapshot.roster, message)
    if entry or message.lane != outbox.PRIORITY_PAGE:
        return entry
    person = _find_next_person(connection, message, snapshot)
    if not person:
        return None
    because = Reason(N_("{name} could not be reached on any channel."), {"name": snapshot.roster.name(message.person)})
    state = snapshot.steps.get(message.step)
    number = state.calls if state else int(_call(message).rpartition("/")[2])
    notice = Notification(person, NotificationPurpose(message.purpose), number, because, message.step)
    return make_notice_entry(snapshot, notice, now)


def _find_next_person(connection: Connection, message: OutboxMessage, snapshot: Snapshot) -> str:
    roster, playbook = snapshot.roster, snapshot.response.playbook
    state = snapshot.steps.get(message.step)
    call = "" if message.step else _call(message)
    told = outbox.list_notified_people(connection, message.response_id, message.step, call)
    backup = state.backup if state else ""
    for person in (backup, roster.primary(playbook.commander), roster.primary(playbook.last_resort)):
        if person and person not in told:
            return person
    return ""


def _call(message: OutboxMessage) -> str:
    """Which call of what a notice belongs to: its key without person, channel and position."""
    return message.key.rsplit("/", 3)[0]
