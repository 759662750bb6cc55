"""The share of turns that went without Prefect: a figure, and over its limit an alarm to the last resort."""

from __future__ import annotations

import uuid
from datetime import timedelta

from pendulum import DateTime

from channels.message import Message
from channels.outcome import Verdict
from channels.wording import reason_in
from domain.text import N_, Reason
from engine.house import House
from locales import translator
from storage import turns
from storage.turns import Shares

WINDOW = timedelta(hours=1)
LIMIT = 0.05  # share of turns without Prefect from which on somebody is told
FEWEST = 20  # turns in the window below which a share says nothing
AGAIN = timedelta(hours=1)
SOON = timedelta(minutes=1)  # until the next try, where nobody could be told
TOLD = (Verdict.SENT, Verdict.UNVERIFIED)
_SUBJECT = N_("Prefect is not driving: {percent} % of turns went without it")
_BODY = N_(
    "In the last hour {without} of {turns} turns were taken without Prefect. "
    "Nothing is late because of it. See `tocsin doctor`."
)


def share(house: House, now: DateTime) -> Shares:
    """The share in the last hour."""
    with house.database.read() as connection:
        return turns.shares(connection, now - WINDOW)


def watch_share(house: House, now: DateTime) -> bool:
    """Tell the last resort once an hour while the share is over its limit; whether it was told now."""
    found = share(house, now)
    if found.turns < FEWEST or found.share <= LIMIT:
        return False
    with house.database.write() as connection:
        turns.hold(connection, ["share-alarm"])  # several engines look
        last = turns.kept(connection, "share-alarm")
        if last and now - last[1] < AGAIN:
            return False
        turns.keep(connection, "share-alarm", {"turns": found.turns, "without": found.without_prefect}, now)
    values: dict[str, str | int] = {
        "percent": round(found.share * 100),
        "without": found.without_prefect,
        "turns": found.turns,
    }
    told = tell_last_resort(house, _SUBJECT, _BODY, Reason(_SUBJECT, values), alarm="share-alarm", urgent=False)
    if not told:  # nobody knows yet: not in an hour, but soon
        with house.database.write() as connection:
            turns.keep(connection, "share-alarm", {"told": False}, now - AGAIN + SOON)
    return told


def tell_last_resort(house: House, subject: str, body: str, what: Reason, *, alarm: str, urgent: bool) -> bool:
    """Send to the last resort at once, past the outbox: what is wrong may be the outbox. Whether a service took it.

    `subject` and `body` are templates of the catalogues; `{what}` stands for the reason. `alarm` begins its key;
    `urgent`: it wakes a sleeping person.
    """
    roster = house.roster()
    person = roster.people.get(roster.primary("last-resort") or "")
    if person is None:
        return False
    _ = translator(person.language)
    shown = reason_in(what, person.language)
    message = Message(
        title=_(subject).format(what=shown, **what.values),
        body=_(body).format(what=shown, **what.values),
        language=person.language,
        key=f"{alarm}/{uuid.uuid4()}",
        urgent=urgent,
    )
    return any(house.channels().send(channel, message).verdict in TOLD for channel in person.channels)
