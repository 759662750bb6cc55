"""The mail server of `tests.receivers`, and what both receivers share; import from there."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

T = TypeVar("T")


class Waiting:
    """A record that other threads wait on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def _wait(self, look: Callable[[], T], timeout: float, found: Callable[[], Sequence[object]]) -> T:
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (result := look()):
                left = deadline - time.monotonic()
                if left <= 0:
                    seen = "\n  ".join(map(repr, found())) or "nothing"
                    raise AssertionError(f"not within {timeout} s; arrived:\n  {seen}")
                self._changed.wait(left)
            return result


@dataclass(frozen=True)
class ReceivedMail:
    """One mail that was handed over whole, decoded."""

    number: int
    at: float
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    message: EmailMessage
    raw: bytes


@dataclass
class MailBehaviour:
    """How the mail server behaves from now on.

    Attributes:
        refuse: Recipient -> the answer to its RCPT, such as `550 5.1.1 no such user`.
        after_data: The answer to the text, such as `451 4.7.1 greylisted`; None: `250`.
        cut_after_data: Take the text, record it, and cut without an answer.
        delay: Seconds to wait before answering the text.
        at_quit: The answer to QUIT; None: `221`.
    """

    refuse: dict[str, str] = field(default_factory=dict)
    after_data: str | None = None
    cut_after_data: bool = False
    delay: float = 0.0
    at_quit: str | None = None


class SmtpReceiver(Waiting):
    """A real SMTP server in a thread."""

    def __init__(self, starttls: ssl.SSLContext | None = None) -> None:
        """Takes a free port when started; offers STARTTLS if given a certificate."""
        super().__init__()
        self._starttls = starttls
        self.behaviour = MailBehaviour()
        self.port = 0
        self._received: list[ReceivedMail] = []
        self._controller: Controller | None = None

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, for `mailto://{host}?from=ops@example.org&to=alice@example.org`."""
        return f"127.0.0.1:{self.port}"

    @property
    def received(self) -> list[ReceivedMail]:
        """Every mail so far."""
        with self._changed:
            return list(self._received)

    def wait_for(self, predicate: Callable[[list[ReceivedMail]], T], timeout: float = 5.0) -> T:
        """As `HttpReceiver.wait_for`."""
        return self._wait(lambda: predicate(self._received), timeout, lambda: self._received)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, or refuse it as scripted."""
        if address in self.behaviour.refuse:
            return self.behaviour.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take the text, unless scripted otherwise."""
        behaviour = self.behaviour
        if behaviour.after_data is None:
            self._record(envelope)
        await asyncio.sleep(behaviour.delay)
        if behaviour.cut_after_data and server.transport is not None:
            server.transport.close()
        return behaviour.after_data or "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Say goodbye, or something else."""
        return self.behaviour.at_quit or "221 Bye"

    def _record(self, envelope: Envelope) -> None:
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        mail = message_from_bytes(content, policy=policy.default)
        part = mail.get_body(("plain",))
        text = str(part.get_content()) if part else ""
        with self._changed:
            number = len(self._received)
            subject, to = str(mail["Subject"]), tuple(envelope.rcpt_tos)
            self._received.append(
                ReceivedMail(number, time.time(), envelope.mail_from or "", to, subject, text, mail, content)
            )
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self.port = unused_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, tls_context=self._starttls)
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._controller:
            self._controller.stop()


def unused_port() -> int:
    """A port on loopback that nobody listens on just now: connections to it are refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
