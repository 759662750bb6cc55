"""`pagerduty://`: an event to a service of PagerDuty, which rings until somebody answers."""

import hashlib
from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import receipt_of

# PagerDuty Developer, "Events API v2", "PD-CEF": `summary` at most 1,024 characters, `dedup_key` at most 255.
SUMMARY_CHARACTERS = 1024
KEY_CHARACTERS = 255


class PagerDuty(HttpAdapter):
    """The outbox key is the `dedup_key`: a repeat joins the alert that its first copy opened."""

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Title and text are one summary."""
        return MessageLimits(body_bytes=4 * SUMMARY_CHARACTERS, title_bytes=0, characters=SUMMARY_CHARACTERS)

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - all of them
        """It is what PagerDuty is for."""
        return True

    def prepare_call(self, call: Any, message: Message) -> None:
        """How severe this one message is; no picture from elsewhere."""
        call.include_image = False
        if message.urgent and not call.severity:
            call.severity = "critical"

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """Key and link, which Apprise has no way to give."""
        if message.key:
            request.payload.setdefault("dedup_key", dedup_key(message.key, KEY_CHARACTERS))
        if message.link:
            request.payload.setdefault("links", []).append({"href": message.link, "text": "Tocsin"})

    def accept(self, response: requests.Response) -> SendOutcome:
        """`status: success`; the receipt is the key under which the alert stands."""
        if receipt_of(response, "status") != "success":
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"answered {response.status_code} without `success`")
        return SendOutcome(SendVerdict.SENT, receipt_of(response, "dedup_key"), f"answered {response.status_code}")


def dedup_key(key: str, longest: int) -> str:
    """The outbox key, or its digest if a service has no room for it."""
    return key if len(key) <= longest else hashlib.sha256(key.encode()).hexdigest()
