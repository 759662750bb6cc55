"""`feishu://` and `lark://`: a custom bot in a group (飞书自定义机器人), in China and elsewhere."""

from collections.abc import Mapping
from typing import Any, ClassVar

from apprise.plugins.base import NotifyBase

from channels.adapters.base import OutgoingRequest
from channels.adapters.coded_answer import CodedAnswer
from channels.message import Message
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits, RenderedText

# Feishu open platform, "Custom bot usage guide": a request of at most 20 KB, its JSON and escapes included.
TEXT_BYTES = 18_000
# The same page: 100 messages a minute and five a second; five in three seconds keep both.
MESSAGES, SECONDS = 5, 3.0


class Feishu(CodedAnswer):
    """A custom bot gives no id, so a publication on it stays in doubt until a person has looked."""

    code: ClassVar[tuple[str, ...]] = ("code", "StatusCode")
    later: ClassVar[Mapping[int, float | None]] = {11232: 60.0, 1000: None}
    words: ClassVar[tuple[str, ...]] = ("msg", "StatusMessage")

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """A text message has no title."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=0)

    def rate(self, service: Any) -> RateLimit:
        """Counted by bot, so by its token."""
        return RateLimit(MESSAGES, SECONDS, f"{service.schema}/{service.token}")

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:
        """Nothing but the encoding: Apprise writes a Chinese character as six bytes, we as three."""
