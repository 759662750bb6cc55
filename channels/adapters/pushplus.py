"""`pushplus://`: PushPlus (推送加), which pushes to WeChat."""

from collections.abc import Mapping
from typing import Any, ClassVar

from apprise.plugins.base import NotifyBase

from channels.adapters.base import OutgoingRequest
from channels.adapters.coded_answer import CodedAnswer
from channels.message import Message
from channels.outcome import one_line
from channels.rendering import MessageLimits, RenderedText

# PushPlus, "Message interface": `title` at most 100 characters, `content` at most 20,000.
TITLE_CHARACTERS = 100
TEXT_CHARACTERS = 20_000


class PushPlus(CodedAnswer):
    """Code 200 is yes; `data`, its serial number of the message, is the receipt."""

    code: ClassVar[tuple[str, ...]] = ("code",)
    taken: ClassVar[frozenset[int]] = frozenset({200})
    # PushPlus, "Return codes": 900, the account is shut out for sending too often, is no "later": to go on sending
    # shuts it out for longer, for days in the end.
    later: ClassVar[Mapping[int, float | None]] = {500: None}
    receipts: ClassVar[tuple[str, ...]] = ("data",)

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Counted in characters; the whole title is the first line of the text."""
        return MessageLimits(body_bytes=4 * TEXT_CHARACTERS, title_bytes=0, characters=TEXT_CHARACTERS)

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """Without a title Apprise puts the whole text there."""
        request.payload["title"] = one_line(text.body.strip().split("\n", 1)[0], TITLE_CHARACTERS)
