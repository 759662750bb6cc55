"""Slack, Teams, Telegram, PagerDuty, Opsgenie, Twilio, Bark, ntfy, generic JSON, and one without an adapter."""

from __future__ import annotations

import base64
import html
import xml.etree.ElementTree as ET
from typing import ClassVar

from tests.receivers import Behaviour, Received
from tests.services.base import Service, require, shown_by_markdown

B = Behaviour


def shown(attachment: dict[str, str]) -> str:
    """What Slack shows of an attachment: bare `<` would be a command to it."""
    for text in (attachment.get("title", ""), attachment["text"]):
        require("<" not in text, B(status=400, body="invalid_blocks"))
    return html.unescape("\n".join(filter(None, (attachment.get("title"), attachment["text"]))))


class SlackWebhook(Service):
    name = "Slack webhook"
    page = "Slack API, Sending messages using incoming webhooks; Rate limits"
    hosts = ("hooks.slack.com",)
    address = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    limit = 40_000
    counts_characters = True
    by_status = B(status=404, body="no_service")
    limited = B(status=429, body="rate_limited", headers={"Retry-After": "30"})

    def text_of(self, request: Received) -> str:
        right = ("POST", "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
        require((request.method, request.path) == right, B(status=403, body="invalid_token"))
        require("json" in request.headers["content-type"], B(status=400, body="invalid_payload"))
        (attachment,) = request.json["attachments"]
        return shown(attachment)

    def taken(self, request: Received) -> Behaviour:
        return B(body="ok")


class SlackBot(Service):
    name = "Slack bot"
    page = "Slack API, chat.postMessage; users.lookupByEmail; Rate limits"
    hosts = ("slack.com",)
    address = "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/#ops/alice@example.org"
    limit = 40_000
    asks_first = True
    counts_characters = True
    in_200 = B(json={"ok": False, "error": "not_in_channel"})
    by_status = B(status=403, body="forbidden_ip")
    limited = B(status=429, json={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "30"})

    def text_of(self, request: Received) -> str | None:
        bearer = "Bearer xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d"
        require(request.headers.get("authorization") == bearer, B(json={"ok": False, "error": "invalid_auth"}))
        if request.path == "/api/users.lookupByEmail":
            return None
        require((request.method, request.path) == ("POST", "/api/chat.postMessage"), B(status=404))
        require(request.json.get("channel") in {"#ops", "U1234"}, B(json={"ok": False, "error": "channel_not_found"}))
        (attachment,) = request.json["attachments"]
        return shown(attachment)

    def aside(self, request: Received) -> Behaviour:
        return B(json={"ok": True, "user": {"id": "U1234", "profile": {"email": "alice@example.org"}}})

    def taken(self, request: Received) -> Behaviour:
        return B(json={"ok": True, "channel": "C1H9RESGL", "ts": f"150348.{request.number:06}", "message": {}})


class Teams(Service):
    name = "Teams workflow"
    page = "Microsoft Teams, Create incoming webhooks with Workflows; Azure Logic Apps, Request trigger, Limits"
    hosts = ("prod-1.westus.logic.azure.com",)
    address = "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944/signature0123"
    limit = 28 * 1024
    by_status = B(status=401, json={"error": {"code": "DirectApiAuthorizationRequired", "message": "bad sig"}})
    limited = B(status=429, json={"error": {"code": "WorkflowTriggerRateLimited"}}, headers={"Retry-After": "15"})

    def text_of(self, request: Received) -> str:
        right = ("POST", "/workflows/643e69f83c8944/triggers/manual/paths/invoke")
        require((request.method, request.path) == right, B(status=404, json={"error": {"code": "WorkflowNotFound"}}))
        require(request.query.get("sig") == "signature0123", self.by_status)
        require(len(request.body) <= self.limit, B(status=413))
        (attachment,) = request.json["attachments"]
        require(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", B(status=400))
        blocks = attachment["content"]["body"]
        require(all(block["type"] == "TextBlock" for block in blocks), B(status=400))
        # In a card's markdown a line ends where an empty one follows.
        return "\n".join(shown_by_markdown(str(block["text"])) for block in blocks)

    def taken(self, request: Received) -> Behaviour:
        run = f"0858{request.number:06}CU01"
        return B(status=202, body="", headers={"x-ms-workflow-run-id": run})


class Telegram(Service):
    name = "Telegram"
    page = "Telegram Bot API, sendMessage; ResponseParameters; Bots FAQ, limits"
    hosts = ("api.telegram.org",)
    address = "tgram://123456789:abcdefg_hijklmnop/12315544/"
    limit = 4096
    counts_characters = True
    in_200 = B(json={"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
    by_status = B(status=403, json={"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked"})
    limited = B(
        status=429,
        json={"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 35}},
    )

    def text_of(self, request: Received) -> str:
        right = ("POST", "/bot123456789:abcdefg_hijklmnop/sendMessage")
        unauthorized = {"ok": False, "error_code": 401, "description": "Unauthorized"}
        require((request.method, request.path) == right, B(status=401, json=unauthorized))
        bad = B(status=400, json={"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities"})
        require("parse_mode" not in request.json, bad)
        require(str(request.json["chat_id"]) == "12315544", self.by_status)
        return str(request.json["text"])

    def taken(self, request: Received) -> Behaviour:
        posted = {"message_id": request.number + 7, "chat": {"id": 12315544, "type": "private"}}
        return B(json={"ok": True, "result": posted})

    def too_long(self) -> Behaviour:
        words = "Bad Request: message is too long"
        return B(status=400, json={"ok": False, "error_code": 400, "description": words})


class PagerDuty(Service):
    name = "PagerDuty"
    page = "PagerDuty Developer, Events API v2, Send an alert event; PD-CEF"
    hosts = ("events.pagerduty.com",)
    address = "pagerduty://0123456789abcdef0123456789abcdef@z+20charactersapikey/"
    limit = 1024
    counts_characters = True
    by_status = B(status=400, json={"status": "invalid event", "message": "Event object is invalid", "errors": []})
    limited = B(status=429, json={"status": "throttle exceeded", "message": "Requests exceed rate limit"})

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.alerts: dict[str, int] = {}

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/v2/enqueue"), B(status=404))
        event = request.json
        require(event["routing_key"] == "0123456789abcdef0123456789abcdef", self.by_status)
        require(event["event_action"] == "trigger", self.by_status)
        require(0 < len(event["dedup_key"]) <= 255, self.by_status)
        require(event["payload"]["severity"] in {"critical", "error", "warning", "info"}, self.by_status)
        return str(event["payload"]["summary"])

    def taken(self, request: Received) -> Behaviour:
        key = request.json["dedup_key"]
        self.alerts[key] = self.alerts.get(key, 0) + 1
        return B(status=202, json={"status": "success", "message": "Event processed", "dedup_key": key})


class Opsgenie(Service):
    name = "Opsgenie"
    page = "Opsgenie, Alert API, Create alert; Rate limiting"
    hosts = ("api.opsgenie.com",)
    address = "opsgenie://eb243592-faa2-4ba2-a551q-1afdf565c889"
    limit = 15_000
    counts_characters = True
    by_status = B(status=422, json={"message": "Request body is not processable", "took": 0.0, "requestId": "x-1"})
    limited = B(status=429, json={"message": "You are making too many requests!", "took": 0.0, "requestId": "x-2"})

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/v2/alerts"), B(status=404))
        key = "GenieKey eb243592-faa2-4ba2-a551q-1afdf565c889"
        require(request.headers.get("authorization") == key, B(status=403, json={"message": "Key not valid"}))
        alert = request.json
        require(0 < len(alert["message"]) <= 130, self.by_status)
        require(0 < len(alert["alias"]) <= 512, self.by_status)
        self.title = str(alert["message"])
        return str(alert["description"])

    def taken(self, request: Received) -> Behaviour:
        return B(
            status=202, json={"result": "Request will be processed", "took": 0.3, "requestId": f"q-{request.number}"}
        )


class TwilioSms(Service):
    name = "Twilio SMS"
    page = "Twilio, Messages resource; Error and warning dictionary"
    hosts = ("api.twilio.com",)
    address = "twilio://AC" + "a1" * 16 + ":" + "b2" * 16 + "@15551230000/15551230001"
    limit = 1600
    counts_characters = True
    in_200: ClassVar[Behaviour | None] = B(status=201, json={"sid": "SM1", "status": "failed", "error_code": 30003})
    by_status = B(status=400, json={"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})
    limited = B(status=429, json={"code": 20429, "message": "Too Many Requests", "status": 429})
    resource = "Messages"

    def text_of(self, request: Received) -> str:
        right = ("POST", f"/2010-04-01/Accounts/AC{'a1' * 16}/{self.resource}.json")
        require((request.method, request.path) == right, B(status=404, json={"code": 20404, "message": "not found"}))
        basic = base64.b64encode(f"AC{'a1' * 16}:{'b2' * 16}".encode()).decode()
        require(request.headers.get("authorization") == f"Basic {basic}", B(status=401, json={"code": 20003}))
        require(request.form["To"].lstrip("+") == "15551230001", self.by_status)
        return self.said(request)

    def said(self, request: Received) -> str:
        """What the person gets."""
        return request.form["Body"]

    def taken(self, request: Received) -> Behaviour:
        sid = f"SM{request.number:032x}"
        return B(status=201, json={"sid": sid, "status": "queued", "error_code": None, "error_message": None})

    def too_long(self) -> Behaviour:
        return B(status=400, json={"code": 21617, "message": "exceeds the 1600 character limit", "status": 400})


class TwilioCall(TwilioSms):
    name = "Twilio voice"
    page = "Twilio, Calls resource; TwiML, Say"
    address = TwilioSms.address + "?method=call"
    limit = 4000
    in_200: ClassVar[Behaviour | None] = B(status=201, json={"sid": "CA1", "status": "canceled"})
    resource = "Calls"

    def said(self, request: Received) -> str:
        """What is read out: TwiML that is none is taken, and the call ends in "an application error"."""
        require(len(request.form["Twiml"]) <= self.limit, self.too_long())
        try:
            (say,) = ET.fromstring(request.form["Twiml"]).iter("Say")  # noqa: S314 - our own
        except (ET.ParseError, ValueError):
            return "we are sorry, an application error has occurred"
        assert say.get("language") in {"en-US", "zh-CN"}
        return say.text or ""


class Bark(Service):
    name = "Bark"
    page = "Bark server, API v2; Apple, Generating a remote notification"
    address = "bark://{host}/deviceKey0123"
    limit = 4096
    in_200 = B(json={"code": 400, "message": "failed to get device token", "timestamp": 1})
    by_status = B(status=400, json={"code": 400, "message": "device key is empty", "timestamp": 1})
    limited = B(status=429, json={"code": 429, "message": "Too Many Requests"}, headers={"Retry-After": "9"})

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/push"), B(status=404))
        require(request.json["device_key"] == "deviceKey0123", self.in_200)
        require(len(request.body) <= self.limit, B(status=500, json={"code": 500, "message": "PayloadTooLarge"}))
        return f"{request.json['title']}\n{request.json['body']}"

    def taken(self, request: Received) -> Behaviour:
        return B(json={"code": 200, "message": "success", "timestamp": 1})


class Ntfy(Service):
    name = "ntfy"
    page = "ntfy documentation, Publishing; Limitations"
    address = "ntfy://{host}/alice"
    limit = 4096
    by_status = B(status=403, json={"code": 40301, "http": 403, "error": "forbidden"})
    limited = B(status=429, json={"code": 42901, "http": 429, "error": "limit reached"}, headers={"Retry-After": "5"})

    def text_of(self, request: Received) -> str:
        require(request.method == "POST" and request.json["topic"] == "alice", B(status=404))
        self.title = request.json.get("title", "")
        return str(request.json["message"])

    def taken(self, request: Received) -> Behaviour:
        return B(json={"id": f"n{request.number:011}", "time": 1, "event": "message", "topic": "alice"})


class Json(Service):
    name = "JSON (one's own)"
    page = "Tocsin: any 2xx is yes, `id` or `url` of the answer is the receipt"
    address = "json://{host}/alice"
    limit = 32_768
    by_status = B(status=403, json={"error": "no"})
    limited = B(status=429, headers={"Retry-After": "7"}, json={"error": "later"})

    def text_of(self, request: Received) -> str:
        return str(request.json["message"])

    def taken(self, request: Received) -> Behaviour:
        return B(json={"id": f"r-{request.number}"})


class Unknown(Json):
    name = "any other (here XML)"
    page = "none: nobody has checked how it says no"
    address = "xml://{host}/alice"

    def text_of(self, request: Received) -> str:
        found = ET.fromstring(request.body).find(".//{*}Message")  # noqa: S314 - our own
        assert found is not None
        return found.text or ""


WESTERN = (
    SlackWebhook, SlackBot, Teams, Telegram, PagerDuty, Opsgenie, TwilioSms, TwilioCall, Bark, Ntfy, Json, Unknown,
)  # fmt: skip
