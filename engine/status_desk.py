"""Whoever subscribes to the public page's statements: asked, confirmed, gone at one click; their address is sealed.

Without what sends, so that the process of the pages carries none of it.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from itsdangerous import BadSignature, SignatureExpired, URLSafeSerializer, URLSafeTimedSerializer
from pendulum import DateTime
from sqlalchemy import Connection

from domain.customers.record import Contact
from domain.status import StatusPlan
from engine.customers.desk import desk_of as customer_desk
from engine.house import House
from engine.links import BadLink
from engine.status_page import FILE
from playbooks.status_file import StatusFile
from storage import accounts_tries, outbox, subscribers
from storage.outbox import Owed

log = logging.getLogger("tocsin.status")
KIND = "status-mail"  # of the outbox
ASK, STATEMENT = "confirm", "statement"
CONFIRM_WITHIN = timedelta(hours=48)
AGAIN_AFTER = timedelta(minutes=15)  # nobody is asked more often, however often somebody types their address
MOST_WAITING = 2_000  # who are asked and have not answered: beyond that somebody only types addresses
MOST_FROM_ONE = 10  # addresses given from one place, until there was an hour without any
LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3
_REMEMBERED = timedelta(hours=1)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")


class BadAddress(ValueError):
    """This is no e-mail address."""


class TooMany(Exception):
    """Somebody asks for more than people do."""


class StatusDesk:
    """The public page of one house: its plan, its links. Threads may share one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.file = StatusFile(house.settings.home / FILE)
        key = house.settings.secret_key()
        self._confirming = URLSafeTimedSerializer(key, salt="tocsin-status-confirm")
        self._leaving = URLSafeSerializer(key, salt="tocsin-status-leave")

    @property
    def plan(self) -> StatusPlan:
        """What the page shows, as of now."""
        return self.file.current()

    def confirm_link(self, subscriber: str) -> str:
        """Where they say that they want it; good for two days."""
        return f"{self.house.settings.links_url}/status/confirm/{self._confirming.dumps(subscriber)}"

    def leave_link(self, subscriber: str) -> str:
        """Where they leave; good for as long as they are subscribed."""
        return f"{self.house.settings.links_url}/status/leave/{self._leaving.dumps(subscriber)}"

    def read_confirm(self, token: str) -> str:
        """Who confirms.

        Raises:
            BadLink: altered, or too old.
        """
        try:
            return str(self._confirming.loads(token, max_age=int(CONFIRM_WITHIN.total_seconds())))
        except SignatureExpired:
            raise BadLink("this link has expired: subscribe again") from None
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None

    def read_leave(self, token: str) -> str:
        """Who leaves.

        Raises:
            BadLink: altered.
        """
        try:
            return str(self._leaving.loads(token))
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None


_DESKS: WeakKeyDictionary[House, StatusDesk] = WeakKeyDictionary()
_GUARD = Lock()


def desk_of(house: House) -> StatusDesk:
    """The one desk of a house."""
    with _GUARD:
        if house not in _DESKS:
            _DESKS[house] = StatusDesk(house)
        return _DESKS[house]


# --- coming and going ----------------------------------------------------------------------------------------------


def subscribe(desk: StatusDesk, address: str, language: str, now: DateTime, came_from: str = "") -> None:
    """Ask somebody whether they want statements. What comes of it says nothing of who subscribes already.

    Raises:
        BadAddress: it is no e-mail address.
        TooMany: from there many addresses were given of late.
        SettingsError: the key of the contacts cannot be used.
    """
    address = address.strip()
    if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        raise BadAddress("this is no e-mail address: write it like name@example.org")
    vault = customer_desk(desk.house).vault()
    mark = vault.mark(f"subscriber {address.lower()}")
    with desk.house.database.write() as connection:
        _count(connection, vault.mark(f"subscribes from {came_from}"), now)
        subscribers.forget_unconfirmed(connection, now - CONFIRM_WITHIN)
        known = subscribers.by_mark(connection, mark)
        if known is not None and (known.confirmed_at is not None or known.asked_at > now - AGAIN_AFTER):
            return
        if known is not None:
            subscribers.asked_again(connection, known.id, language, now)
            name = known.id
        elif subscribers.waiting(connection, now - CONFIRM_WITHIN) >= MOST_WAITING:
            log.warning("%s addresses were asked and did not answer: no more are asked for now", MOST_WAITING)
            return
        else:
            name = subscribers.ask(connection, mark, vault.seal(Contact(address, "")), language, now)
        key = f"STATUS/confirm/{name}/{int(now.timestamp())}"
        outbox.enqueue(connection, [owed(key, name, ASK, desk.plan.tag, {"language": language})], now)


def _count(connection: Connection, key: str, now: DateTime) -> None:
    number, _last = accounts_tries.failures(connection, key, now, _REMEMBERED)
    if number >= MOST_FROM_ONE:
        raise TooMany("many addresses were given from where you are: try again in an hour")
    accounts_tries.count(connection, key, number + 1, now)


def confirm(desk: StatusDesk, token: str, now: DateTime) -> bool:
    """They want it; False if they have left since.

    Raises:
        BadLink: the link is altered or too old.
    """
    name = desk.read_confirm(token)
    with desk.house.database.write() as connection:
        return subscribers.confirm(connection, name, now)


def leave(desk: StatusDesk, token: str) -> None:
    """They leave: nothing of them is kept. Again is no mistake.

    Raises:
        BadLink: the link is altered.
    """
    name = desk.read_leave(token)
    with desk.house.database.write() as connection:
        subscribers.forget(connection, name)


def owed(key: str, subscriber: str, purpose: str, tag: str, payload: dict[str, Any]) -> Owed:
    """A mail to a subscriber, as a row of the outbox: neither address nor link is in it."""
    return Owed(
        key=key, incident_id="", response_id="", step="", kind="status-mail", purpose=purpose, person=subscriber,
        channel=tag, lane=outbox.REST, rank=0, drill=False, payload=payload,
    )  # fmt: skip
