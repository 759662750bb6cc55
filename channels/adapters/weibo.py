"""`weibo://ACCESS_TOKEN/?rip=IP`: the official account on Weibo. Apprise has no such plugin, so it is ours.

Weibo open platform, "statuses/share": POST of a text of at most 140 Chinese characters which holds a link to the
application's own safe domain and no `#topic#`; `rip` is the real address of whoever posts.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

import requests
from apprise import NotifyType
from apprise.plugins.base import NotifyBase

from channels.adapters.coded_answer import CodedAnswer
from channels.adapters.plugin import OwnPlugin
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits
from channels.wire_verdicts import receipt_of

TEXT_CHARACTERS = 140
URL = "https://api.weibo.com/2/statuses/share.json"
_LINK = re.compile(r"https?://[^\s<>\"]+")
_TOPIC = re.compile(r"#[^#\n]+#")


class NotifyWeibo(OwnPlugin):
    """The plugin as Apprise wants it: reads the address, posts one text."""

    service_name = "Weibo"
    service_url = "https://weibo.com/"
    secure_protocol = "weibo"
    setup_url = "https://open.weibo.com/wiki/2/statuses/share"
    title_maxlen = 0
    body_maxlen = TEXT_CHARACTERS
    templates = ("{schema}://{token}",)
    template_tokens: ClassVar[dict[str, Any]] = {
        **NotifyBase.template_tokens,
        "token": {"name": "Access Token", "type": "string", "private": True, "required": True},
    }
    template_args: ClassVar[dict[str, Any]] = {
        **NotifyBase.template_args,
        "rip": {"name": "Real IP of whoever posts", "type": "string", "map_to": "rip"},
    }

    def __init__(self, token: str, rip: str = "", **kwargs: Any) -> None:
        """`token`: of the account, by OAuth. Raises TypeError without one, as Apprise expects."""
        super().__init__(**kwargs)
        if not token or not re.fullmatch(r"[\w.-]+", token):
            raise TypeError("a Weibo access token is letters, digits, `_`, `.` and `-`")
        self.token, self.rip = token, rip

    def send(self, body: str, title: str = "", notify_type: NotifyType = NotifyType.INFO, **_: Any) -> bool:  # noqa: ARG002
        """Post `body`; whether Weibo answered 200."""
        form = {"access_token": self.token, "status": body, **({"rip": self.rip} if self.rip else {})}
        return bool(self.ask("POST", URL, data=form).ok)

    def url(self, privacy: bool = False, *_: Any, **__: Any) -> str:  # noqa: FBT001, FBT002 - Apprise's signature
        """The address again, its token hidden if `privacy`."""
        args = {**self.url_parameters(privacy=privacy), **({"rip": self.rip} if self.rip else {})}
        token = self.pprint(self.token, privacy) if privacy else quote(self.token, safe="")
        return f"{self.secure_protocol}://{token}/?{urlencode(args)}"

    @staticmethod
    def parse_url(url: str, *_: Any, **__: Any) -> dict[str, Any] | None:
        """The address as arguments of the constructor."""
        results: dict[str, Any] | None = NotifyBase.parse_url(url, verify_host=False)
        if results:
            results["token"] = unquote(results["host"])
            results["rip"] = results["qsd"].get("rip", "")
        return results


class Weibo(CodedAnswer):
    """The receipt is the post's id. A post that may already be out is never repeated."""

    code: ClassVar[tuple[str, ...]] = ("error_code",)
    # Weibo, "Error code": limits of address, user and interface, each counted by the hour; too many tasks pending.
    later: ClassVar[Mapping[int, float | None]] = {10022: 3600.0, 10023: 3600.0, 10024: 3600.0, 10009: 60.0}
    # System error, service unavailable, remote service, job expired, RPC: behind them it may have been posted.
    unsure: ClassVar[frozenset[int]] = frozenset({10001, 10002, 10003, 10010, 10011})
    words: ClassVar[tuple[str, ...]] = ("error",)
    receipts: ClassVar[tuple[str, ...]] = ("idstr", "mid", "id")

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Counted in characters, Latin ones as whole ones too: that is on the safe side."""
        return MessageLimits(body_bytes=4 * TEXT_CHARACTERS, title_bytes=0, characters=TEXT_CHARACTERS)

    def objection(self, message: Message) -> str | None:
        """What Weibo would refuse is said before it is sent, so that the draft can be mended."""
        if not message.public:
            return "Weibo is public: no notice to a person goes there, give them another channel"
        if not _LINK.search(message.body):
            return "Weibo takes a text only with a link to the application's own domain: add one"
        if _TOPIC.search(message.body):
            return "Weibo takes no #topic# from an application: remove it"
        return None

    def accept(self, response: requests.Response) -> SendOutcome:
        """The post itself, or an error."""
        if self.code_of(response) is not None:
            return super().accept(response)
        receipt = receipt_of(response, *self.receipts)
        if receipt is None:
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"answered {response.status_code} without the id of a post")
        return SendOutcome(SendVerdict.SENT, receipt, f"answered {response.status_code}")

    def refine(self, response: requests.Response, outcome: SendOutcome) -> SendOutcome:
        """Never again by itself after an answer that leaves it open, a `Retry-After` or not."""
        if response.status_code // 100 == 5 and self.code_of(response) not in self.later:  # noqa: PLR2004
            return SendOutcome(SendVerdict.UNKNOWN, detail=outcome.detail)
        return super().refine(response, outcome)
