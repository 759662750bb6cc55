"""Base classes of the adapters: the interface, and the common part of those that speak HTTP."""

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from apprise import NotifyType
from apprise.plugins.base import NotifyBase

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits, RenderedText
from channels.transport import SendExchange, record_exchange
from channels.wire_verdicts import combine_outcomes, judge_attempt

KEY_HEADER = "X-Tocsin-Key"


@dataclass
class OutgoingRequest:
    """Outgoing request, for an adapter to correct before it leaves.

    Attributes:
        url: Where to.
        params: The query, if the plugin gives it apart from the URL.
        payload: The JSON object or form in the body; empty if it holds anything else.
    """

    url: str
    params: dict[str, Any]
    payload: dict[str, Any]


class Adapter(ABC):
    """Knows one kind of service: what it can hold, how to send, and how to read its answer.

    An adapter keeps no state; the Apprise object it gets is cached, shared by threads, and never changed by
    it.
    """

    verified: ClassVar[bool] = True
    """A test on the wire shows how this service says yes and no."""

    @abstractmethod
    def limits(self, service: NotifyBase) -> MessageLimits:
        """Limits of `service` on one message."""

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - for those that do
        """Whether an urgent message on `service` wakes a sleeping person (voice, emergency priority)."""
        return False

    def rate(self, service: NotifyBase) -> RateLimit | None:  # noqa: ARG002 - for those that have one
        """Rate limit of the service, and what shares it; None: no limit."""
        return None

    def objection(self, message: Message) -> str | None:  # noqa: ARG002 - for those that have one
        """Why this kind of service takes no such message, or None."""
        return None

    @abstractmethod
    def send(self, service: NotifyBase, message: Message, text: RenderedText) -> SendOutcome:
        """Send `text`, the rendered `message`, once. Never raises for what the service does."""


class HttpAdapter(Adapter):
    """Adapter of an HTTP service: Apprise's plugin makes the requests, the answers are read here."""

    def limits(self, service: NotifyBase) -> MessageLimits:
        """Apprise's own figures for the plugin, taken as bytes."""
        return MessageLimits(
            body_bytes=service.body_maxlen,
            title_bytes=max(service.title_maxlen, 0),
            shared=service.overflow_amalgamate_title,
            lines=service.body_max_line_count,
        )

    def prepare_call(self, call: Any, message: Message) -> None:
        """Set what belongs to this one `message` (key, priority) on `call`, a copy of the service's own plugin."""

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:
        """Correct `request`, which the plugin made, where it differs from `text` or leaves something out."""

    def delivers(self, url: str) -> bool:  # noqa: ARG002 - all of them, unless the plugin asks before
        """Whether a request to `url` carries the message; others are log-ins and look-ups."""
        return True

    @abstractmethod
    def accept(self, response: requests.Response) -> SendOutcome:
        """Read a 2xx answer."""

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:  # noqa: ARG002 - most know no more
        """Read an answer that is no 2xx better than its status alone tells."""
        return outcome

    def send(self, service: NotifyBase, message: Message, text: RenderedText) -> SendOutcome:
        """Call the plugin's `send` itself: Apprise's `notify` before it strips, converts and cuts texts."""
        call = copy.copy(service)
        self.prepare_call(call, message)

        def correct(url: str, options: dict[str, Any]) -> None:
            if type(self).amend is not HttpAdapter.amend:
                _correct(url, options, lambda request: self.amend(call, request, message, text))

        headers = {KEY_HEADER: header_safe(message.key)}
        with record_exchange(fresh=message.public, headers=headers, amend=correct) as exchange:
            try:
                call.send(body=text.body, title=text.title, notify_type=apprise_type(message))
            except Exception as error:  # noqa: BLE001 - a plugin's own fault is an outcome like any other
                if not exchange.attempts:
                    return SendOutcome(SendVerdict.REFUSED, detail=f"the plugin failed: {type(error).__name__}")
        return self._judge(exchange, public=message.public)

    def _judge(self, exchange: SendExchange, *, public: bool) -> SendOutcome:
        """What became of the deliveries; a look-up before them counts only if it went wrong."""
        outcomes = []
        for attempt in exchange.attempts:
            outcome = judge_attempt(attempt, self.accept, public=public, refine=self.refine)
            if self.delivers(attempt.url):
                outcomes.append(outcome)
            elif outcome.verdict is SendVerdict.UNKNOWN:
                # Nothing of the message was in it, so nothing can have arrived.
                outcomes.append(SendOutcome(SendVerdict.FAILED, detail=outcome.detail, retry_after=outcome.retry_after))
            elif outcome.verdict in {SendVerdict.FAILED, SendVerdict.REFUSED}:
                outcomes.append(outcome)
        return combine_outcomes(outcomes)


def _correct(url: str, options: dict[str, Any], amend: Callable[[OutgoingRequest], None]) -> None:
    """Have the body of a request amended, and write it again as it was: JSON (in UTF-8, unescaped) or a form."""
    data, is_json = options.get("data"), False
    payload: dict[str, Any] = dict(data) if isinstance(data, dict) else {}
    if isinstance(data, str | bytes) and data[:1] in {"{", b"{"}:
        payload, is_json = json.loads(data), True
    request = OutgoingRequest(url, dict(options.get("params") or {}), payload)
    amend(request)
    if request.params:
        options["params"] = request.params
    if is_json:
        options["data"] = json.dumps(request.payload, ensure_ascii=False).encode("utf-8", "replace")
    elif isinstance(data, dict):
        options["data"] = request.payload


def apprise_type(message: Message) -> NotifyType:
    """Apprise's type of a message, by which many services choose a colour."""
    return NotifyType.WARNING if message.urgent else NotifyType.INFO


def header_safe(key: str) -> str:
    """Outbox key in a form that a header takes: no line break, no character beyond ASCII."""
    return quote(key, safe="/:#@!$&'()*+,;=")
