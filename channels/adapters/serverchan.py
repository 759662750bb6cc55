"""`schan://`: ServerChan (Server酱), which pushes to WeChat."""

from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from apprise.plugins.base import NotifyBase

from channels.adapters.base import OutgoingRequest
from channels.adapters.coded_answer import CodedAnswer
from channels.message import Message
from channels.outcome import one_line
from channels.rendering import MessageLimits, RenderedText
from channels.wire_verdicts import json_object

# ServerChan, "SendKey and API": `title` at most 32 characters, `desp` at most 32 KB.
TITLE_CHARACTERS = 32
TEXT_BYTES = 32_000


class ServerChan(CodedAnswer):
    """The receipt is the push id. Its day's allowance used up is a refusal: tomorrow is too late."""

    code: ClassVar[tuple[str, ...]] = ("code", "errno")
    later: ClassVar[Mapping[int, float | None]] = {-1: None}
    words: ClassVar[tuple[str, ...]] = ("message", "info", "errmsg")

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """The whole title is the first line of the text; as much of it as there is room for stands above."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=0)

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """A title it must have, and `desp` is markdown, in which a single line break is none."""
        request.payload["title"] = one_line(text.body.strip().split("\n", 1)[0], TITLE_CHARACTERS)
        if not message.public:
            request.payload["desp"] = text.body.replace("\n", "\n\n")

    def receipt(self, response: requests.Response) -> str | None:
        """`data.pushid`."""
        data = json_object(response).get("data")
        pushed = data.get("pushid") if isinstance(data, dict) else None
        return str(pushed) if pushed else None
