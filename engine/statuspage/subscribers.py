"""Subscribers of the status page: asked, confirmed, unsubscribed at one click; their address is sealed.

Without what sends, so that the process of the pages carries none of it.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeSerializer, URLSafeTimedSerializer
from pendulum import DateTime

from domain.customers.import_row import CustomerContact
from domain.service_status import StatusPlan
from engine.delivery.links import BadLink
from engine.installation import Installation
from engine.statuspage.page import FILE
from playbooks.status_file import StatusFile
from storage import outbox
from storage.accounts import failed_logins
from storage.database import Connection
from storage.outbox import OutboxEntry
from storage.statuspage import subscribers

log = logging.getLogger("tocsin.status")
KIND = "status-mail"  # of the outbox
ASK, STATEMENT = "confirm", "statement"
CONFIRM_WITHIN = timedelta(hours=48)
ASK_AGAIN_AFTER = timedelta(minutes=15)  # nobody is asked more often, however often somebody types their address
MAX_UNCONFIRMED = 2_000  # who are asked and have not answered: beyond that somebody only types addresses
MAX_FROM_ONE_ADDRESS = 10  # addresses given from one place, until there was an hour without any
LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3
_REMEMBERED = timedelta(hours=1)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")


class BadAddress(ValueError):
    """A text is no e-mail address."""


class TooManySubscriptions(Exception):
    """More addresses are given from one place than people would give."""


class StatusPageService:
    """Status page of one installation: its plan, its links. Threads may share one."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.file = StatusFile(installation.settings.home / FILE)
        key = installation.settings.secret_key()
        self._confirming = URLSafeTimedSerializer(key, salt="tocsin-status-confirm")
        self._leaving = URLSafeSerializer(key, salt="tocsin-status-leave")

    @property
    def plan(self) -> StatusPlan:
        """What the page shows, as of now."""
        return self.file.current()

    def confirm_link(self, subscriber: str) -> str:
        """Return the address at which a subscriber confirms; good for two days."""
        return f"{self.installation.settings.links_url}/status/confirm/{self._confirming.dumps(subscriber)}"

    def leave_link(self, subscriber: str) -> str:
        """Return the address at which a subscriber unsubscribes; good for as long as they are subscribed."""
        return f"{self.installation.settings.links_url}/status/leave/{self._leaving.dumps(subscriber)}"

    def read_confirm_link(self, token: str) -> str:
        """Return the id of the subscriber who confirms.

        Raises:
            BadLink: altered, or too old.
        """
        try:
            return str(self._confirming.loads(token, max_age=int(CONFIRM_WITHIN.total_seconds())))
        except SignatureExpired:
            raise BadLink("this link has expired: subscribe again") from None
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None

    def read_leave_link(self, token: str) -> str:
        """Return the id of the subscriber who unsubscribes.

        Raises:
            BadLink: altered.
        """
        try:
            return str(self._leaving.loads(token))
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None


# --- coming and going ----------------------------------------------------------------------------------------------


def subscribe(service: StatusPageService, address: str, language: str, now: DateTime, came_from: str = "") -> None:
    """Ask a person by e-mail to confirm that they want statements.

    The answer says nothing of who subscribes already.

    Raises:
        BadAddress: it is no e-mail address.
        TooManySubscriptions: from there many addresses were given of late.
        SettingsError: the key of the contacts cannot be used.
    """
    address = address.strip()
    if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        raise BadAddress("this is no e-mail address: write it like name@example.org")
    vault = service.installation.customers.open_vault()
    mark = vault.mark(f"subscriber {address.lower()}")
    with service.installation.database.write() as connection:
        _count(connection, vault.mark(f"subscribes from {came_from}"), now)
        subscribers.delete_unconfirmed(connection, now - CONFIRM_WITHIN)
        known = subscribers.find_subscriber(connection, mark)
        if known is not None and (known.confirmed_at is not None or known.asked_at > now - ASK_AGAIN_AFTER):
            return
        if known is not None:
            subscribers.record_new_request(connection, known.id, language, now)
            name = known.id
        elif subscribers.count_unconfirmed(connection, now - CONFIRM_WITHIN) >= MAX_UNCONFIRMED:
            log.warning("%s addresses were asked and did not answer: no more are asked for now", MAX_UNCONFIRMED)
            return
        else:
            name = subscribers.add_subscriber(connection, mark, vault.seal(CustomerContact(address, "")), language, now)
        key = f"STATUS/confirm/{name}/{int(now.timestamp())}"
        outbox.enqueue_entries(
            connection, [make_mail_entry(key, name, ASK, service.plan.tag, {"language": language})], now
        )


def _count(connection: Connection, key: str, now: DateTime) -> None:
    number, _last = failed_logins.count_failures(connection, key, now, _REMEMBERED)
    if number >= MAX_FROM_ONE_ADDRESS:
        raise TooManySubscriptions("many addresses were given from where you are: try again in an hour")
    failed_logins.set_failures(connection, key, number + 1, now)


def confirm_subscription(service: StatusPageService, token: str, now: DateTime) -> bool:
    """Confirm a subscription; False if the subscriber has left since.

    Raises:
        BadLink: the link is altered or too old.
    """
    name = service.read_confirm_link(token)
    with service.installation.database.write() as connection:
        return subscribers.confirm_subscriber(connection, name, now)


def unsubscribe(service: StatusPageService, token: str) -> None:
    """Unsubscribe: nothing of the subscriber is kept. Doing so again is no mistake.

    Raises:
        BadLink: the link is altered.
    """
    name = service.read_leave_link(token)
    with service.installation.database.write() as connection:
        subscribers.delete_subscriber(connection, name)


def make_mail_entry(key: str, subscriber: str, purpose: str, tag: str, payload: dict[str, Any]) -> OutboxEntry:
    """Make the outbox row of a mail to a subscriber: neither address nor link is in it."""
    return OutboxEntry(
        key=key, incident_id="", response_id="", step="", kind="status-mail", purpose=purpose, person=subscriber,
        channel=tag, lane=outbox.PRIORITY_REST, rank=0, drill=False, payload=payload,
    )  # fmt: skip
