"""Similar incidents: past ones like the incident just declared, each with its reasons, for its declarer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pendulum import DateTime

from channels.notice_wording import localize_reason
from domain.durations import elapsed
from domain.learning.similarity import IncidentFingerprint, find_most_similar
from engine.learning.service import LearningService
from storage.incidents import incidents
from storage.incidents.board import iso_time
from storage.learning import recurrence_store

MAX_SHOWN = 5
COMPARED = 1_000  # the newest: comparing takes a hundredth of a second or two
LOOK_BACK_DAYS = 366
CACHE_FOR = timedelta(seconds=30)  # a page that is looked at is asked for every second
_MOST_KEPT = 256


def find_similar_cached(learning: LearningService, ref: str, now: DateTime) -> list[dict[str, Any]]:
    """Return similar incidents for a page, at most half a minute old."""
    kept = learning.similar_cache.get(ref)
    if kept is None or not timedelta(0) <= elapsed(kept[0], now) < CACHE_FOR:
        if len(learning.similar_cache) >= _MOST_KEPT:
            learning.similar_cache.clear()
        kept = learning.similar_cache[ref] = (now, find_similar(learning, ref)["similar"])
    return kept[1]


def find_similar(learning: LearningService, ref: str) -> dict[str, Any]:
    """Find real incidents of the year before that are like this one, the most alike first, with reasons.

    Raises:
        UnknownIncident: there is none of that reference.
    """
    plan = learning.plan
    with learning.installation.database.read() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incident = incidents.load_incident(connection, incident_id)
        began = incident.declared_at
        found = recurrence_store.list_past_incidents(connection, began.subtract(days=LOOK_BACK_DAYS), began, COMPARED)
        playbook = incidents.find_first_playbook(connection, incident_id)
    rows = {row.id: row for row in found}
    mine = recurrence_store.make_fingerprint(incident, playbook)
    others = (one.fingerprint for one in found)
    alikes = find_most_similar(mine, others, at_least=plan.similar_from, most=MAX_SHOWN)
    return {
        "ref": incident.ref,
        "similar": [
            {
                "ref": rows[other.id].ref, "title": other.title, "declared_at": iso_time(other.at),
                "status": rows[other.id].status, "score": round(alike.score, 2),
                "reasons": {
                    "en": [localize_reason(reason, "en") for reason in alike.reasons],
                    "zh": [localize_reason(reason, "zh_CN") for reason in alike.reasons],
                },
            }
            for other, alike in alikes
        ],
    }  # fmt: skip


def find_open_similar(
    learning: LearningService, title: str, *, service: str, kind: str, playbook: str, now: DateTime
) -> list[dict[str, Any]]:
    """Find open incidents like a declaration that is being written, the most alike first: it may be the same."""
    with learning.installation.database.read() as connection:
        rows = {row.id: row for row in recurrence_store.list_open_incidents(connection, COMPARED)}
    mine = IncidentFingerprint("", title, now, service, playbook, kind)
    others = (one.fingerprint for one in rows.values())
    alikes = find_most_similar(mine, others, at_least=learning.plan.similar_from, most=MAX_SHOWN)
    found = (rows[other.id] for other, _ in alikes)
    return [
        {"ref": row.ref, "title": row.title, "status": row.status, "declared_at": iso_time(row.declared_at)}
        for row in found
    ]
