"""Mails of statements to subscribers: each once, the address opened only to send."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from engine.customers.recipient_address import send_to_recipient
from engine.delivery.kinds import DeliveryKind, send_or_unknown
from engine.delivery.outcomes import SendCancelled, SendResult, record_outcome
from engine.installation import Installation
from engine.statuspage.page import build_page
from engine.statuspage.subscribers import (
    ASK,
    KIND,
    STATEMENT,
    StatusPageService,
    make_mail_entry,
)
from locales import translator
from storage import outbox
from storage.customers.contact_vault import UnreadableContact
from storage.database import Connection
from storage.incidents import turns
from storage.outbox import OutboxMessage
from storage.settings import SettingsError
from storage.statuspage import subscribers

_KEPT = "status-mail"  # which statements were made into mails
_BATCH = 500
_LATE = timedelta(hours=24)  # an older statement is no news


def enqueue_statements(installation: Installation, now: DateTime) -> int:
    """Enqueue each new statement for each subscriber, once; return how many mails."""
    service = installation.status_page
    with installation.database.read() as connection:
        if not subscribers.has_confirmed(connection):
            return 0
        done = turns.load_installation_fact(connection, _KEPT)
    known = set(done[0].get("statements", [])) if done else set()
    current = [
        one
        for one in build_page(installation, service.plan, now)["statements"]
        if not one["withdrawn"] and one["texts"]
    ]
    fresh = [one for one in current if one["at"] > (now - _LATE).isoformat() and one["id"] not in known]
    count = sum(_owe(service, one, now) for one in fresh)
    if fresh or known - {one["id"] for one in current}:
        with installation.database.write() as connection:
            turns.save_installation_fact(connection, _KEPT, {"statements": [one["id"] for one in current]}, now)
    return count


def _owe(service: StatusPageService, statement: dict[str, Any], now: DateTime) -> int:
    """In batches of their own; killed in the middle, the next look owes the rest: a key is kept once."""
    count, after = 0, ""
    published = pendulum.instance(datetime.fromisoformat(statement["at"]))  # who subscribed later has read it
    while True:
        with service.installation.database.write() as connection:
            rows = subscribers.list_confirmed(connection, published, after, _BATCH)
            made = [
                make_mail_entry(
                    f"STATUS/{statement['id']}/{row.id}", row.id, STATEMENT, service.plan.tag,
                    {"language": row.language, "texts": statement["texts"], "at": statement["at"]},
                )
                for row in rows
            ]  # fmt: skip
            outbox.enqueue_entries(connection, made, now)
        count += len(rows)
        if len(rows) < _BATCH:
            return count
        after = rows[-1].id


class StatusMailDelivery(DeliveryKind[str]):
    """Mails to subscribers; one whose outcome is unknown is not sent again: nobody gets a statement twice."""

    name = KIND

    def prepare(self, message: OutboxMessage, now: DateTime) -> str | SendResult:  # noqa: ARG002
        """Look up the sealed address of the subscriber, who may have left."""
        with self.installation.database.read() as connection:
            found = subscribers.get_subscriber(connection, message.person)
        if found is None or (message.purpose == STATEMENT and found.confirmed_at is None):
            return SendCancelled("they left")
        return str(found.sealed)

    def send(self, message: OutboxMessage, prepared: str, now: DateTime) -> SendOutcome:  # noqa: ARG002
        """Send one mail: the address is opened now, and kept nowhere."""
        return send_or_unknown(lambda: self._send(message, prepared))

    def _send(self, message: OutboxMessage, sealed: str) -> SendOutcome:
        service = self.installation.status_page
        try:
            address = self.installation.customers.open_vault().open(sealed).mail
            mail, headers = _make_mail(service, message)
            directory = self.installation.channels()
            return send_to_recipient(directory, message.channel, service.plan.placeholder, address, mail, headers)
        except (UnreadableContact, SettingsError) as error:
            return SendOutcome(SendVerdict.REFUSED, detail=str(error))

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a mail's outcome."""
        return record_outcome(connection, message, result, now)


def _make_mail(service: StatusPageService, message: OutboxMessage) -> tuple[Message, dict[str, str]]:
    language = message.payload["language"]
    _ = translator(language)
    title = service.plan.title.in_(language)
    if message.purpose == ASK:
        link = service.confirm_link(message.person)
        lines = (
            _("Somebody, probably you, asked for our public statements by e-mail."),
            _("If you want them, confirm here within two days:"),
            link,
            _("If not, do nothing: your address is then forgotten."),
        )
        subject = _("Please confirm: {title}").format(title=title)
        return Message(title=subject, body="\n\n".join(lines), language=language, key=message.key, link=link), {}
    texts = message.payload["texts"]
    text = texts.get(language) or next(iter(texts.values()))
    leave = service.leave_link(message.person)
    page = f"{service.installation.settings.links_url}/status"
    body = "\n\n".join((text, page, _("No more of these: {link}").format(link=leave)))
    headers = {"List-Unsubscribe": f"<{leave}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}  # RFC 8058
    return Message(title=title, body=body, language=language, key=message.key, link=page), headers
