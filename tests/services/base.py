"""What all services share: where they stand, how they are reached under their own names, and how they say no.

A service is an `HttpReceiver` that looks at each request. Apprise's plugins have fixed hosts; `dialling` leads
connections to those hosts to loopback, at the place where a socket is opened and nowhere else: names, TLS and its
certificate are what they are in use.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import urllib3.util.connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from channels import transport
from tests.receivers import Behaviour, HttpReceiver, Received

PATIENCE = "rto=0.5&cto=3"
# For services that will not answer anyway.
NO_PATIENCE = "rto=0.15&cto=3"


class Wrong(Exception):
    """What the service answers to a request that it does not take."""

    def __init__(self, answer: Behaviour) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True)
class _Live(Behaviour):
    """The service itself decides, once it has the whole request."""

    service: Any = field(default=None, repr=False)

    def answer(self, number: int) -> bytes:
        answer: bytes = self.service.decide(self.service.received[number]).answer(number)
        return answer


class Service(HttpReceiver):
    """One kind of service.

    Attributes:
        name: In the table of the documentation.
        page: Where its own documentation says what is done here.
        hosts: Under which it is reached, by TLS; empty for those on an address of one's own.
        address: As it stands in a channel file; `{host}` for `127.0.0.1:PORT`.
        limit: Bytes of the text (or characters, where `counts_characters`), as documented.
        asks_first: Whether a log-in or a look-up comes before the first message.
        public_only: Whether it takes no notice to a person, whatever its service would do.
        in_200: How it refuses in an answer with status 200, if it does that.
        by_status: How it refuses by status.
        limited: How it says "not now".
        mood: Which of these it is in the mood for; empty: it takes what is right.
    """

    name: ClassVar[str]
    page: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]] = ()
    address: ClassVar[str]
    limit: ClassVar[int]
    counts_characters: ClassVar[bool] = False
    asks_first: ClassVar[bool] = False
    public_only: ClassVar[bool] = False
    in_200: ClassVar[Behaviour | None] = None
    by_status: ClassVar[Behaviour]
    limited: ClassVar[Behaviour]

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls if self.hosts else None)
        self.mood = ""
        self.title = ""
        self.texts: list[str] = []

    @property
    def url(self) -> str:
        """Its line in a channel file, with little patience."""
        return self.url_with(PATIENCE)

    def url_with(self, patience: str) -> str:
        """Its line in a channel file."""
        url = self.address.format(host=self.host)
        return f"{url}{'&' if '?' in url else '?'}{patience}"

    def behaviour(self, path: str) -> Behaviour:
        scripted = super().behaviour(path)
        return _Live(service=self) if scripted == Behaviour() else scripted

    def decide(self, request: Received) -> Behaviour:
        """Decode `request`; what is right is taken, unless the mood is against it."""
        try:
            text = self.text_of(request)
        except Wrong as wrong:
            return wrong.answer
        if text is None:
            return self.aside(request)
        refusal = {"in 200": self.in_200, "status": self.by_status, "limited": self.limited}.get(self.mood)
        if refusal is not None:
            return refusal
        if self.length(text) > self.limit:
            return self.too_long()
        self.texts.append(text)
        return self.taken(request)

    def length(self, text: str) -> int:
        """As the service counts."""
        return len(text.encode("utf-16-le")) // 2 if self.counts_characters else len(text.encode())

    def text_of(self, request: Received) -> str | None:
        """The text to be shown; None if the request is something else that is right. Raises Wrong."""
        raise NotImplementedError

    def taken(self, request: Received) -> Behaviour:
        """How the service says yes."""
        raise NotImplementedError

    def too_long(self) -> Behaviour:
        """How it says that a text is too long; most say it as any other refusal."""
        return self.in_200 or self.by_status

    def aside(self, request: Received) -> Behaviour:
        """The answer to what is no message: a log-in, a look-up."""
        raise NotImplementedError


def shown_by_markdown(text: str) -> str:
    """Markdown breaks a line only where there is an empty one; a single line break is a space."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text).replace("\n\n", "\n")


def require(condition: object, answer: Behaviour) -> None:
    """The service's refusal, unless so."""
    if not condition:
        raise Wrong(answer)


@contextmanager
def certified(folder: Path, hosts: tuple[str, ...]) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A certificate of our own making for all `hosts`: the file that trusts it, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "services on loopback")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "services.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(built.public_bytes(Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    yield path, context


def dialling(patch: pytest.MonkeyPatch, trusted: Path, ports: dict[str, int]) -> None:
    """Connections to the hosts in `ports` go to loopback; to any other host there is none."""
    dial = urllib3.util.connection.create_connection

    def detoured(address: tuple[str, int], *args: Any, **options: Any) -> Any:
        host, port = address
        if host in ports:
            return dial(("127.0.0.1", ports[host]), *args, **options)
        if not transport.is_loopback(host):
            raise ConnectionRefusedError(host)
        return dial((host, port), *args, **options)

    patch.setattr(urllib3.util.connection, "create_connection", detoured)
    patch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        patch.delenv(name, raising=False)
    forget()


def forget() -> None:
    """What the transport has read of the environment."""
    transport._ca_bundle.cache_clear()
    transport._proxies.cache_clear()
