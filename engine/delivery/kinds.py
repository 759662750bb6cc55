"""Delivery kinds: how a message of each kind is prepared, sent, and its outcome recorded.

Which kinds there are stands in `engine.delivery.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from engine.delivery.outcomes import SendCancelled, SendPostponed, SendRecorded, SendResult, record_outcome
from engine.installation import Installation
from storage.database import Connection
from storage.outbox import OutboxMessage

Prepared = TypeVar("Prepared")


def is_result(prepared: object) -> bool:
    """Return whether a message has its result without being sent."""
    return prepared is None or isinstance(prepared, SendOutcome | SendCancelled | SendPostponed)


class DeliveryKind(ABC, Generic[Prepared]):
    """One kind of message, for one sender. Threads share it."""

    name: ClassVar[str]  # `kind` of its rows of the outbox

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    @abstractmethod
    def prepare(self, message: OutboxMessage, now: DateTime) -> Prepared | SendResult:
        """Prepare a claimed message right before its send, or give the result where it must not go out."""

    @abstractmethod
    def send(self, message: OutboxMessage, prepared: Prepared, now: DateTime) -> SendResult | SendRecorded:
        """Send a prepared message, once."""

    @abstractmethod
    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a result with all that follows from it; return the state, OVERTAKEN where nothing was written."""

    def changes_only_its_row(self, result: SendResult) -> bool:  # noqa: ARG002 - of a kind that says nothing else
        """Return whether recording this result changes the message's row alone, so that it may share a transaction."""
        return False

    def enqueue_due(self, now: DateTime) -> None:
        """Enqueue the messages of this kind that are due; every sender calls it before it claims."""


class ChannelDelivery(DeliveryKind[Message]):
    """A kind whose messages go out by the channel of their row."""

    def send(self, message: OutboxMessage, prepared: Message, now: DateTime) -> SendResult:  # noqa: ARG002
        """Send by the message's channel."""
        return send_or_unknown(lambda: self.installation.channels().send(message.channel, prepared))


def send_or_unknown(send: Callable[[], SendOutcome]) -> SendOutcome:
    """Send; of whatever goes wrong on the way nobody knows whether the message went."""
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - see above
        return SendOutcome(SendVerdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")


class UnknownDelivery(ChannelDelivery):
    """Messages of a kind that this program does not know, of another version of it: refused, each in one line."""

    name = ""

    def __init__(self, installation: Installation, known: Iterable[str]) -> None:
        super().__init__(installation)
        self._known = ", ".join(known)

    def prepare(self, message: OutboxMessage, now: DateTime) -> SendOutcome:  # noqa: ARG002 - always the same
        """Refuse the message."""
        detail = f"no delivery kind `{message.kind}`: this program knows {self._known}"
        return SendOutcome(SendVerdict.REFUSED, detail=detail)

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record the refusal."""
        return record_outcome(connection, message, result, now)


class DeliveryKinds:
    """The delivery kinds of one sender, by name."""

    def __init__(self, installation: Installation, kinds: Iterable[type[DeliveryKind[Any]]]) -> None:
        self._known = {kind.name: kind(installation) for kind in kinds}
        self._unknown = UnknownDelivery(installation, self._known)

    def find(self, message: OutboxMessage) -> DeliveryKind[Any]:
        """Find the kind of a message; of an unknown one a kind that refuses it."""
        return self._known.get(message.kind, self._unknown)

    def enqueue_due(self, now: DateTime) -> None:
        """Let each kind enqueue what is due of it."""
        for kind in self._known.values():
            kind.enqueue_due(now)
