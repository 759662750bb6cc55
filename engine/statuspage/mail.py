"""Mails of statements to subscribers: each once, the address opened only to send."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
import tenacity
from pendulum import DateTime
from sqlalchemy import Connection, Row

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from engine.customers.recipient_address import send_to_recipient
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
from storage.incidents import turns
from storage.settings import SettingsError
from storage.statuspage import subscribers

__all__ = ["KIND", "enqueue_statements", "record_mail_outcome", "send_mail"]
MAX_ATTEMPTS = 8
_KEPT = "status-mail"  # which statements were made into mails
_BATCH = 500
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)
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


# --- on its way ----------------------------------------------------------------------------------------------------


def send_mail(installation: Installation, row: Row[Any]) -> SendOutcome:
    """Send one claimed mail: the address is opened now, and kept nowhere."""
    service = installation.status_page
    with installation.database.read() as connection:
        found = subscribers.get_subscriber(connection, row.person)
    if found is None or (row.purpose == STATEMENT and found.confirmed_at is None):
        return SendOutcome(SendVerdict.REFUSED, detail="they left")
    try:
        address = installation.customers.open_vault().open(found.sealed).mail
        message, headers = _message(service, row)
        return send_to_recipient(
            installation.channels(), row.channel, service.plan.placeholder, address, message, headers
        )
    except (UnreadableContact, SettingsError) as error:
        return SendOutcome(SendVerdict.REFUSED, detail=str(error))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether it went
        return SendOutcome(SendVerdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")


def _message(service: StatusPageService, row: Row[Any]) -> tuple[Message, dict[str, str]]:
    language = row.payload["language"]
    _ = translator(language)
    title = service.plan.title.in_(language)
    if row.purpose == ASK:
        link = service.confirm_link(row.person)
        lines = (
            _("Somebody, probably you, asked for our public statements by e-mail."),
            _("If you want them, confirm here within two days:"),
            link,
            _("If not, do nothing: your address is then forgotten."),
        )
        subject = _("Please confirm: {title}").format(title=title)
        return Message(title=subject, body="\n\n".join(lines), language=language, key=row.key, link=link), {}
    texts = row.payload["texts"]
    text = texts.get(language) or next(iter(texts.values()))
    leave = service.leave_link(row.person)
    page = f"{service.installation.settings.links_url}/status"
    body = "\n\n".join((text, page, _("No more of these: {link}").format(link=leave)))
    headers = {"List-Unsubscribe": f"<{leave}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}  # RFC 8058
    return Message(title=title, body=body, language=language, key=row.key, link=page), headers


def record_mail_outcome(connection: Connection, row: Row[Any], result: Any, now: DateTime) -> str:
    """Record the outcome of a mail. An unknown outcome is not sent again: nobody gets a statement twice."""
    if not isinstance(result, SendOutcome):
        return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=now)
    if result.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED):
        return _write(connection, row, "sent", sent_at=now, detail="")
    if result.verdict is SendVerdict.UNKNOWN:
        return _write(connection, row, "unknown", detail=result.detail)
    if result.detail == "they left":
        return _write(connection, row, "cancelled", detail=result.detail)
    if not result.begun or (result.verdict is not SendVerdict.REFUSED and row.attempts < MAX_ATTEMPTS):
        seconds = min(max(_wait(row.attempts), result.retry_after or 0.0), 3_600.0)
        later = now + timedelta(seconds=seconds)
        return _write(connection, row, "retry", detail=result.detail, next_attempt_at=later)
    return _write(connection, row, "dead", detail=result.detail)


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.save_outcome(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
