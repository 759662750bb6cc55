"""`twilio://`: a text message, or with `method=call` a telephone call that reads it out."""

from typing import Any
from xml.sax.saxutils import escape

import requests

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import json_object, receipt_of

# Twilio, "Messages resource": `Body` at most 1,600 characters. Each 67 Chinese ones are a message that is paid for,
# so ours end at five of them.
SMS_CHARACTERS = 335
# What a sleeper can take in; read twice. Twilio, "Calls resource": `Twiml` at most 4,000 characters.
CALL_CHARACTERS = 400
VOICES = {"en": "en-US", "zh_CN": "zh-CN"}
# Twilio, "Message status values" and "Call status values": these are final, and nobody was told.
_NO = {"failed", "undelivered", "canceled", "busy", "no-answer"}
# Twilio, "Error and warning dictionary": too many requests, too many of one account, queue overflow.
_LATER = {20429, 14107, 30001, 21611}


class Twilio(HttpAdapter):
    """201 with a `sid` means queued: whether the phone rang is not told. The receipt is the `sid`."""

    def limits(self, service: Any) -> MessageLimits:
        """Counted in characters; there are no titles."""
        longest = CALL_CHARACTERS if _calls(service) else SMS_CHARACTERS
        return MessageLimits(body_bytes=4 * longest, title_bytes=0, characters=longest)

    def wakes(self, service: Any) -> bool:
        """A call does."""
        return _calls(service)

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """A call's text as TwiML (Apprise sends it bare, which Twilio takes and cannot read out), without links."""
        if "Twiml" in request.payload:
            words = text.body.replace(message.link, "") if message.link else text.body
            voice = VOICES.get(message.language, VOICES["en"])
            said = escape(". ".join(line.strip() for line in words.split("\n") if line.strip(" …")))
            request.payload["Twiml"] = f'<Response><Say language="{voice}" loop="2">{said}</Say></Response>'

    def accept(self, response: requests.Response) -> SendOutcome:
        """The resource as Twilio made it."""
        receipt, status = receipt_of(response, "sid"), receipt_of(response, "status") or ""
        if receipt is None:
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"answered {response.status_code} without a sid")
        if status in _NO or json_object(response).get("error_code"):
            code = json_object(response).get("error_code")
            return SendOutcome(SendVerdict.REFUSED, detail=f"answered {response.status_code}, {status}, error {code}")
        return SendOutcome(SendVerdict.SENT, receipt, f"answered {response.status_code}, {status}")

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:
        """Twilio's own code says more than the status."""
        code = json_object(response).get("code")
        if outcome.verdict is SendVerdict.REFUSED and code in _LATER:
            return SendOutcome(SendVerdict.FAILED, detail=outcome.detail)
        return outcome


def _calls(service: Any) -> bool:
    return str(service.method).lower() == "call"
