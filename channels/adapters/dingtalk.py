"""`dingtalk://`: a robot in a DingTalk group (钉钉自定义机器人)."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from apprise.plugins.base import NotifyBase

from channels.adapters.base import OutgoingRequest
from channels.adapters.coded_answer import CodedAnswer
from channels.message import Message
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits, RenderedText

# DingTalk open platform, "Custom robot access": a message of more than 20,000 bytes is refused (460101); the JSON
# around the text and its escaped line breaks need room.
TEXT_BYTES = 18_000
# The same page: 20 messages a minute, beyond which the robot is shut out for ten minutes.
A_MINUTE = 20
SHUT_OUT_SECONDS = 600.0


class DingTalk(CodedAnswer):
    """A robot gives no id, so a publication on it stays in doubt until a person has looked."""

    later: ClassVar[Mapping[int, float | None]] = {-1: None, 130101: SHUT_OUT_SECONDS, 410100: SHUT_OUT_SECONDS}

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """A text message has no title."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=0)

    def rate(self, service: Any) -> RateLimit:
        """Counted by robot, so by access token."""
        return RateLimit(A_MINUTE, 60.0, f"dingtalk/{service.token}")

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """The signature goes on the wire percent-encoded once; Apprise gives it to `requests` encoded already."""
        if "sign" in request.params:
            request.params["sign"] = unquote(request.params["sign"])
