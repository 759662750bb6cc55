"""`ntfy://` and `ntfys://`: push messages, by ntfy.sh or a server of one's own."""

import dataclasses
import sys
from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits
from channels.wire_verdicts import receipt_of

# ntfy documentation, "Limitations": a message of more than 4,096 bytes becomes an attachment.
MESSAGE_BYTES = 4096


class Ntfy(HttpAdapter):
    """Urgent messages go with priority `max`, which breaks through "do not disturb" on the phone."""

    def limits(self, service: NotifyBase) -> MessageLimits:
        """Ntfy's own limit on the text; the title is apart from it."""
        return dataclasses.replace(super().limits(service), body_bytes=MESSAGE_BYTES, shared=False)

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - all of them
        """Priority `max` rings again and again."""
        return True

    def prepare_call(self, call: Any, message: Message) -> None:
        """Set priority and the link that a tap opens; both concern this one message."""
        # Apprise's icon lies on a public server, which would see each phone that fetches it.
        call.include_image = call.include_image and bool(call.avatar_url)
        if message.urgent:
            call.priority = "max"
        if message.link and call.click is None:
            call.click = message.link
        # Apprise measures its JSON with every Chinese character written as six (`\\u6f14`) and turns a text
        # into an attachment far below ntfy's limit; the limit is kept by us, in bytes.
        call.ntfy_json_upstream_size_limit = sys.maxsize

    def accept(self, response: requests.Response) -> SendOutcome:
        """Ntfy answers with the stored message; a 200 without its id is somebody else's page."""
        receipt = receipt_of(response, "id")
        if receipt is None:
            return SendOutcome(SendVerdict.UNVERIFIED, detail="answered 200 without an ntfy message id")
        return SendOutcome(SendVerdict.SENT, receipt, "answered 200")
