"""Past incidents like this one, and why: for whoever has just declared it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pendulum import DateTime

from channels.wording import reason_in
from domain.durations import elapsed
from domain.learning.likeness import Fingerprint, most_alike
from engine.learning.desk import LearningDesk
from storage import incidents, learning_recurrence
from storage.board import iso

MOST = 5
COMPARED = 1_000  # the newest: comparing takes a hundredth of a second or two
YEAR = 366
KEPT = timedelta(seconds=30)  # a page that is looked at is asked for every second
_MOST_KEPT = 256


def remembered(desk: LearningDesk, ref: str, now: DateTime) -> list[dict[str, Any]]:
    """The same for a page: as it was within the last half minute."""
    kept = desk.kept.get(ref)
    if kept is None or not timedelta(0) <= elapsed(kept[0], now) < KEPT:
        if len(desk.kept) >= _MOST_KEPT:
            desk.kept.clear()
        kept = desk.kept[ref] = (now, similar(desk, ref)["similar"])
    return kept[1]


def similar(desk: LearningDesk, ref: str) -> dict[str, Any]:
    """Real incidents of the year before that are like this one, the most alike first, each with its reasons.

    Raises:
        UnknownIncident: there is none of that reference.
    """
    plan = desk.plan
    with desk.house.database.read() as connection:
        incident_id = incidents.find(connection, ref)
        incident = incidents.load_incident(connection, incident_id)
        began = incident.declared_at
        found = learning_recurrence.past(connection, began.subtract(days=YEAR), began, COMPARED)
        playbook = incidents.first_playbook(connection, incident_id)
    rows = {row.id: row for row in found}
    mine = learning_recurrence.print_of_incident(incident, playbook)
    others = map(learning_recurrence.print_of, found)
    alikes = most_alike(mine, others, at_least=plan.similar_from, most=MOST)
    return {
        "ref": incident.ref,
        "similar": [
            {
                "ref": rows[other.id].ref, "title": other.title, "declared_at": iso(other.at),
                "status": rows[other.id].status, "score": round(alike.score, 2),
                "reasons": {
                    "en": [reason_in(reason, "en") for reason in alike.reasons],
                    "zh": [reason_in(reason, "zh_CN") for reason in alike.reasons],
                },
            }
            for other, alike in alikes
        ],
    }  # fmt: skip


def open_ones(
    desk: LearningDesk, title: str, *, service: str, kind: str, playbook: str, now: DateTime
) -> list[dict[str, Any]]:
    """What is open and like a declaration that is being written, the most alike first: perhaps it is the same."""
    with desk.house.database.read() as connection:
        rows = {row.id: row for row in learning_recurrence.open_ones(connection, COMPARED)}
    mine = Fingerprint("", title, now, service, playbook, kind)
    others = map(learning_recurrence.print_of, rows.values())
    alikes = most_alike(mine, others, at_least=desk.plan.similar_from, most=MOST)
    found = (rows[other.id] for other, _ in alikes)
    return [
        {"ref": row.ref, "title": row.title, "status": row.status, "declared_at": iso(row.declared_at)} for row in found
    ]
