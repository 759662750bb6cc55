"""Generic adapter of every other Apprise scheme: sent as Apprise sends it, reported as unverified."""

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

import requests
from apprise import NotifyFormat
from apprise.conversion import convert_between
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, apprise_type
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import RenderedText
from channels.transport import record_exchange
from channels.wire_verdicts import judge_exchange

# Schemes that ring a telephone or page until answered, whatever the message; and settings that make others
# do so.
_WAKING_SCHEMAS = frozenset({"signl4", "pagertree", "splunk", "victorops", "spike"})
_WAKING_SETTINGS = {
    "priority": frozenset({"2", "10", "emergency", "critical", "max"}),
    "level": frozenset({"critical"}),
    "method": frozenset({"call"}),
}
_BUSY_SECONDS = 1.0
_convert: Callable[[NotifyFormat, NotifyFormat, str], str] = convert_between


class Generic(HttpAdapter):
    """Success is what the plugin says, which for some services is wrong: they answer 200 and mean no."""

    verified = False

    def __init__(self) -> None:
        """One lock a service: plugins may keep state (a login), and were not written for several threads."""
        self._locks: WeakKeyDictionary[NotifyBase, threading.Lock] = WeakKeyDictionary()
        self._guard = threading.Lock()

    def wakes(self, service: NotifyBase) -> bool:
        """By scheme, or by the priority it was configured with."""
        if service.schema.lower() in _WAKING_SCHEMAS:
            return True
        return any(str(vars(service).get(name, "")).lower() in values for name, values in _WAKING_SETTINGS.items())

    def accept(self, response: requests.Response | None) -> SendOutcome:
        """Nothing is known but that it did not object."""
        answered = f"answered {response.status_code}" if response is not None else "taken"
        return SendOutcome(SendVerdict.UNVERIFIED, detail=f"{answered}, not verified for this service")

    def send(self, service: NotifyBase, message: Message, text: RenderedText) -> SendOutcome:
        """Send through the plugin, one message at a time, the text converted to the service's own format."""
        with self._guard:
            lock = self._locks.setdefault(service, threading.Lock())
        if not lock.acquire(timeout=_BUSY_SECONDS):
            return SendOutcome(
                SendVerdict.FAILED, detail="the channel is busy with another message", retry_after=_BUSY_SECONDS
            )
        try:
            return self._send(service, message, text)
        finally:
            lock.release()

    def _send(self, service: NotifyBase, message: Message, text: RenderedText) -> SendOutcome:
        body = _convert(NotifyFormat.TEXT, service.notify_format, text.body)
        with record_exchange(fresh=message.public) as exchange:
            problem = ""
            try:
                taken = service.send(body=body, title=text.title, notify_type=apprise_type(message))
            except Exception as error:  # noqa: BLE001 - a plugin's own fault is an outcome like any other
                taken, problem = False, f"the plugin failed: {type(error).__name__}"
        if not exchange.attempts:
            # Not HTTP (MQTT, XMPP ...): the plugin's word is all there is, and "no" may have come after
            # delivery.
            if taken:
                return self.accept(None)
            return SendOutcome(SendVerdict.UNKNOWN, detail=problem or "the plugin says no, and not how far it came")
        if taken:
            return self.accept(exchange.attempts[-1].response)
        # With one target, what came before the last request was a login or the like, no delivery.
        if len(service) == 1:
            exchange.attempts = exchange.attempts[-1:]
        outcome = judge_exchange(exchange, self.accept, public=message.public)
        if outcome.verdict is SendVerdict.UNVERIFIED:
            return SendOutcome(
                SendVerdict.FAILED, detail=problem or "the service took the request and refused the message"
            )
        return outcome
