"""`wecomapp://CORPID:SECRET@AGENTID/USER/USER`: an application of WeCom (企业微信应用消息).

It reaches people by name. Apprise has the robot only, so the plugin is ours. WeCom developer centre: "Get access_token"
(`gettoken`, valid for 7,200 s, to be kept) and "Send application messages" (`message/send`, text of at most 2,048
bytes).
"""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode, urlsplit

import requests
from apprise import NotifyType
from apprise.plugins.base import NotifyBase

from channels import transport
from channels.adapters.coded_answer import CodedAnswer
from channels.adapters.plugin import OwnPlugin
from channels.outcome import SendOutcome, SendVerdict
from channels.redaction import redactor
from channels.rendering import MessageLimits
from channels.wire_verdicts import json_object

TEXT_BYTES = 2048
HOST = "https://qyapi.weixin.qq.com"
_TOKEN_MARGIN_SECONDS = 120.0
# The token is not or no longer valid: fetched anew, once.
_STALE = {40014, 41001, 42001}


class NotifyWeComApp(OwnPlugin):
    """The plugin as Apprise wants it: reads the address, keeps the token, posts one text."""

    service_name = "WeCom application"
    service_url = "https://work.weixin.qq.com/"
    secure_protocol = "wecomapp"
    setup_url = "https://developer.work.weixin.qq.com/document/path/90236"
    title_maxlen = 0
    body_maxlen = TEXT_BYTES
    templates = ("{schema}://{user}:{password}@{agent}/{targets}",)
    template_tokens: ClassVar[dict[str, Any]] = {
        **NotifyBase.template_tokens,
        "user": {"name": "Corporation id", "type": "string", "required": True},
        "password": {"name": "Application secret", "type": "string", "private": True, "required": True},
        "agent": {"name": "Agent id", "type": "string", "required": True, "regex": (r"^[0-9]+$", "")},
        "targets": {"name": "User ids", "type": "list:string", "required": True},
    }

    def __init__(self, agent: str, targets: list[str], **kwargs: Any) -> None:
        """Raises TypeError if part of the address is missing, as Apprise expects."""
        super().__init__(**kwargs)
        if not (self.user and self.password and re.fullmatch(r"\d+", agent) and targets):
            raise TypeError("a WeCom application is wecomapp://CORPID:SECRET@AGENTID/USER")
        self.agent, self.targets = agent, targets
        # Shared by the copies that adapters make of this object.
        self.held: dict[str, Any] = {"token": "", "until": 0.0, "lock": threading.Lock()}

    def send(self, body: str, title: str = "", notify_type: NotifyType = NotifyType.INFO, **_: Any) -> bool:  # noqa: ARG002
        """Post `body` to all of its people in one request; whether anything was posted."""
        token = self._token("")
        if not token:
            return False
        answer = self._post(body, token)
        if answer.get("errcode") in _STALE:
            token = self._token(token)
            if token:
                self._post(body, token)
        return True

    def _post(self, body: str, token: str) -> dict[str, Any]:
        payload = {
            "touser": "|".join(self.targets),
            "msgtype": "text",
            "agentid": int(self.agent),
            "text": {"content": body},
        }
        url = f"{HOST}/cgi-bin/message/send"
        return json_object(self.ask("POST", url, params={"access_token": token}, json=payload))

    def _token(self, stale: str) -> str:
        """The token kept, or a new one if that is `stale` or old; empty if there is none to be had."""
        with self.held["lock"]:
            if self.held["token"] in {"", stale} or time.monotonic() > self.held["until"]:
                params = {"corpid": self.user, "corpsecret": self.password}
                got = json_object(self.ask("GET", f"{HOST}/cgi-bin/gettoken", params=params))
                self.held["token"] = str(got.get("access_token") or "")
                redactor.learn({self.held["token"]})  # it stands in the query of every message
                self.held["until"] = time.monotonic() + float(got.get("expires_in") or 0) - _TOKEN_MARGIN_SECONDS
            return str(self.held["token"])

    def url(self, privacy: bool = False, *_: Any, **__: Any) -> str:  # noqa: FBT001, FBT002 - Apprise's signature
        """The address again, its secret hidden if `privacy`."""
        secret = self.pprint(self.password, privacy) if privacy else quote(self.password or "", safe="")
        people = "/".join(quote(target, safe="") for target in self.targets)
        who = quote(self.user or "", safe="")
        return f"{self.secure_protocol}://{who}:{secret}@{self.agent}/{people}/?{urlencode(self.url_parameters())}"

    @staticmethod
    def parse_url(url: str, *_: Any, **__: Any) -> dict[str, Any] | None:
        """The address as arguments of the constructor."""
        results: dict[str, Any] | None = NotifyBase.parse_url(url, verify_host=False)
        if results:
            results["agent"] = unquote(results["host"])
            results["targets"] = [unquote(part) for part in (results["fullpath"] or "").split("/") if part]
        return results


class WeComApp(CodedAnswer):
    """The receipt is `msgid`. WeCom's own check for repeats goes by content and would swallow a reminder: not used."""

    later: ClassVar[Mapping[int, float | None]] = {-1: None, 45009: 60.0}
    receipts: ClassVar[tuple[str, ...]] = ("msgid",)

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """A text message has no title."""
        return MessageLimits(body_bytes=TEXT_BYTES, title_bytes=0)

    def delivers(self, url: str) -> bool:
        """Fetching the token comes before."""
        return urlsplit(url).path != "/cgi-bin/gettoken"

    def _judge(self, exchange: transport.SendExchange, *, public: bool) -> SendOutcome:
        """A token that was no longer valid was fetched anew: what came of the first try no longer counts."""
        last = exchange.attempts[-1:]
        exchange.attempts = [
            attempt
            for attempt in exchange.attempts
            if attempt in last or attempt.response is None or self.code_of(attempt.response) not in _STALE
        ]
        return super()._judge(exchange, public=public)

    def accept(self, response: requests.Response) -> SendOutcome:
        """Code 0 with people it could not reach is no plain yes."""
        outcome = super().accept(response)
        missing = json_object(response).get("invaliduser") or json_object(response).get("unlicenseduser")
        if outcome.verdict is SendVerdict.SENT and missing:
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"code 0, but not everybody was reached: {missing}")
        return outcome
