"""`tgram://`: a bot of Telegram."""

import dataclasses
from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import json_object

# Telegram Bot API, "sendMessage": 1 to 4,096 characters.
TEXT_CHARACTERS = 4096


class Telegram(HttpAdapter):
    """The receipt is chat and message id."""

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Counted in characters; there are no titles."""
        return MessageLimits(body_bytes=4 * TEXT_CHARACTERS, title_bytes=0, characters=TEXT_CHARACTERS)

    def rate(self, service: Any) -> RateLimit:
        """Telegram, "Bots FAQ", "My bot is hitting limits": 20 messages a minute to one group."""
        targets = ",".join(str(target) for target in service.targets)
        return RateLimit(20, 60.0, f"telegram/{service.bot_token}/{targets}")

    def prepare_call(self, call: Any, message: Message) -> None:
        """An urgent message sounds, whatever the configuration says; no picture goes before it."""
        call.include_image = False
        call.targets = list(call.targets)  # the plugin adds to it
        if message.urgent:
            call.silent = False

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """Plain text as it is: Apprise writes it as HTML, of which some characters are lost."""
        if "text" in request.payload:
            request.payload["text"] = text.body
            request.payload.pop("parse_mode", None)

    def delivers(self, url: str) -> bool:
        """Without a chat in its address Apprise asks the bot who has written to it."""
        return not url.endswith("/getUpdates")

    def accept(self, response: requests.Response) -> SendOutcome:
        """`ok: true` with the message as it was posted."""
        answer = json_object(response)
        if answer.get("ok") is not True:
            if answer.get("ok") is False:
                return SendOutcome(
                    SendVerdict.REFUSED, detail=f"answered 200, not ok ({answer.get('description', '')})"
                )
            return SendOutcome(
                SendVerdict.UNKNOWN, detail="answered 200 and neither yes nor no: not Telegram's own answer"
            )
        result = answer.get("result")
        posted = result if isinstance(result, dict) else {}
        chat = posted.get("chat", {}).get("id") if isinstance(posted.get("chat"), dict) else None
        receipt = "/".join(str(part) for part in (chat, posted.get("message_id")) if part)
        return SendOutcome(SendVerdict.SENT, receipt or None, "answered ok")

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:
        """Telegram Bot API, "ResponseParameters": how long to wait is in the body, not in a header."""
        parameters = json_object(response).get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        if isinstance(wait, int | float) and outcome.verdict is SendVerdict.FAILED:
            return dataclasses.replace(outcome, retry_after=float(wait))
        return outcome
