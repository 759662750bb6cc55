"""The gate before the application: size of bodies, foreign pages, headers on every answer. Plain ASGI."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.house import House
from web.asking import allowed_hosts, host_of

LONGEST_BODY = 1024 * 1024
_DISCARDED = 64 * 1024 * 1024  # so much of a body that is too long is read away, that its sender hears why
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope["path"], headers)
        if refusal:
            await _refuse(send, *refusal)
            return
        body = await _whole_body(headers, receive)
        if body is None:
            await _refuse(send, 413, f"the request is larger than {LONGEST_BODY} bytes: send less, or a link to it")
            return
        await self._app(scope, _replay(body, receive), send)

    def _foreign(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """A page of somebody else's must not be able to give commands in the name of whoever looks at it."""
        if path.startswith("/a/"):
            # Its token is the right to it; a browser told to send no referrer says `Origin: null` here.
            return None
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if path.startswith(("/api/", "/inbox/")) and kind != "application/json":
            return 415, "send JSON, with the header `Content-Type: application/json`"
        origin = headers.get("origin")
        if origin is None:
            return None
        host = (urlsplit(origin).hostname or "").lower()
        ours = host in allowed_hosts(self._house) or (host and host == host_of(headers) and "authorization" in headers)
        return None if ours else (403, "this request comes from a page of another site: use Tocsin's own address")


async def _whole_body(headers: Headers, receive: Receive) -> bytes | None:
    """The body, or None if it is too long: then it is read away, and never held."""
    announced = headers.get("content-length", "0")
    too_long = not announced.isdigit() or int(announced) > LONGEST_BODY
    chunks: list[bytes] = []
    seen = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        seen += len(chunk)
        if seen > LONGEST_BODY:
            too_long = True
        if too_long:
            chunks.clear()
        else:
            chunks.append(chunk)
        if not message.get("more_body") or seen > _DISCARDED:
            return None if too_long else b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _refuse(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    length = (b"content-length", str(len(body)).encode())
    headers = [(b"content-type", b"application/json"), length, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
