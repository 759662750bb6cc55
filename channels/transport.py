"""Shared HTTP transport behind every Apprise plugin; it records what happened on the wire.

Apprise plugins call `requests.post(...)` and answer True or False, which is too little to know whether a
message may be sent again. The name `requests` in each plugin's module is therefore replaced by a facade:
inside `record_exchange()` it sends through the shared session and notes status, headers, body, and whether
any byte of the request had left this machine when an error came. Outside of it the facade is `requests`
itself.

One transport serves all channels, since connections are pooled by host and port: three hundred owners on
one server share its sixteen connections instead of holding three hundred.
"""

import http.cookiejar
import ipaddress
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.utils
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from channels.outcome import SEND_SECONDS

CONNECT_SECONDS = 4.0
READ_SECONDS = 8.0
CONNECTIONS_PER_HOST = 16
HOSTS_KEPT = 64
# Servers close idle connections after 2 s (gunicorn) to 75 s (nginx). A request written on a connection that
# the server is closing just then has an unknown outcome, so only connections in use within a burst are used
# again.
IDLE_SECONDS = 1.5
# Answers are read for an id or a reason; more than this is somebody's web page.
BODY_BYTES = 262_144


@dataclass
class HttpAttempt:
    """One HTTP request that a plugin made.

    Attributes:
        response: The answer, body read; None if none came.
        error: What came instead of an answer.
        written: Whether any byte of the request may have left: if not, nothing can have been delivered.
        degraded: A redirect turned it into another method, so the message itself was not posted.
        url: Where to; it holds the token, and is never shown.
    """

    response: requests.Response | None = None
    error: BaseException | None = None
    written: bool = True
    degraded: bool = False
    url: str = field(default="", repr=False)


Amend = Callable[[str, dict[str, Any]], None]


@dataclass
class SendExchange:
    """Requests of one send, in order, and the deadline of the send (monotonic seconds)."""

    fresh: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    amend: Amend | None = None
    attempts: list[HttpAttempt] = field(default_factory=list)
    until: float = field(default_factory=lambda: time.monotonic() + SEND_SECONDS)

    def remaining(self, seconds: float) -> float:
        """Smaller of `seconds` and the time left for the send.

        Raises:
            TimeoutError: Nothing is left.
        """
        left = min(seconds, self.until - time.monotonic())
        if left <= 0:
            raise TimeoutError
        return left


_exchange: ContextVar[SendExchange | None] = ContextVar("tocsin_exchange", default=None)


@contextmanager
def record_exchange(
    *, fresh: bool = False, headers: dict[str, str] | None = None, amend: Amend | None = None
) -> Iterator[SendExchange]:
    """Record what plugins send on this thread.

    Args:
        fresh: Never reuse a kept connection: for what must not go out twice, where the race with a server
            that closes an idle connection would cost an `unknown`.
        headers: Put on every request that does not have them; most plugins take no header from outside.
        amend: Given URL and options of each request before it leaves; corrects what a plugin gets wrong.
    """
    exchange = SendExchange(fresh, headers or {}, amend)
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


class _Marking(HTTPConnection):
    """A connection that notes when bytes of a request leave, and is used again only while it is warm."""

    used_at = 0.0

    def connect(self) -> None:
        _note_written(written=False)
        try:
            super().connect()
        finally:
            # Whatever a proxy was sent on the way here, nothing of the message itself was in it.
            _note_written(written=False)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _note_written(written=True)
        self.used_at = time.monotonic()
        super().send(data)

    @property
    def is_connected(self) -> bool:
        exchange = _exchange.get()
        if exchange is not None and exchange.fresh:
            return False
        return time.monotonic() - self.used_at < IDLE_SECONDS and super().is_connected


class _MarkingTls(_Marking, HTTPSConnection):
    """The same over TLS; `connect` includes the handshake, so a failed handshake has written nothing."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Marking


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _MarkingTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(requests.adapters.HTTPAdapter):
    """Makes marking connections, through HTTP proxies too; through SOCKS all errors count as written."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _note_written(*, written: bool) -> None:
    exchange = _exchange.get()
    if exchange is not None and exchange.attempts:
        exchange.attempts[-1].written = written


def _new_session(adapter: _Adapter) -> requests.Session:
    session = requests.Session()
    # Environment (proxies, CA bundle) is read once per host below; `trust_env` reads it every time.
    session.trust_env = False
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


_adapter = _Adapter(pool_connections=HOSTS_KEPT, pool_maxsize=CONNECTIONS_PER_HOST, max_retries=0)
_session = _new_session(_adapter)
_CONTENT = ("params", "data", "json", "files", "auth", "cookies")
_DEFAULT_HEADERS = dict(requests.utils.default_headers())


@lru_cache(maxsize=1)
def _ca_bundle() -> str | bool:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


@lru_cache(maxsize=1024)
def _proxies(origin: str) -> dict[str, str]:
    if is_loopback(urlsplit(origin).hostname or ""):
        return {}  # no proxy of a company reaches this machine's own inbox
    return requests.utils.get_environ_proxies(origin, no_proxy=None)


def request(method: str, url: str, **options: Any) -> requests.Response:
    """Same as `requests.request`; inside `record_exchange()` through the shared transport, and recorded."""
    exchange = _exchange.get()
    if exchange is None:
        return requests.request(method, url, **options)  # noqa: S113 - whatever the caller outside of us gave
    attempt = HttpAttempt(url=url)
    if exchange.amend is not None:
        exchange.amend(url, options)
    exchange.attempts.append(attempt)
    try:
        response = _send(method, url, exchange, options)
    except BaseException as error:
        attempt.error = error
        raise
    attempt.response = response
    attempt.degraded = bool(response.history) and response.request.method != method.upper()
    return response


def _send(method: str, url: str, exchange: SendExchange, options: dict[str, Any]) -> requests.Response:
    """What `Session.request` does, without merging session, environment and ~/.netrc into each request."""
    content = {name: options[name] for name in _CONTENT if options.get(name) is not None}
    content["headers"] = {**_DEFAULT_HEADERS, **exchange.headers, **(options.get("headers") or {})}
    prepared = requests.Request(method.upper(), url, **content).prepare()
    parts = urlsplit(url)
    verify = options.get("verify", True)
    settings: dict[str, Any] = {
        "timeout": _timeout(exchange, options.get("timeout")),
        "verify": _ca_bundle() if verify in {True, None} else verify,
        "cert": options.get("cert"),
        "proxies": options.get("proxies") or _proxies(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"),
    }
    if options.get("allow_redirects", True):
        return _session.send(prepared, **settings)
    # Without redirects a session adds nothing but time to what its adapter does.
    response = _adapter.send(prepared, stream=True, **settings)
    response._content = _read(response, exchange)  # noqa: SLF001 - what its `content` will be
    return response


def _timeout(exchange: SendExchange, given: Any) -> tuple[float, float]:
    connect, read = given if isinstance(given, tuple) else (given, given)
    return exchange.remaining(connect or CONNECT_SECONDS), exchange.remaining(read or READ_SECONDS)


def _read(response: requests.Response, exchange: SendExchange) -> bytes:
    """The beginning of the body, as it comes: a service may answer without end, or a byte a second.

    A body that breaks off is as long as it is: the status has come, and it is what decides.
    """
    pieces: list[bytes] = []
    room = BODY_BYTES
    try:
        while room > 0 and time.monotonic() < exchange.until:
            piece = response.raw.read1(room, decode_content=True)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            room -= len(piece)
    except urllib3.exceptions.HTTPError:
        pass
    response.close()  # what is left unread would be taken for the next answer
    return b"".join(pieces)


class _Facade(types.ModuleType):
    """Looks like the `requests` module to a plugin; only the calls that send go elsewhere."""

    def __init__(self) -> None:
        super().__init__("requests")
        self.request = request
        for name in ("get", "post", "put", "delete", "patch", "head", "options"):
            setattr(self, name, _verb(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)


def _verb(name: str) -> Callable[..., requests.Response]:
    def call(url: str, *args: Any, **options: Any) -> requests.Response:
        # requests.get(url, params), requests.post(url, data, json), requests.put(url, data) ...
        positions = {"get": ("params",), "post": ("data", "json")}.get(name, ("data",))
        return request(name.upper(), url, **dict(zip(positions, args, strict=False)), **options)

    return call


_facade = _Facade()
_install_lock = threading.Lock()


def install_facade() -> None:
    """Install the facade in place of `requests` in every loaded Apprise plugin; idempotent."""
    with _install_lock:
        for name, module in list(sys.modules.items()):
            if name.startswith("apprise.plugins.") and getattr(module, "requests", None) is requests:
                module.requests = _facade  # type: ignore[attr-defined]


def is_loopback(host: str) -> bool:
    """Whether a host's name or address can only be this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
