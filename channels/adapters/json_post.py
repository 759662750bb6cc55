"""`json://` and `jsons://`: a JSON object posted to an address of one's own (also the built-in inbox)."""

from typing import Any

import requests

from channels.adapters.base import HttpAdapter
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.wire_verdicts import receipt_of


class JsonPost(HttpAdapter):
    """Adds the fields `key` and `drill`; the receipt is `id` or `url` of the JSON object in the answer."""

    def prepare_call(self, call: Any, message: Message) -> None:
        """Add our fields; a field of the same name in the configuration (`:key=...`) stays as it is there."""
        call.payload_extras = {"key": message.key, "drill": message.drill, **call.payload_extras}

    def accept(self, response: requests.Response) -> SendOutcome:
        """Any 2xx means taken."""
        return SendOutcome(SendVerdict.SENT, receipt_of(response, "id", "url"), f"answered {response.status_code}")
