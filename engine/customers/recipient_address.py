"""Recipient address: one customer's contact put into a channel's address, in place of its stand-in.

The contact lives in this call alone: no file, no cache, no log. A contact cannot add anything to the
address, because the channel was read before: it replaces a value within it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.redaction import suppress_logs
from channels.rendering import render

_KINDS = (str, list, tuple, set, frozenset, dict)


def send_to_recipient(
    directory: ChannelDirectory,
    tag: str,
    placeholder: str,
    recipient: str,
    message: Message,
    headers: Mapping[str, str] | None = None,
) -> SendOutcome:
    """Send one message to one recipient by the channel of that tag, once; `headers` go along where it takes some.

    Refused where there is no such channel, or its address has no place for a recipient: then every customer's survey
    would go to one and the same address.
    """
    channel = directory.outlet(tag)
    if channel is None:
        return SendOutcome(SendVerdict.REFUSED, detail=f"no channel `{tag}`: add it to the channel file")
    service = copy.copy(channel.service)
    filled = False
    for name, value in vars(channel.service).items():
        if isinstance(value, _KINDS) and name != "tags":
            new = _filled(value, placeholder, recipient)
            if new != value:
                setattr(service, name, new)
                filled = True
    if not filled:
        detail = f"the address of `{tag}` has no {placeholder} in it: put it where the customer's contact belongs"
        return SendOutcome(SendVerdict.REFUSED, detail=detail)
    if headers and isinstance(known := getattr(service, "headers", None), dict):
        setattr(service, "headers", {**known, **headers})  # noqa: B010 - services without headers have no such name
    with suppress_logs():  # what is sent with may print an address; no filter knows this one
        outcome = channel.adapter.send(service, message, render(message, channel.limits))
    if outcome.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED):
        return SendOutcome(outcome.verdict)  # a receipt or an answer may repeat the address
    return SendOutcome(outcome.verdict, detail=_without(outcome.detail, recipient), retry_after=outcome.retry_after)


def _filled(value: Any, placeholder: str, recipient: str) -> Any:
    if isinstance(value, str):
        value = value.replace(placeholder, recipient)
        return value.replace(quote(placeholder, safe=""), quote(recipient, safe=""))
    if isinstance(value, dict):
        return {
            _filled(key, placeholder, recipient): _filled(one, placeholder, recipient) for key, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_filled(one, placeholder, recipient) for one in value)
    return value


def _without(detail: str, recipient: str) -> str:
    for form in (recipient, quote(recipient, safe=""), quote(recipient), recipient.lstrip("+")):
        detail = detail.replace(form, "***")
    return detail
