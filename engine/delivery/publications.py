"""Publications on official channels: checked at the last moment, never sent again when their outcome is unknown."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.facts import Fact, FactKind
from domain.incident import BEGUN_STATUSES, PublicationState
from domain.text_digest import compute_digest
from engine.delivery.kinds import ChannelDelivery
from engine.delivery.outcomes import SendCancelled, SendResult, record_outcome
from engine.delivery.retry import PUBLICATION
from engine.response.facts import record_facts
from storage.database import Connection
from storage.incidents import incidents
from storage.outbox import OutboxMessage


class PublicationDelivery(ChannelDelivery):
    """Publications: one approved text for one official channel."""

    name = "publication"

    def prepare(self, message: OutboxMessage, now: DateTime) -> Message | SendResult:  # noqa: ARG002 - none is stale
        """Prepare a publication, unless its step is over, or what was approved is not what would be published."""
        needless = self._find_needless(message)
        if needless:
            return SendCancelled(needless)
        refusal = self._find_refusal(message)
        if refusal:
            return SendOutcome(SendVerdict.REFUSED, detail=refusal)
        language = message.payload.get("language", "en")
        return Message(
            title="", body=message.payload["body"], drill=message.drill, language=language, public=True, key=message.key
        )

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a publication's outcome: a fact that moves its step; what follows is decided at the next turn."""
        state = record_outcome(connection, message, result, now, policy=PUBLICATION)
        fact = _make_fact(message, state, result, now)
        if fact is None or (state == "cancelled" and not self._is_ordered(connection, message)):
            return state
        incidents.lock_incident_of_response(connection, message.response_id)
        snapshot = incidents.load_snapshot(connection, message.response_id, self.installation.roster())
        record_facts(connection, snapshot, [fact], now)
        return state

    def _find_needless(self, message: OutboxMessage) -> str:
        """Why a publication is no longer wanted: its step is over, or it was posted by hand meanwhile."""
        with self.installation.database.read() as connection:
            snapshot = incidents.load_snapshot(connection, message.response_id, self.installation.roster())
        state = snapshot.steps[message.step]
        if state.status not in BEGUN_STATUSES:
            return f"its step is {state.status}"
        if state.postings.get(message.person) != PublicationState.ORDERED:
            return f"it is {state.postings.get(message.person, 'no longer ordered')} already"
        return ""

    def _find_refusal(self, message: OutboxMessage) -> str:
        """Checked when the message is in hand, whatever the playbook says: the last door before the public."""
        channel = self.installation.roster().public.get(message.payload.get("target", ""))
        if channel is None or channel.channel != message.channel:
            return "the roster no longer has this official channel"
        if message.drill and not channel.sandbox:
            return "a drill publishes to a sandbox only"
        if compute_digest({message.person: message.payload["body"]}) != message.payload["digest"]:
            return "the text is not the one that was approved"
        return ""

    def _is_ordered(self, connection: Connection, message: OutboxMessage) -> bool:
        """Whether a cancelled publication would look, once its step is reopened, like one that went out."""
        snapshot = incidents.load_snapshot(connection, message.response_id, self.installation.roster())
        return snapshot.steps[message.step].postings.get(message.person) == PublicationState.ORDERED


def _make_fact(message: OutboxMessage, state: str, result: SendResult, now: DateTime) -> Fact | None:
    data: dict[str, Any] = {"channel": message.person, "target": message.payload["target"]}
    match state, result:
        case "sent", SendOutcome(receipt=receipt):
            return Fact(FactKind.PUBLISHED, now, message.step, data={**data, "receipt": receipt})
        case "unknown", SendOutcome(detail=detail):
            return Fact(FactKind.IN_DOUBT, now, message.step, data={**data, "detail": detail})
        case ("dead", SendOutcome(detail=reason)) | ("cancelled", SendCancelled(why=reason)):
            return Fact(FactKind.PUBLISH_FAILED, now, message.step, data={**data, "reason": reason})
    return None
