"""Base of services that answer 200 to everything and put success or failure into the body."""

from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from apprise import NotifyFormat

from channels.adapters.base import HttpAdapter
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.wire_verdicts import json_object, receipt_of, retry_after


class CodedAnswer(HttpAdapter):
    """The answer is a JSON object with a code; a kind of service names its fields and codes.

    An answer without the code is not the service's own (a gateway, a log-in page): what became of the message is
    unknown.
    """

    code: ClassVar[tuple[str, ...]] = ("errcode",)
    """Fields that may hold the code, first choice first."""
    taken: ClassVar[frozenset[int]] = frozenset({0})
    """Codes that mean yes."""
    later: ClassVar[Mapping[int, float | None]] = {}
    """Codes that mean "not now", each with the seconds to wait as its documentation says; None if it does not."""
    unsure: ClassVar[frozenset[int]] = frozenset()
    """Codes after which it may have been delivered all the same."""
    words: ClassVar[tuple[str, ...]] = ("errmsg", "msg", "message")
    """Fields that may say why."""
    receipts: ClassVar[tuple[str, ...]] = ()
    """Fields that may hold an id of the message."""

    def prepare_call(self, call: Any, message: Message) -> None:  # noqa: ARG002 - of every message
        """Texts are plain, whatever format the configuration names: nothing of them is markup."""
        call.notify_format = NotifyFormat.TEXT

    def accept(self, response: requests.Response) -> SendOutcome:
        """Read the code."""
        code = self.code_of(response)
        if code is None:
            detail = f"answered {response.status_code} without a code: not the service's own answer"
            return SendOutcome(SendVerdict.UNKNOWN, detail=detail)
        if code in self.taken:
            return SendOutcome(
                SendVerdict.SENT, self.receipt(response), f"answered {response.status_code}, code {code}"
            )
        return self._refusal(response, code)

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:
        """A code that means "not now" says so under any status."""
        code = self.code_of(response)
        return outcome if code is None or code not in {*self.later, *self.unsure} else self._refusal(response, code)

    def receipt(self, response: requests.Response) -> str | None:
        """The id of the message, if the answer has one."""
        return receipt_of(response, *self.receipts)

    def code_of(self, response: requests.Response) -> int | None:
        """The code in the answer, None if there is none."""
        answer = json_object(response)
        for name in self.code:
            value = answer.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, str) and value.removeprefix("-").isdecimal():
                return int(value)
        return None

    def _refusal(self, response: requests.Response, code: int) -> SendOutcome:
        answer = json_object(response)
        why = next(
            (text for name in self.words if isinstance(text := answer.get(name), str) and text), "no reason given"
        )
        detail = f"answered {response.status_code}, code {code} ({why})"
        if code in self.unsure:
            return SendOutcome(SendVerdict.UNKNOWN, detail=detail)
        if code in self.later:
            asked = retry_after(response)
            return SendOutcome(
                SendVerdict.FAILED, detail=detail, retry_after=self.later[code] if asked is None else asked
            )
        return SendOutcome(SendVerdict.REFUSED, detail=detail)
