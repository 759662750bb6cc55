"""Statements by e-mail to whoever subscribed: asked twice, gone at one click, their address opened only to send."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import pendulum
import tenacity
from itsdangerous import BadSignature, SignatureExpired, URLSafeSerializer, URLSafeTimedSerializer
from pendulum import DateTime
from sqlalchemy import Connection, Row

from channels.message import Message
from channels.outcome import Outcome, Verdict
from domain.customers.record import Contact
from domain.status import StatusPlan
from engine.customers.desk import desk_of as customer_desk
from engine.customers.recipients import send_to
from engine.house import House
from engine.links import BadLink
from engine.status_page import FILE, document
from locales import translator
from playbooks.status_file import StatusFile
from storage import accounts_tries, outbox, subscribers, turns
from storage.customers_vault import Unreadable
from storage.outbox import Owed
from storage.settings import SettingsError

log = logging.getLogger("tocsin.status")
KIND = "status-mail"  # of the outbox
ASK, STATEMENT = "confirm", "statement"
CONFIRM_WITHIN = timedelta(hours=48)
AGAIN_AFTER = timedelta(minutes=15)  # nobody is asked more often, however often somebody types their address
MOST_WAITING = 2_000  # who are asked and have not answered: beyond that somebody only types addresses
MOST_FROM_ONE = 10  # addresses given from one place, until there was an hour without any
MOST_ATTEMPTS = 8
LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3
_REMEMBERED = timedelta(hours=1)
_KEPT = "status-mail"  # until when statements were made into mails
_BATCH = 500
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)
_LATE = timedelta(hours=24)  # an older statement is no news
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
        outbox.enqueue(connection, [_owed(key, name, ASK, desk.plan.tag, {"language": language})], now)


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


def _owed(key: str, subscriber: str, purpose: str, tag: str, payload: dict[str, Any]) -> Owed:
    return Owed(
        key=key, incident_id="", response_id="", step="", kind="status-mail", purpose=purpose, person=subscriber,
        channel=tag, lane=outbox.REST, rank=0, drill=False, payload=payload,
    )  # fmt: skip


# --- statements become mails ---------------------------------------------------------------------------------------


def look(house: House, now: DateTime) -> int:
    """Owe each statement that came out to each subscriber, once; how many were owed."""
    desk = desk_of(house)
    with house.database.read() as connection:
        if not subscribers.any_confirmed(connection):
            return 0
        done = turns.kept(connection, _KEPT)
    known = set(done[0].get("statements", [])) if done else set()
    current = [one for one in document(house, desk.plan, now)["statements"] if not one["withdrawn"] and one["texts"]]
    fresh = [one for one in current if one["at"] > (now - _LATE).isoformat() and one["id"] not in known]
    count = sum(_owe(desk, one, now) for one in fresh)
    if fresh or known - {one["id"] for one in current}:
        with house.database.write() as connection:
            turns.keep(connection, _KEPT, {"statements": [one["id"] for one in current]}, now)
    return count


def _owe(desk: StatusDesk, statement: dict[str, Any], now: DateTime) -> int:
    """In batches of their own; killed in the middle, the next look owes the rest: a key is kept once."""
    count, after = 0, ""
    published = pendulum.instance(datetime.fromisoformat(statement["at"]))  # who subscribed later has read it
    while True:
        with desk.house.database.write() as connection:
            rows = subscribers.confirmed(connection, published, after, _BATCH)
            owed = [
                _owed(
                    f"STATUS/{statement['id']}/{row.id}", row.id, STATEMENT, desk.plan.tag,
                    {"language": row.language, "texts": statement["texts"], "at": statement["at"]},
                )
                for row in rows
            ]  # fmt: skip
            outbox.enqueue(connection, owed, now)
        count += len(rows)
        if len(rows) < _BATCH:
            return count
        after = rows[-1].id


# --- on its way ----------------------------------------------------------------------------------------------------


def send(house: House, row: Row[Any]) -> Outcome:
    """One in hand: the address is opened now, and kept nowhere."""
    desk = desk_of(house)
    with house.database.read() as connection:
        found = subscribers.get(connection, row.person)
    if found is None or (row.purpose == STATEMENT and found.confirmed_at is None):
        return Outcome(Verdict.REFUSED, detail="they left")
    try:
        address = customer_desk(house).vault().open(found.sealed).mail
        message, headers = _message(desk, row)
        return send_to(house.channels(), row.channel, desk.plan.placeholder, address, message, headers)
    except (Unreadable, SettingsError) as error:
        return Outcome(Verdict.REFUSED, detail=str(error))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether it went
        return Outcome(Verdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")


def _message(desk: StatusDesk, row: Row[Any]) -> tuple[Message, dict[str, str]]:
    language = row.payload["language"]
    _ = translator(language)
    title = desk.plan.title.in_(language)
    if row.purpose == ASK:
        link = desk.confirm_link(row.person)
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
    leave = desk.leave_link(row.person)
    page = f"{desk.house.settings.links_url}/status"
    body = "\n\n".join((text, page, _("No more of these: {link}").format(link=leave)))
    headers = {"List-Unsubscribe": f"<{leave}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}  # RFC 8058
    return Message(title=title, body=body, language=language, key=row.key, link=page), headers


def settle(connection: Connection, row: Row[Any], result: Any, now: DateTime) -> str:
    """Record what became of it. What cannot be known is not sent again: nobody gets a statement twice."""
    if not isinstance(result, Outcome):
        return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=now)
    if result.verdict in (Verdict.SENT, Verdict.UNVERIFIED):
        return _write(connection, row, "sent", sent_at=now, detail="")
    if result.verdict is Verdict.UNKNOWN:
        return _write(connection, row, "unknown", detail=result.detail)
    if result.detail == "they left":
        return _write(connection, row, "cancelled", detail=result.detail)
    if not result.begun or (result.verdict is not Verdict.REFUSED and row.attempts < MOST_ATTEMPTS):
        seconds = min(max(_wait(row.attempts), result.retry_after or 0.0), 3_600.0)
        later = now + timedelta(seconds=seconds)
        return _write(connection, row, "retry", detail=result.detail, next_attempt_at=later)
    return _write(connection, row, "dead", detail=result.detail)


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.settle(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
