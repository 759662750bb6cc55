"""What a decision owes becomes rows of the outbox: rendered, addressed, each under its unique key."""

from __future__ import annotations

from collections.abc import Iterable

from pendulum import DateTime
from sqlalchemy import Connection

from channels.wording import notice_payload
from domain.decide import Decision
from domain.facts import Fact, FactKind
from domain.incident import Snapshot
from domain.notices import UNTIL_ACKNOWLEDGED, UNTIL_OVER, Notice, Publication
from storage import incidents, outbox, timeline
from storage.outbox import Owed

K = FactKind
NOWHERE = "nowhere"  # the channel of someone who has none: refused at once, so that the next person is called
_OVER = frozenset({K.DONE, K.SKIPPED, K.ABANDONED, K.SUPERSEDED, K.VOIDED, K.DRAFTED, K.APPROVED, K.REJECTED})


def commit_decision(
    connection: Connection, decision: Decision, now: DateTime, *, run_id: str = "", before: Iterable[Fact] = ()
) -> None:
    """Write a decision's facts (after those that led to it) and what it owes, with the snapshot in one transaction."""
    snapshot = decision.snapshot
    append_facts(connection, snapshot, (*before, *decision.facts), run_id)
    for notice in decision.notices:
        if notice.number > 1 and notice.step:  # called again: what has not gone out yet says less than this
            outbox.coalesce(connection, snapshot.response.id, notice.step, notice.person)
    outbox.enqueue(connection, owed_by(decision, now), now)


def owed_by(decision: Decision, now: DateTime) -> list[Owed]:
    """What a decision owes, as rows of the outbox."""
    snapshot = decision.snapshot
    notices = [owe_notice(snapshot, notice, now, place=place) for place, notice in enumerate(decision.notices)]
    return notices + [owe_publication(snapshot, publication) for publication in decision.publications]


def append_facts(connection: Connection, snapshot: Snapshot, facts: Iterable[Fact], run_id: str = "") -> None:
    """Facts onto the timeline, and what they make needless out of the outbox."""
    facts = list(facts)
    timeline.append(connection, snapshot.incident.id, facts, response_id=snapshot.response.id, run_id=run_id)
    for fact in facts:
        if not _called_before(snapshot, fact, facts):
            continue
        if fact.kind is K.ACKNOWLEDGED:
            outbox.withdraw(connection, snapshot.response.id, fact.step, UNTIL_ACKNOWLEDGED, "acknowledged")
        elif fact.kind is K.REASSIGNED:
            outbox.withdraw(connection, snapshot.response.id, fact.step, UNTIL_ACKNOWLEDGED, "given to another person")
        elif fact.kind in _OVER and fact.step:
            outbox.withdraw(connection, snapshot.response.id, fact.step, UNTIL_OVER, str(fact.kind))
    if any(fact.kind in (K.MITIGATED, K.CLOSED, K.REOPENED, K.CANCELLED) for fact in facts):
        incidents.wake(connection, incidents.responses_of(connection, snapshot.incident.id), facts[0].at)


def _called_before(snapshot: Snapshot, fact: Fact, facts: list[Fact]) -> bool:
    """Whether anyone can have been called for the fact's step before these facts: else nothing is to withdraw."""
    state = snapshot.steps.get(fact.step)
    opened_here = any(f.kind is K.OPENED and f.step == fact.step for f in facts)
    return state is not None and state.calls > (1 if opened_here else 0)


def owe_notice(snapshot: Snapshot, notice: Notice, now: DateTime, *, place: int = 0) -> Owed:
    """One notice on its person's first channel.

    `place`: which of its decision's notices it is. Of many incidents at once each has somebody called before any has
    its second person called.
    """
    person = snapshot.roster.people.get(notice.person)
    channel = person.channels[0] if person and person.channels else NOWHERE
    key = notice.key(snapshot.incident.ref, snapshot.response.playbook.id)
    return Owed(
        key=f"{key}/{channel}/1",
        incident_id=snapshot.incident.id,
        response_id=snapshot.response.id,
        step=notice.step,
        kind="notice",
        purpose=str(notice.purpose),
        person=notice.person,
        channel=channel,
        lane=outbox.PAGE if notice.urgent else outbox.REST,
        rank=rank_of(snapshot) + min(place, 9),
        drill=snapshot.incident.drill,
        payload=notice_payload(snapshot, notice, now),
    )


def owe_publication(snapshot: Snapshot, publication: Publication) -> Owed:
    """One approved text for one official channel."""
    channel = snapshot.roster.public[publication.target]
    return Owed(
        key=publication.key(snapshot.incident.ref, snapshot.response.playbook.id),
        incident_id=snapshot.incident.id,
        response_id=snapshot.response.id,
        step=publication.step,
        kind="publication",
        purpose="publish",
        person=publication.channel,
        channel=channel.channel,
        lane=outbox.PUBLICATION,
        rank=rank_of(snapshot),
        drill=snapshot.incident.drill,
        payload={
            "body": publication.text, "target": publication.target, "digest": publication.digest,
            "language": channel.language,
        },
    )  # fmt: skip


def rank_of(snapshot: Snapshot) -> int:
    """Harm to users first, then the brand, then cost: smaller goes first. Drills give way to what is real.

    Steps of ten: between two of them is room for the order of one decision's notices.
    """
    harm, brand, money = snapshot.incident.impact.rank()
    weight = min(harm, 999_999) * 1_000 + min(brand, 9) * 100 + min(money // 100_000, 99)
    return ((1_000_000_000 if snapshot.incident.drill else 0) - weight) * 10
