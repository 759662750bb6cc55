"""`bark://` and `barks://`: push messages to iPhones."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from apprise.plugins.base import NotifyBase

from channels.adapters.base import OutgoingRequest
from channels.adapters.coded_answer import CodedAnswer
from channels.message import Message
from channels.rendering import MessageLimits, RenderedText

# Apple, "Generating a remote notification": 4,096 bytes in all, Bark's own fields among them.
TEXT_BYTES = 2_800


class Bark(CodedAnswer):
    """Urgent messages are `critical`: they ring though the phone is muted. A repeat replaces what it repeats."""

    code: ClassVar[tuple[str, ...]] = ("code",)
    taken: ClassVar[frozenset[int]] = frozenset({200})
    later: ClassVar[Mapping[int, float | None]] = {429: None, 500: None}

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Title and text share the room."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=250, shared=True)

    def wakes(self, service: NotifyBase) -> bool:  # noqa: ARG002 - all of them
        """`critical` sounds in silent mode too."""
        return True

    def prepare_call(self, call: Any, message: Message) -> None:
        """Level and link of this one message; no icon, which each phone would fetch from a public server."""
        super().prepare_call(call, message)
        call.include_image = call.include_image and bool(call.icon)
        if message.urgent:
            call.level = "critical"
        if message.link and not call.click:
            call.click = message.link

    def amend(self, call: Any, request: OutgoingRequest, message: Message, text: RenderedText) -> None:  # noqa: ARG002 - as base
        """Bark, "Push parameters": a message with the `id` of an earlier one takes its place."""
        if message.key and "ciphertext" not in request.payload:
            request.payload["id"] = hashlib.sha256(message.key.encode()).hexdigest()[:32]
