"""`wecombot://`: a robot in a WeCom group (企业微信群机器人)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from apprise.plugins.base import NotifyBase

from channels.adapters.coded_answer import CodedAnswer
from channels.rate_limits import RateLimit
from channels.rendering import MessageLimits

# WeCom developer centre, "Group robot configuration": the text of a message, at most 2,048 bytes in UTF-8.
TEXT_BYTES = 2048
# The same page: 20 messages a minute of one robot.
A_MINUTE = 20


class WeComRobot(CodedAnswer):
    """A robot gives no id, so a publication on it stays in doubt until a person has looked."""

    later: ClassVar[Mapping[int, float | None]] = {-1: None, 45009: 60.0, 45033: 60.0}

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """A text message has no title."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=0)

    def rate(self, service: Any) -> RateLimit:
        """Counted by robot, so by its key."""
        return RateLimit(A_MINUTE, 60.0, f"wecombot/{service.key}")
