"""Enqueueing: a decision's notices and publications become outbox rows, each under its unique key."""

from __future__ import annotations

from collections.abc import Iterable

from pendulum import DateTime

from channels.notice_wording import notice_payload
from domain.decide import Decision
from domain.facts import Fact
from domain.incident import Snapshot
from domain.notifications import Notification, Publication
from engine.response.facts import append_facts
from storage import outbox
from storage.database import Connection
from storage.outbox import OutboxEntry

NO_CHANNEL = "nowhere"  # the channel of someone who has none: refused at once, so that the next person is called


def commit_decision(
    connection: Connection, decision: Decision, now: DateTime, *, run_id: str = "", before: Iterable[Fact] = ()
) -> None:
    """Write a decision's facts (after those that led to it) and its outbox rows.

    The caller saves the snapshot in the same transaction.
    """
    snapshot = decision.snapshot
    append_facts(connection, snapshot, (*before, *decision.facts), run_id)
    for notice in decision.notices:
        if notice.number > 1 and notice.step:  # called again: what has not gone out yet says less than this
            outbox.coalesce_messages(connection, snapshot.response.id, notice.step, notice.person)
    outbox.enqueue_entries(connection, make_entries(decision, now), now)


def make_entries(decision: Decision, now: DateTime) -> list[OutboxEntry]:
    """Make the outbox rows of a decision."""
    snapshot = decision.snapshot
    notices = [make_notice_entry(snapshot, notice, now, place=place) for place, notice in enumerate(decision.notices)]
    return notices + [make_publication_entry(snapshot, publication) for publication in decision.publications]


def make_notice_entry(snapshot: Snapshot, notice: Notification, now: DateTime, *, place: int = 0) -> OutboxEntry:
    """Make the outbox row of one notice, on its person's first channel.

    `place`: which of its decision's notices it is. Of many incidents at once each has somebody called before
    any has its second person called.
    """
    person = snapshot.roster.people.get(notice.person)
    channel = person.channels[0] if person and person.channels else NO_CHANNEL
    key = notice.key(snapshot.incident.ref, snapshot.response.playbook.id)
    return OutboxEntry(
        key=f"{key}/{channel}/1",
        incident_id=snapshot.incident.id,
        response_id=snapshot.response.id,
        step=notice.step,
        kind="notice",
        purpose=str(notice.purpose),
        person=notice.person,
        channel=channel,
        lane=outbox.PRIORITY_PAGE if notice.urgent else outbox.PRIORITY_REST,
        rank=rank_in_outbox(snapshot) + min(place, 9),
        drill=snapshot.incident.drill,
        payload=notice_payload(snapshot, notice, now),
    )


def make_publication_entry(snapshot: Snapshot, publication: Publication) -> OutboxEntry:
    """Make the outbox row of one approved text for one official channel."""
    channel = snapshot.roster.public[publication.target]
    return OutboxEntry(
        key=publication.key(snapshot.incident.ref, snapshot.response.playbook.id),
        incident_id=snapshot.incident.id,
        response_id=snapshot.response.id,
        step=publication.step,
        kind="publication",
        purpose="publish",
        person=publication.channel,
        channel=channel.channel,
        lane=outbox.PRIORITY_PUBLICATION,
        rank=rank_in_outbox(snapshot),
        drill=snapshot.incident.drill,
        payload={
            "body": publication.text, "target": publication.target, "digest": publication.digest,
            "language": channel.language,
        },
    )  # fmt: skip


def rank_in_outbox(snapshot: Snapshot) -> int:
    """Return the rank of a row: harm to users first, then the brand, then cost; smaller goes first.

    Drills give way to what is real. Steps of ten: between two of them is room for the order of one decision's
    notices.
    """
    harm, brand, money = snapshot.incident.impact.rank()
    weight = min(harm, 999_999) * 1_000 + min(brand, 9) * 100 + min(money // 100_000, 99)
    return ((1_000_000_000 if snapshot.incident.drill else 0) - weight) * 10
