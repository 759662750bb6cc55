"""`workflow://` and `workflows://`: Microsoft Teams, by a Power Automate workflow with an HTTP trigger."""

from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits, RenderedText

# Microsoft Teams, "Create incoming webhooks", "Rate limiting": a message of at most 28 KB, the card around the text
# included; more than four requests a second are answered by 429.
TEXT_BYTES = 20_000
RUN_ID = "x-ms-workflow-run-id"


class TeamsWorkflow(HttpAdapter):
    """202 means that a run of the workflow has begun, and its id is the receipt; without one it is unverified."""

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """The card's heading is apart from its text."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=250)

    def prepare_call(self, call: Any, message: Message) -> None:  # noqa: ARG002 - of every message
        """No picture: each reader would fetch it from a public server."""
        call.include_image = False

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """In a card's text a single line break is none (Adaptive Cards, "TextBlock", markdown)."""
        for attachment in request.payload.get("attachments", ()) if not message.public else ():
            for block in attachment.get("content", {}).get("body", ()):
                if block.get("id") == "body":
                    block["text"] = text.body.replace("\n", "\n\n")

    def accept(self, response: requests.Response) -> SendOutcome:
        """The trigger took it; a workflow that answers by itself (200) says no more than that it ran."""
        run = response.headers.get(RUN_ID)
        if run is None:
            return SendOutcome(
                SendVerdict.UNVERIFIED, detail=f"answered {response.status_code} without the id of a run"
            )
        return SendOutcome(SendVerdict.SENT, run, f"answered {response.status_code}, a run of the workflow has begun")
