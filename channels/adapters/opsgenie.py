"""`opsgenie://`: an alert of Opsgenie, which rings until somebody answers."""

from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.adapters.pagerduty import dedup_key
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import receipt_of

# Opsgenie, "Alert API", "Create alert": `message` at most 130 characters, `description` 15,000, `alias` 512.
# 130 Chinese characters; Apprise cuts a Latin title at 130.
TITLE_BYTES = 390
TEXT_CHARACTERS = 15_000
ALIAS_CHARACTERS = 512


class Opsgenie(HttpAdapter):
    """The outbox key is the `alias`: a repeat raises the count of the alert that its first copy opened."""

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """The title is the alert's message, the text its description."""
        return MessageLimits(body_bytes=4 * TEXT_CHARACTERS, title_bytes=TITLE_BYTES, characters=TEXT_CHARACTERS)

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - all of them
        """It is what Opsgenie is for."""
        return True

    def prepare_call(self, call: Any, message: Message) -> None:
        """Every message is an alert of its own, urgent ones of the highest priority."""
        call.action = "new"
        if message.key and not call.alias:
            call.alias = dedup_key(message.key, ALIAS_CHARACTERS)
        if message.urgent:
            call.priority = 1

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:
        """Nothing but the encoding: Apprise writes a Chinese character as six bytes."""

    def accept(self, response: requests.Response) -> SendOutcome:
        """202 with the id under which the request is worked off."""
        receipt = receipt_of(response, "requestId")
        if receipt is None:
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"answered {response.status_code} without a request id")
        return SendOutcome(SendVerdict.SENT, receipt, f"answered {response.status_code}")
