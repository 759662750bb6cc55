"""Request guard before the application: body size, cross-site requests, security headers. Plain ASGI."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.installation import Installation
from web.auth.authentication import allowed_hosts, cookie_name, host_name, is_secure

LONGEST_BODY = 1024 * 1024
BODY_SECONDS = 20.0  # for which a body may take: half a megabit a second is enough, and who trickles holds nothing up
_FOREIGN = (403, "this request comes from a page of another site: use Tocsin's own address")
_DISCARDED = 64 * 1024 * 1024  # so much of a body that is too long is read away, that its sender hears why
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


# Their address holds a secret, which is the right to them; a browser told to send no referrer says `Origin: null`.
_OPEN_FORMS = ("/login", "/status/subscribe")  # sent by our own pages, without a session
SECRET_PATHS = ("/a/", "/login/link/", "/login/sso/", "/status/confirm/", "/status/leave/")


class RequestGuard:
    """ASGI middleware that refuses oversized and cross-site requests and sets security headers."""

    def __init__(self, app: ASGIApp, installation: Installation) -> None:
        self._app = app
        self._installation = installation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send, scope["path"], strict=is_secure(self._installation))
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope["path"], headers)
        if refusal:
            await _refuse(send, *refusal)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _whole_body(headers, receive)
        except TimeoutError:
            await _refuse(send, 408, f"the request did not come whole within {BODY_SECONDS:g} seconds: send it again")
            return
        if body is None:
            await _refuse(send, 413, f"the request is larger than {LONGEST_BODY} bytes: send less, or a link to it")
            return
        await self._app(scope, _replay(body, receive), send)

    def _foreign(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """Refusal of a cross-site request: no foreign page may give commands in the viewer's name."""
        if path.startswith(SECRET_PATHS):
            return None
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if path.startswith(("/api/", "/inbox/")) and kind != "application/json":
            return 415, "send JSON, with the header `Content-Type: application/json`"
        if path in _OPEN_FORMS or (
            cookie_name(self._installation) in _cookies(headers) and "authorization" not in headers
        ):
            return None if self._ours(headers) else _FOREIGN
        origin = headers.get("origin")
        if origin is None:
            return None
        host = (urlsplit(origin).hostname or "").lower()
        ours = host in allowed_hosts(self._installation) or (
            host and host == host_name(headers) and "authorization" in headers
        )
        return None if ours else _FOREIGN

    def _ours(self, headers: Headers) -> bool:
        """Whether the browser says that one of our own pages sends this. One that does not say so is not believed."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = headers.get("origin", "")
        if not origin or origin == "null":
            return False
        public = self._installation.settings.public_url
        return _origin(origin) == _origin(public) or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    return parts.scheme, (parts.hostname or "").lower(), port


def _cookies(headers: Headers) -> set[str]:
    """The names of the cookies that were sent."""
    sent = ";".join(headers.getlist("cookie"))
    return {part.partition("=")[0].strip() for part in sent.split(";")}


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


def _with_headers(send: Send, path: str, *, strict: bool) -> Send:
    # A form's browser says whence it comes only where it may send a referrer: to us it may, to nobody else.
    referrer = "no-referrer" if path.startswith(SECRET_PATHS) else "same-origin"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("referrer-policy", referrer)
            if strict:  # people come by HTTPS: their browsers shall never try it otherwise
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await send(message)

    return sending


async def _refuse(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    length = (b"content-length", str(len(body)).encode())
    headers = [(b"content-type", b"application/json"), length, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
