"""`form://` and `forms://`: the fields of an HTML form posted to an address of one's own."""

from typing import Any

import requests

from channels.adapters.base import HttpAdapter
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.wire_verdicts import receipt_of


class FormPost(HttpAdapter):
    """Adds the fields `key` and `drill` (`true` or `false`); the receipt is `id` or `url` of JSON."""

    def prepare_call(self, call: Any, message: Message) -> None:
        """Add our fields; a field of the same name in the configuration (`:key=...`) stays as it is there."""
        ours = {"key": message.key, "drill": "true" if message.drill else "false"}
        call.payload_extras = {**ours, **call.payload_extras}

    def accept(self, response: requests.Response) -> SendOutcome:
        """Any 2xx means taken."""
        return SendOutcome(SendVerdict.SENT, receipt_of(response, "id", "url"), f"answered {response.status_code}")
