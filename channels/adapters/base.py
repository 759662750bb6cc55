"""What every adapter does, and the way of those that speak HTTP."""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from apprise import NotifyType
from apprise.plugins.base import NotifyBase

from channels.message import Message
from channels.outcome import Outcome, Verdict
from channels.rendering import Limits, Text
from channels.transport import recording
from channels.verdicts import judge

KEY_HEADER = "X-Tocsin-Key"


class Adapter(ABC):
    """Knows one kind of service: what it can hold, how to send, and how to read its answer.

    An adapter keeps no state; the Apprise object it gets is cached, shared by threads, and never changed by
    it.
    """

    verified: ClassVar[bool] = True
    """A test on the wire shows how this service says yes and no."""

    @abstractmethod
    def limits(self, service: NotifyBase) -> Limits:
        """What `service` can hold."""

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - for those that do
        """Whether an urgent message on `service` wakes a sleeping person (voice, emergency priority)."""
        return False

    @abstractmethod
    def send(self, service: NotifyBase, message: Message, text: Text) -> Outcome:
        """Send `text`, the rendered `message`, once. Never raises for what the service does."""


class HttpAdapter(Adapter):
    """A service of HTTP requests: Apprise's plugin makes them, the answers are read here."""

    def limits(self, service: NotifyBase) -> Limits:
        """Apprise's own figures for the plugin, taken as bytes."""
        return Limits(
            body_bytes=service.body_maxlen,
            title_bytes=max(service.title_maxlen, 0),
            shared=service.overflow_amalgamate_title,
            lines=service.body_max_line_count,
        )

    def dress(self, call: Any, message: Message) -> None:
        """Put what belongs to this one `message` (key, priority) on `call`, a copy of the service's own."""

    @abstractmethod
    def accept(self, response: requests.Response) -> Outcome:
        """Read a 2xx answer."""

    def send(self, service: NotifyBase, message: Message, text: Text) -> Outcome:
        """Call the plugin's `send` itself: Apprise's `notify` before it strips, converts and cuts texts."""
        call = copy.copy(service)
        self.dress(call, message)
        with recording(fresh=message.public, headers={KEY_HEADER: header_safe(message.key)}) as exchange:
            try:
                call.send(body=text.body, title=text.title, notify_type=kind(message))
            except Exception as error:  # noqa: BLE001 - a plugin's own fault is an outcome like any other
                if not exchange.attempts:
                    return Outcome(Verdict.REFUSED, detail=f"the plugin failed: {type(error).__name__}")
        return judge(exchange, self.accept, public=message.public)


def kind(message: Message) -> NotifyType:
    """Apprise's type of a message, by which many services choose a colour."""
    return NotifyType.WARNING if message.urgent else NotifyType.INFO


def header_safe(key: str) -> str:
    """An outbox key as it may stand in a header: no line break, no character beyond ASCII."""
    return quote(key, safe="/:#@!$&'()*+,;=")
