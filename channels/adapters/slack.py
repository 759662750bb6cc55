"""`slack://`: an incoming webhook, or a bot (`xoxb-...`), of Slack."""

from typing import Any

import requests
from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase

from channels.adapters.base import HttpAdapter, OutgoingRequest
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import json_object

# Slack, "chat.postMessage", "Truncating content": beyond 40,000 characters a text is cut; its `&`, `<` and `>` are
# written as entities of up to five.
TEXT_CHARACTERS = 30_000
TITLE_BYTES = 250
# `fatal_error`: "It's possible some aspect of the operation succeeded before the error was raised."
_UNSURE = {"fatal_error", "internal_error"}
_LATER = {"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack(HttpAdapter):
    """A webhook says `ok`; a bot answers 200 to everything and means `ok: true`; its receipt is channel and `ts`."""

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Counted in characters."""
        return MessageLimits(body_bytes=4 * TEXT_CHARACTERS, title_bytes=TITLE_BYTES, characters=TEXT_CHARACTERS)

    def rate(self, service: Any) -> RateLimit:
        """Slack, "Rate limits": one message a second for each webhook, and for each channel of a bot; bursts pass."""
        tokens = "/".join(str(vars(service).get(name) or "") for name in ("token_a", "token_b", "token_c"))
        token = vars(service).get("access_token") or tokens
        return RateLimit(30, 30.0, f"slack/{token}/{','.join(map(str, service.channels))}")

    def prepare_call(self, call: Any, message: Message) -> None:  # noqa: ARG002 - of every message
        """Plain text, and no picture or footer from elsewhere."""
        call.notify_format = NotifyFormat.TEXT
        call.include_image = False

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """Slack, "Formatting text": three characters are entities, or `<!channel>` in a title would call everybody."""
        for attachment in request.payload.get("attachments", ()):
            for name in ("title", "text"):
                if isinstance(attachment.get(name), str):
                    attachment[name] = attachment[name].translate(_ENTITIES)
        if "attachments" in request.payload:
            # What a phone shows before the message is opened.
            request.payload["text"] = (text.title or text.body.split("\n", 1)[0])[:150].translate(_ENTITIES)
            if not text.title:
                del request.payload["text"]

    def delivers(self, url: str) -> bool:
        """A bot looks people up by their mail address first."""
        return "/api/users." not in url

    def accept(self, response: requests.Response) -> SendOutcome:
        """`ok` of a webhook, `ok: true` of the API."""
        if response.content.strip() == b"ok":
            return SendOutcome(SendVerdict.SENT, detail="answered ok")
        answer = json_object(response)
        if answer.get("ok") is True:
            receipt = "/".join(str(answer[name]) for name in ("channel", "ts") if answer.get(name))
            return SendOutcome(SendVerdict.SENT, receipt or None, "answered ok")
        if answer.get("ok") is False:
            return _refused(str(answer.get("error", "no reason given")), None)
        return SendOutcome(SendVerdict.UNKNOWN, detail="answered 200 and neither yes nor no: not Slack's own answer")

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:
        """A webhook gives its reason as a bare word."""
        word = response.content[:60].decode("ascii", "ignore").strip()
        if outcome.verdict is SendVerdict.REFUSED and word.replace("_", "").isalpha():
            return _refused(word, response.status_code)
        return outcome


def _refused(word: str, status: int | None) -> SendOutcome:
    detail = f"answered {status or 200}, {word}"
    if word in _UNSURE:
        return SendOutcome(SendVerdict.UNKNOWN, detail=detail)
    return SendOutcome(SendVerdict.FAILED if word in _LATER else SendVerdict.REFUSED, detail=detail)
