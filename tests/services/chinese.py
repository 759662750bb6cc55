"""DingTalk, WeCom, Feishu, Lark, ServerChan, PushPlus, Weibo: most answer 200 to everything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import Any

from tests.receivers import Behaviour, Received
from tests.services.base import Service, require, shown_by_markdown

B = Behaviour
SECRET, TOKEN = "SEC000111222aaabbb", "f00dfeed0123456789"


def errcode(code: int, message: str) -> Behaviour:
    """As DingTalk and WeCom say yes and no."""
    return B(json={"errcode": code, "errmsg": message})


class DingTalk(Service):
    name = "DingTalk robot"
    page = "DingTalk open platform, Custom robot access"
    hosts = ("oapi.dingtalk.com",)
    address = f"dingtalk://{SECRET}@{TOKEN}/"
    limit = 20_000
    in_200 = errcode(310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/doc]")
    by_status = B(status=400, json={"errcode": 400, "errmsg": "bad request"})
    limited = errcode(130101, "send too fast, exceed 20 times per minute")

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/robot/send"), B(status=404))
        require(request.query.get("access_token") == TOKEN, errcode(300005, "token is not exist"))
        stamp = request.query.get("timestamp", "0")
        digest = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), hashlib.sha256).digest()
        # The query is decoded once, as a server does: what was encoded twice is no signature any more.
        signed = request.query.get("sign") == base64.b64encode(digest).decode()
        require(signed and abs(time.time() * 1000 - int(stamp)) < 3_600_000, errcode(310000, "sign not match"))
        require("json" in request.headers["content-type"], errcode(43004, "require content type json"))
        require(request.json.get("msgtype") == "text", errcode(40035, "missing msgtype"))
        require(len(request.body) <= self.limit, errcode(460101, "message too long"))
        return str(request.json["text"]["content"])

    def taken(self, request: Received) -> Behaviour:
        return errcode(0, "ok")

    def too_long(self) -> Behaviour:
        return errcode(460101, "message too long")


class WeComRobot(Service):
    name = "WeCom robot"
    page = "WeCom developer centre, Group robot configuration"
    hosts = ("qyapi.weixin.qq.com",)
    address = "wecombot://693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
    limit = 2048
    in_200 = errcode(93000, "invalid webhook url, hint: [1604561480], from ip: 1.2.3.4")
    by_status = B(status=404, body="not found")
    limited = errcode(45009, "api freq out of limit")

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/cgi-bin/webhook/send"), B(status=404))
        require(request.query.get("key") == "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", errcode(93000, "invalid webhook"))
        require(request.json.get("msgtype") == "text", errcode(40008, "invalid message type"))
        return str(request.json["text"]["content"])

    def taken(self, request: Received) -> Behaviour:
        return errcode(0, "ok")

    def too_long(self) -> Behaviour:
        return errcode(40058, "invalid Request Parameter: text.content exceed max length 2048")


class WeComApp(Service):
    name = "WeCom application"
    page = "WeCom developer centre, Send application messages; Get access_token"
    hosts = ("qyapi.weixin.qq.com",)
    address = "wecomapp://ww1cfdd0a5:Secret-0123@1000002/alice/bob"
    limit = 2048
    asks_first = True
    in_200 = errcode(81013, "user & party & tag all invalid")
    by_status = B(status=403, json={"errcode": 60020, "errmsg": "not allow to access from your ip"})
    limited = errcode(45009, "api freq out of limit")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tokens = 0
        self.missing = ""

    def text_of(self, request: Received) -> str | None:
        if request.path == "/cgi-bin/gettoken":
            known = request.query == {"corpid": "ww1cfdd0a5", "corpsecret": "Secret-0123"}
            require(known, errcode(40001, "invalid credential"))
            return None
        require((request.method, request.path) == ("POST", "/cgi-bin/message/send"), B(status=404))
        require(request.query.get("access_token") == f"token-{self.tokens}", errcode(42001, "access_token expired"))
        document = request.json
        require((document["touser"], document["agentid"]) == ("alice|bob", 1000002), errcode(81013, "all invalid"))
        require(document["msgtype"] == "text", errcode(40008, "invalid message type"))
        return str(document["text"]["content"])

    def aside(self, request: Received) -> Behaviour:
        self.tokens += 1
        return B(json={"errcode": 0, "errmsg": "ok", "access_token": f"token-{self.tokens}", "expires_in": 7200})

    def taken(self, request: Received) -> Behaviour:
        return B(json={"errcode": 0, "errmsg": "ok", "invaliduser": self.missing, "msgid": f"m-{request.number}"})

    def too_long(self) -> Behaviour:
        return errcode(45002, "content size out of limit")


def code(number: int, message: str) -> Behaviour:
    """As Feishu and Lark say yes and no."""
    return B(json={"code": number, "data": {}, "msg": message})


class Feishu(Service):
    name = "Feishu bot"
    page = "Feishu open platform, Custom bot usage guide"
    hosts = ("open.feishu.cn",)
    address = "feishu://e9f7-abcd-1234"
    limit = 20 * 1024
    in_200 = code(19024, "Key Words Not Found")
    by_status = B(status=400, json={"code": 9499, "msg": "Bad Request", "data": {}})
    limited = code(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")

    def text_of(self, request: Received) -> str:
        hook = request.path.rstrip("/").rpartition("/")
        require((request.method, hook[0]) == ("POST", "/open-apis/bot/v2/hook"), B(status=404))
        require(hook[2] == self.address.rpartition("/")[2], code(19001, "param invalid: incoming webhook access token"))
        require(len(request.body) <= self.limit, code(9499, "Bad Request"))
        require(request.json.get("msg_type") == "text", code(19002, "params error, msg_type need"))
        return str(request.json["content"]["text"])

    def taken(self, request: Received) -> Behaviour:
        return B(json={"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})


class Lark(Feishu):
    name = "Lark bot"
    page = "Lark developer, Custom bot usage guide"
    hosts = ("open.larksuite.com",)
    address = "lark://e9f7-abcd-5678"


class ServerChan(Service):
    name = "ServerChan"
    page = "ServerChan, SendKey and API"
    hosts = ("sctapi.ftqq.com",)
    address = "schan://SCT1234Tabcdef"
    limit = 32 * 1024
    in_200 = B(json={"code": 40001, "message": "[AUTH]错误的Key", "info": "错误的Key", "args": [None]})
    by_status = B(status=400, json={"code": 40001, "message": "[AUTH]bad pushtoken", "info": "bad pushtoken"})
    limited = B(status=429, headers={"Retry-After": "20"}, body="Too Many Requests")

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/SCT1234Tabcdef.send"), self.by_status)
        title = request.form.get("title", "")
        require(0 < len(title) <= 32, B(json={"code": 20001, "message": "标题过长或为空"}))
        # `desp` is markdown: what is shown breaks a line only where there is an empty one.
        require(
            request.form["desp"].startswith(title.rstrip("…")), B(json={"code": 1, "message": "two different titles"})
        )
        return shown_by_markdown(request.form["desp"])

    def taken(self, request: Received) -> Behaviour:
        data = {"pushid": str(8600 + request.number), "readkey": "SCTx", "error": "SUCCESS", "errno": 0}
        return B(json={"code": 0, "message": "", "data": data})


class PushPlus(Service):
    name = "PushPlus"
    page = "PushPlus, Message interface; Return codes"
    hosts = ("www.pushplus.plus",)
    address = "pushplus://0123456789abcdef0123456789abcdef"
    limit = 20_000
    counts_characters = True
    in_200 = B(json={"code": 903, "msg": "无效的用户令牌", "data": None})
    by_status = B(status=403, json={"code": 403, "msg": "请求IP未授权", "data": None})
    # Said for the whole day; to go on makes it worse, so it is a refusal.
    limited = B(json={"code": 900, "msg": "用户账号使用受限", "data": None})

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/send"), B(status=404))
        document = json.loads(request.body)
        require(document["token"] == "0123456789abcdef0123456789abcdef", self.in_200 or B())
        require(0 < len(document["title"]) <= 100, B(json={"code": 999, "msg": "标题过长或为空", "data": None}))
        require(document["template"] == "txt", B(json={"code": 999, "msg": "行会丢失", "data": None}))
        return str(document["content"])

    def taken(self, request: Received) -> Behaviour:
        return B(json={"code": 200, "msg": "请求成功", "data": f"{request.number:032x}"})


class Weibo(Service):
    name = "Weibo"
    page = "Weibo open platform, statuses/share; Error code"
    hosts = ("api.weibo.com",)
    address = "weibo://2.00AbCdEf?rip=211.156.0.1"
    limit = 140
    counts_characters = True
    public_only = True
    in_200 = B(json={"request": "/2/statuses/share.json", "error_code": "20019", "error": "repeat content!"})
    by_status = B(status=400, json={"request": "/2/x", "error_code": 21332, "error": "invalid_access_token"})
    limited = B(status=403, json={"request": "/2/x", "error_code": 10023, "error": "User requests out of rate limit!"})

    def text_of(self, request: Received) -> str:
        require((request.method, request.path) == ("POST", "/2/statuses/share.json"), B(status=404))
        require(request.form.get("access_token") == "2.00AbCdEf", self._error(21332, "invalid_access_token"))
        require(request.form.get("rip") == "211.156.0.1", self._error(10008, "param error, see doc for more info"))
        text = request.form["status"]
        require(re.search(r"https://shop\.example/", text), self._error(10017, "parameter (status) needs a link"))
        require(not re.search(r"#.+#", text), self._error(20018, "contains topic"))
        return text

    def taken(self, request: Received) -> Behaviour:
        return B(json={"id": 3504803600500000 + request.number, "idstr": f"{3504803600500000 + request.number}"})

    def too_long(self) -> Behaviour:
        return self._error(20012, "content is too long!")

    @staticmethod
    def _error(number: int, words: str) -> Behaviour:
        return B(status=400, json={"request": "/2/statuses/share.json", "error_code": number, "error": words})


CHINESE = (DingTalk, WeComRobot, WeComApp, Feishu, Lark, ServerChan, PushPlus, Weibo)
