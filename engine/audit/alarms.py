"""Alarms to the last resort: turns without Prefect over 5 % in an hour, and direct sends past the outbox."""

from __future__ import annotations

import uuid
from datetime import timedelta

from pendulum import DateTime

from channels.message import Message
from channels.notice_wording import localize_reason
from channels.outcome import SendVerdict
from domain.text import N_, Reason
from engine.installation import Installation
from locales import translator
from storage.incidents import turns
from storage.incidents.turns import TurnShares

WINDOW = timedelta(hours=1)
LIMIT = 0.05  # share of turns without Prefect from which on somebody is told
MIN_TURNS = 20  # turns in the window below which a share says nothing
REPEAT_AFTER = timedelta(hours=1)
RETRY_AFTER = timedelta(minutes=1)  # until the next try, where nobody could be told
DELIVERED = (SendVerdict.SENT, SendVerdict.UNVERIFIED)
_SUBJECT = N_("Prefect is not driving: {percent} % of turns went without it")
_BODY = N_(
    "In the last hour {without} of {turns} turns were taken without Prefect. "
    "Nothing is late because of it. See `tocsin doctor`."
)


def read_share_without_prefect(installation: Installation, now: DateTime) -> TurnShares:
    """Return the share of turns without Prefect in the last hour."""
    with installation.database.read() as connection:
        return turns.count_turns(connection, now - WINDOW)


def check_share_without_prefect(installation: Installation, now: DateTime) -> bool:
    """Notify the last resort once an hour while the share is over its limit; return whether it was told now."""
    found = read_share_without_prefect(installation, now)
    if found.turns < MIN_TURNS or found.share <= LIMIT:
        return False
    with installation.database.write() as connection:
        turns.lock_commands(connection, ["share-alarm"])  # several engines look
        last = turns.load_installation_fact(connection, "share-alarm")
        if last and now - last[1] < REPEAT_AFTER:
            return False
        turns.save_installation_fact(
            connection, "share-alarm", {"turns": found.turns, "without": found.without_prefect}, now
        )
    values: dict[str, str | int] = {
        "percent": round(found.share * 100),
        "without": found.without_prefect,
        "turns": found.turns,
    }
    told = notify_last_resort(
        installation, _SUBJECT, _BODY, Reason(_SUBJECT, values), alarm="share-alarm", urgent=False
    )
    if not told:  # nobody knows yet: not in an hour, but soon
        with installation.database.write() as connection:
            turns.save_installation_fact(connection, "share-alarm", {"told": False}, now - REPEAT_AFTER + RETRY_AFTER)
    return told


def notify_last_resort(
    installation: Installation, subject: str, body: str, what: Reason, *, alarm: str, urgent: bool
) -> bool:
    """Send to the last resort at once, past the outbox, which may be broken; return whether a service took it.

    `subject` and `body` are templates of the catalogues; `{what}` stands for the reason. `alarm` begins its
    key; `urgent`: it wakes a sleeping person.
    """
    roster = installation.roster()
    person = roster.people.get(roster.primary("last-resort") or "")
    if person is None:
        return False
    _ = translator(person.language)
    shown = localize_reason(what, person.language)
    message = Message(
        title=_(subject).format(what=shown, **what.values),
        body=_(body).format(what=shown, **what.values),
        language=person.language,
        key=f"{alarm}/{uuid.uuid4()}",
        urgent=urgent,
    )
    return any(installation.channels().send(channel, message).verdict in DELIVERED for channel in person.channels)
