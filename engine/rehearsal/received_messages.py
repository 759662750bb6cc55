"""Messages that the sandbox received, each with the purpose that it states."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.rendering import DRILL_MARK, DUPLICATE_MARKS

PUBLISH = "publish"
_LINK = re.compile(r"https?://[^\s<>\"]+/a/[A-Za-z0-9_.~-]+")


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as it was received."""

    id: int
    box: str
    at: float  # seconds of the rehearsed clock since the declaration
    step: str
    purpose: str  # `publish` for a publication
    person: str  # of a publication: the official channel
    key: str  # the same for every copy of the same message, on whichever channel
    title: str
    body: str
    seen: bool = True  # False: a service took it, and nobody could look at it

    @property
    def is_public(self) -> bool:
        """Whether it is a publication."""
        return self.purpose == PUBLISH

    @property
    def is_drill(self) -> bool:
        """Whether it carries the drill mark where a reader sees it first."""
        return (self.title or self.body).startswith(DRILL_MARK)

    @property
    def is_repeat(self) -> bool:
        """Whether it says that it may be a repeat."""
        seen = self.title or self.body
        return any(mark in seen[: len(DRILL_MARK) + len(mark)] for mark in DUPLICATE_MARKS.values())

    @property
    def link(self) -> str:
        """The acknowledge link in it; empty for none."""
        found = _LINK.search(self.body)
        return found.group() if found else ""


def parse_message(message: Mapping[str, Any], ref: str, at: float) -> ReceivedMessage | None:
    """Parse a message of the inbox that is about incident `ref`; None if it is about anything else."""
    key = str(message["document"].get("key") or "")
    incident, _, rest = key.partition("/")
    if incident != ref:
        return None
    match rest.split("/")[1:]:
        case [stage, step, "publish", channel, _attempt]:
            about = (f"{stage}/{step}", PUBLISH, channel, key)
        case [stage, step, purpose, _number, person, _channel, _position]:
            about = (f"{stage}/{step}", purpose, person, _base(key))
        case [purpose, _number, person, _channel, _position]:
            about = ("", purpose, person, _base(key))
        case _:
            about = (key, "?", "", key)
    text = (str(message["title"]), str(message["body"]))
    return ReceivedMessage(int(message["id"]), str(message["name"]), at, *about, *text)


def _base(key: str) -> str:
    return key.rsplit("/", 2)[0]
