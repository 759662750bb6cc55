"""Past incidents like this one, and why: for whoever has just declared it."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime

from channels.wording import reason_in
from domain.learning.likeness import most_alike
from engine.learning.desk import LearningDesk
from storage import incidents, learning_recurrence
from storage.board import iso

MOST = 5
YEAR = 366


def similar(desk: LearningDesk, ref: str, now: DateTime) -> dict[str, Any]:
    """Real incidents of the last year that are like this one, the most alike first, each with its reasons.

    Raises:
        UnknownIncident: there is none of that reference.
    """
    plan = desk.plan
    with desk.house.database.read() as connection:
        incident_id = incidents.find(connection, ref)
        rows = {row.id: row for row in learning_recurrence.past(connection, now.subtract(days=YEAR), now)}
        incident = incidents.load_incident(connection, incident_id)
        playbook = incidents.first_playbook(connection, incident_id)
    mine = learning_recurrence.print_of_incident(incident, playbook)
    others = (learning_recurrence.print_of(row) for row in rows.values() if row.declared_at <= incident.declared_at)
    found = most_alike(mine, others, at_least=plan.similar_from, most=MOST)
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
            for other, alike in found
        ],
    }  # fmt: skip
