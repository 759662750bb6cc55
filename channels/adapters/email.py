"""`mailto://` and `mailtos://`: e-mail over SMTP.

Apprise reads the address (its provider templates included) and composes the mail; the conversation with the
server is held here, since only its steps tell what may be repeated:

| where it ends | verdict |
| --- | --- |
| connecting, TLS, log-in or envelope: no connection, cut, 4xx | failed: no mail was handed over |
| log-in or envelope: 5xx | refused |
| text: the server answers 4xx (greylisting) or 5xx | failed or refused, its answer is definite |
| text: cut or time-out before the answer | unknown |
| text: 250 | sent, the receipt is the Message-ID |
"""

import contextlib
import email
import hashlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import Message as Mail
from functools import lru_cache
from typing import Any

from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase
from apprise.plugins.email.base import NotifyEmail
from apprise.plugins.email.common import AppriseEmailException, SecureMailMode

from channels.adapters.base import KEY_HEADER, Adapter, header_safe
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rendering import MessageLimits, RenderedText
from channels.transport import SendExchange

TITLE_BYTES = 250
_TAKEN = 250
# 251: the server forwards (RFC 5321, section 3.4).
_RECIPIENT_TAKEN = {250, 251}
BODY_BYTES = 262_144


@dataclass(frozen=True)
class _Envelope:
    recipients: list[str]
    content: bytes


class Email(Adapter):
    """One mail for each address of the channel; the Message-ID follows from the outbox key.

    A repeat of the same key has the same Message-ID, by which many mailboxes drop the second copy.
    """

    def limits(self, service: NotifyBase) -> MessageLimits:  # noqa: ARG002 - the same for all
        """Ours: servers take megabytes, people do not."""
        return MessageLimits(body_bytes=BODY_BYTES, title_bytes=TITLE_BYTES)

    def send(self, service: NotifyBase, message: Message, text: RenderedText) -> SendOutcome:
        """Hold one SMTP conversation."""
        try:
            mails = _compose(service, message, text)
        except (AppriseEmailException, ValueError) as error:
            return SendOutcome(SendVerdict.REFUSED, detail=f"the mail cannot be composed: {type(error).__name__}")
        _own_name()  # may ask a name server, once: not in the time of a send
        try:
            server = _connect(service, SendExchange())
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return _not_handed_over(error)
        outcomes = [_hand_over(server, service, mail) for mail in mails]
        _leave(server)
        return _together(outcomes, _message_id(service, message))


def _compose(service: Any, message: Message, text: RenderedText) -> list[_Envelope]:
    """The mails as Apprise makes them, in plain text, under our Message-ID."""
    headers = {"X-Application": service.app_id, KEY_HEADER: header_safe(message.key), **service.headers}
    if message.urgent:
        headers |= {"X-Priority": "1", "Importance": "high"}
    mails = NotifyEmail.prepare_emails(
        subject=text.title,
        body=text.body,
        notify_format=NotifyFormat.TEXT,
        from_addr=service.from_addr,
        to=service.targets,
        cc=service.cc,
        bcc=service.bcc,
        reply_to=service.reply_to,
        smtp_host=service.smtp_host,
        headers=headers,
        names=service.names,
        pgp=service.pgp,
        pgp_mode=service.pgp_mode,
        tzinfo=service.tzinfo,
    )
    return [_Envelope(mail.to_addrs, _identified(mail.body, _message_id(service, message))) for mail in mails]


def _identified(composed: str, message_id: str | None) -> bytes:
    mail: Mail = email.message_from_string(composed)
    if message_id:
        mail.replace_header("Message-ID", message_id)
    # Lines end in CR LF on the wire; a lone LF is refused by servers that guard against smuggled mails.
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n", max_line_length=None))


def _message_id(service: Any, message: Message) -> str | None:
    """The same for the same key; hashed, since a key may hold anything and a Message-ID may not."""
    if not message.key:
        return None
    digest = hashlib.sha256(message.key.encode("utf-8", "replace")).hexdigest()[:32]
    return f"<{digest}.tocsin@{service.from_addr[1].rpartition('@')[2]}>"


@lru_cache(maxsize=1)
def _own_name() -> str:
    """Asked once: smtplib would look the machine's name up for every connection."""
    name = socket.getfqdn()
    return name if "." in name else "[127.0.0.1]"


class _Hurried(smtplib.SMTP):
    """Each reply has the read time-out, and all of them together the time of one send."""

    def __init__(self, service: Any, exchange: SendExchange, **options: Any) -> None:
        self._exchange, self._read_seconds = exchange, service.socket_read_timeout
        timeout = exchange.remaining(service.socket_connect_timeout)
        super().__init__(service.smtp_host, service.port, _own_name(), timeout=timeout, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.settimeout(self._exchange.remaining(self._read_seconds))
        return super().getreply()


class _HurriedTls(_Hurried, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def _connect(service: Any, exchange: SendExchange) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if not service.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if service.secure_mode == SecureMailMode.SSL:
        server: smtplib.SMTP = _HurriedTls(service, exchange, context=context)
    else:
        server = _Hurried(service, exchange)
    try:
        if service.secure_mode == SecureMailMode.STARTTLS:
            server.starttls(context=context)
        if service.user and service.password:
            server.login(service.user, service.password)
    except BaseException:
        server.close()
        raise
    return server


def _hand_over(server: smtplib.SMTP, service: Any, mail: _Envelope) -> SendOutcome:
    try:
        server.ehlo_or_helo_if_needed()
        code, reply = server.mail(service.from_addr[1])
        for recipient in mail.recipients if code == _TAKEN else ():
            code, reply = server.rcpt(recipient)
            if code not in _RECIPIENT_TAKEN:
                break
        if code not in _RECIPIENT_TAKEN:
            server.rset()
            return _answered(code, reply)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return _not_handed_over(error)
    try:
        code, reply = server.data(mail.content)
    except smtplib.SMTPDataError as error:
        return _answered(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return SendOutcome(SendVerdict.UNKNOWN, detail=f"{_word(error)} after the text was handed over")
    if code != _TAKEN:
        return _answered(code, reply)
    return SendOutcome(SendVerdict.SENT, detail="accepted by the mail server")


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye without waiting for an answer, which could change nothing."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        server.putcmd("QUIT")
    server.close()


def _answered(code: int, reply: bytes | str) -> SendOutcome:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    verdict = SendVerdict.REFUSED if code // 100 == 5 else SendVerdict.FAILED  # noqa: PLR2004 - SMTP's permanent class
    return SendOutcome(verdict, detail=f"the mail server answered {code} {text}")


def _not_handed_over(error: Exception) -> SendOutcome:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return SendOutcome(
            SendVerdict.REFUSED, detail="the mail server offers no such log-in or encryption: check `mode=`"
        )
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # an untrusted certificate is both
        return SendOutcome(
            SendVerdict.REFUSED, detail="an address or password has characters that this server cannot take"
        )
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return _answered(error.smtp_code, error.smtp_error)
    return SendOutcome(SendVerdict.FAILED, detail=f"{_word(error)} before the text was handed over")


def _word(error: Exception) -> str:
    """What happened, without the error's own text, which may name the server or the user."""
    words: list[tuple[type[Exception], str]] = [
        (TimeoutError, "no answer in time"),
        (smtplib.SMTPServerDisconnected, "connection cut"),
        (ssl.SSLError, "TLS failed"),
        (ConnectionRefusedError, "connection refused"),
        (ConnectionError, "connection cut"),
        (socket.gaierror, "the mail server's name is not known"),
    ]
    # smtplib makes a "disconnected" of a read time-out, which stays behind it as its context.
    cause = error.__context__ if isinstance(error.__context__, TimeoutError) else error
    return next((word for kind, word in words if isinstance(cause, kind)), type(error).__name__)


def _together(outcomes: list[SendOutcome], receipt: str | None) -> SendOutcome:
    """One outcome for all addresses: unless they agree, somebody may have got it, so it is unknown."""
    if not outcomes:
        return SendOutcome(SendVerdict.REFUSED, detail="the channel has no address")
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts == {SendVerdict.SENT}:
        return SendOutcome(SendVerdict.SENT, receipt, outcomes[0].detail)
    worst = next(outcome for outcome in outcomes if outcome.verdict is not SendVerdict.SENT)
    if len(verdicts) == 1:
        return worst
    if verdicts == {SendVerdict.FAILED, SendVerdict.REFUSED}:
        return next(outcome for outcome in outcomes if outcome.verdict is SendVerdict.FAILED)
    taken = sum(outcome.verdict is SendVerdict.SENT for outcome in outcomes)
    return SendOutcome(SendVerdict.UNKNOWN, detail=f"{taken} of {len(outcomes)} addresses took it: {worst.detail}")
