"""Receivers on loopback that remember what arrived: the other side of every test of delivery.

In a test: `with HttpReceiver() as receiver:` and `with SmtpReceiver() as mail:`. As a process of its own,
which survives whatever is killed around it: `python -m tests.receivers --port N`, then

- `GET /_received?since=K` -> `{"received": [...], "next": N}`: what arrived from number K on;
- `POST /_script` with the fields of `Behaviour` and `"prefix"`: how to answer below that path from now on.
"""

import argparse
import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

from tests.receivers_smtp import MailBehaviour, ReceivedMail, SmtpReceiver, Waiting, unused_port

__all__ = [
    "Behaviour",
    "HttpReceiver",
    "MailBehaviour",
    "Received",
    "ReceivedMail",
    "SmtpReceiver",
    "deaf_port",
    "unused_port",
    "write_channels",
]

T = TypeVar("T")
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Received:
    """One request that arrived whole.

    Attributes:
        number: From 0, in order of arrival.
        at: Seconds since the epoch, when its last byte had come.
        headers: Names in lower case.
        body: As it came.
    """

    number: int
    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as the fields of a form."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    def plain(self) -> dict[str, Any]:
        """As `GET /_received` tells it: the body decoded as `json` or `form` as well, if it is one."""
        told = asdict(self) | {"body": self.body.decode("utf-8", "replace")}
        kind = self.headers.get("content-type", "")
        try:
            decoded = {"json": self.json} if "json" in kind else {"form": self.form} if "form" in kind else {}
        except ValueError:
            decoded = {}
        return told | decoded


@dataclass(frozen=True)
class Behaviour:
    """How a path answers.

    Attributes:
        status: Of the answer.
        json: The body as an object; `{"id": "r-NUMBER"}` if neither this nor `body` is given.
        body: The body as text instead.
        headers: More headers, such as `Retry-After`.
        delay: Seconds to wait before answering (or cutting), while others are served.
        cut: Close without an answer: `before` the body is read (nothing is recorded), or `after` the whole
            request has arrived (recorded).
        times: So often, then the earlier behaviour is back; None: until another is set.
    """

    status: int = 200
    json: Any = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: Literal["before", "after"] | None = None
    times: int | None = None

    def answer(self, number: int) -> bytes:
        """The answer to request `number` as it goes on the wire."""
        payload = self.body
        if payload is None:
            payload = json.dumps(self.json if self.json is not None else {"id": f"r-{number}"})
        data = payload.encode()
        kind = "text/plain; charset=utf-8" if self.body is not None else "application/json"
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            *(f"{name}: {value}" for name, value in {"Content-Type": kind, **self.headers}.items()),
            *([] if "Content-Length" in self.headers else [f"Content-Length: {len(data)}"]),
        ]
        return "\r\n".join(lines).encode() + _HEAD_END + data


class HttpReceiver(Waiting):
    """An HTTP/1.1 server in a thread that records every request and answers as scripted, 200 by default."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Take `port`, or any free one when started; speak TLS if given a certificate."""
        super().__init__()
        self._tls = tls
        self.port = port
        self.connections = 0
        self.open: set[asyncio.Transport] = set()
        self._received: list[Received] = []
        self._scripts: list[tuple[str, Behaviour]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, to be put into an Apprise URL: `json://{host}/alice`."""
        return f"127.0.0.1:{self.port}"

    @property
    def received(self) -> list[Received]:
        """Everything so far, in order."""
        with self._changed:
            return list(self._received)

    def at(self, prefix: str) -> list[Received]:
        """What arrived below a path so far."""
        return [request for request in self.received if request.path.startswith(prefix)]

    def script(self, prefix: str, behaviour: Behaviour | None = None, **fields: Any) -> None:
        """Answer below `prefix` so from now on; the longest prefix wins, and of equals the latest."""
        self._scripts.append((prefix, replace(behaviour or Behaviour(), **fields)))

    def clear(self) -> None:
        """Forget what arrived and every script."""
        with self._changed:
            self._received.clear()
            self._scripts.clear()

    def wait_for(self, predicate: Callable[[list[Received]], T], timeout: float = 5.0) -> T:
        """What `predicate` makes of everything received, as soon as that is true.

        Raises:
            AssertionError: After `timeout` seconds, naming what arrived.
        """
        return self._wait(lambda: predicate(self._received), timeout, lambda: self._received)

    def start(self) -> Self:
        """Listen; returns when connections are taken."""
        ready = threading.Event()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.port = listener.getsockname()[1]

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._stopped = asyncio.Event()
            server = await self._loop.create_server(lambda: _Connection(self), sock=listener, ssl=self._tls)
            ready.set()
            await self._stopped.wait()
            server.close()
            for transport in list(self.open):
                transport.abort()
            await asyncio.sleep(0)  # the transports close their sockets in the next round of the loop

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="receiver", daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def stop(self) -> None:
        """Stop listening; whoever connects from now on is refused."""
        if self._loop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def behaviour(self, path: str) -> Behaviour:
        """How to answer `path` now; counts down those with `times`."""
        fitting = [(len(prefix), i) for i, (prefix, _) in enumerate(self._scripts) if path.startswith(prefix)]
        if not fitting:
            return Behaviour()
        index = max(fitting)[1]
        prefix, behaviour = self._scripts[index]
        if behaviour.times is not None:
            if behaviour.times <= 1:
                del self._scripts[index]
            else:
                self._scripts[index] = (prefix, replace(behaviour, times=behaviour.times - 1))
        return behaviour

    def record(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Received:
        """Remember one request and wake who waits."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._changed:
            number = len(self._received)
            request = Received(number, time.time(), method, parts.path, query, headers, body)
            self._received.append(request)
            self._changed.notify_all()
        return request


class _Connection(asyncio.Protocol):
    """One kept-alive connection; parses by hand: a thousand requests a second share a core with a sender."""

    def __init__(self, receiver: HttpReceiver) -> None:
        self.receiver = receiver
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.receiver.connections += 1
        self.receiver.open.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.receiver.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(_HEAD_END)) >= 0:
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            length = int(headers.get("content-length", "0"))
            start = end + len(_HEAD_END)
            path = urlsplit(target).path  # a proxy is given the whole URL
            if len(self.buffer) < start + length and not self._cuts_before(path):
                return
            body, self.buffer = self.buffer[start : start + length], self.buffer[start + length :]
            self._handle(method, target, headers, body)

    def _cuts_before(self, path: str) -> bool:
        return any(path.startswith(prefix) and b.cut == "before" for prefix, b in self.receiver._scripts)

    def _handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        path = urlsplit(target).path
        if path.startswith("/_"):
            self.transport.write(_control(self.receiver, method, target, body))
            return
        behaviour = self.receiver.behaviour(path)
        if behaviour.cut == "before":
            self._abort()
            return
        request = self.receiver.record(method, target, headers, body)
        finish = self._abort if behaviour.cut else lambda: self.transport.write(behaviour.answer(request.number))
        if behaviour.delay:
            asyncio.get_running_loop().call_later(behaviour.delay, finish)
        else:
            finish()

    def _abort(self) -> None:
        """Close with a reset, as a server does that dies."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _control(receiver: HttpReceiver, method: str, target: str, body: bytes) -> bytes:
    """What a receiver that runs as a process of its own can be asked."""
    parts = urlsplit(target)
    if method == "GET" and parts.path == "/_received":
        since = int(parse_qs(parts.query).get("since", ["0"])[-1])
        received = receiver.received
        told = [request.plain() for request in received[since:]]
        return Behaviour(json={"received": told, "next": len(received)}).answer(0)
    if method == "POST" and parts.path == "/_script":
        fields = json.loads(body)
        receiver.script(fields.pop("prefix"), **fields)
        return Behaviour(json={"ok": True}).answer(0)
    if method == "POST" and parts.path == "/_clear":
        receiver.clear()
        return Behaviour(json={"ok": True}).answer(0)
    return Behaviour(status=404, json={"error": "no such control"}).answer(0)


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port on loopback whose queue is full: connecting to it times out."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as fillers:
        address = server.getsockname()
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]


def write_channels(path: Path, **urls: str | Sequence[str]) -> Path:
    """An Apprise configuration at `path`: tag -> its URL, or several."""
    entries = [(tag, url) for tag, given in urls.items() for url in ([given] if isinstance(given, str) else given)]
    lines = [f"  - {json.dumps(url)}:\n      tag: {tag}\n" for tag, url in entries]
    path.write_text("version: 1\nurls:\n" + "".join(lines), encoding="utf-8")
    return path


def main() -> None:
    """Serve until killed; prints `listening on PORT` when connections are taken."""
    parser = argparse.ArgumentParser(description="An HTTP receiver that remembers what arrived.")
    parser.add_argument("--port", type=int, default=0)
    receiver = HttpReceiver(parser.parse_args().port).start()
    print(f"listening on {receiver.port}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        receiver.stop()


if __name__ == "__main__":
    main()
