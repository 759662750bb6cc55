"""Executive overview: each incident's cost and hourly brief, decisions that wait, the budget."""

from __future__ import annotations

from typing import Any, Final

from pendulum import DateTime

from channels.notice_wording import executive_brief_lines
from domain.incident import BEGUN_STATUSES, SATISFIED_STATUSES, CaseType, Snapshot, StepState
from domain.playbook import StepKind
from domain.roster import Person
from engine.installation import Installation
from storage.incidents import approved_spending, board, incidents
from storage.incidents.incident_document import step_document as step_of

MAX_INCIDENTS: Final = 20  # nobody decides about more at a time; the board has them all
MAX_DRILLS: Final = 3


def build_overview(installation: Installation, now: DateTime, language: str, zone: str) -> dict[str, Any]:
    """The open incidents, the most urgent first, and what was promised in money this month.

    `incidents`: each its head, `paragraph` (lines) and `decisions` (steps that wait for a yes, no or approval, each
    with `text`, the draft that it is about). `more`: how many are open beside those. `budget`: `currency`, `month`,
    `promised`, `of` (None: none was set).
    """
    roster = installation.roster()
    reader = Person(id="", name="", channels=(), language=language, timezone=zone)
    found = []
    with installation.database.read() as connection:
        heads = board.list_open_cases(
            connection, CaseType.INCIDENT, drill=False, limit=MAX_INCIDENTS, urgent_first=True
        )
        heads += board.list_open_cases(connection, CaseType.INCIDENT, drill=True, limit=MAX_DRILLS)
        whole = board.count_open(connection)
        responses = incidents.list_response_ids_by_incident(connection, [head["id"] for head in heads])
        for head in heads:
            snapshots = [incidents.load_snapshot(connection, name, roster) for name in responses[head["id"]]]
            found.append({
                **board.incident_summary(snapshots[0].incident),
                "paragraph": executive_brief_lines(snapshots[0], reader, now),
                "decisions": [one for snapshot in snapshots for one in _decisions(snapshot, installation, now)],
                "seen": head["facts"],
            })  # fmt: skip
        month = now.in_timezone(zone).start_of("month")
        promised = approved_spending.sum_approved_since(connection, month.in_timezone("UTC"))
    budget = {"currency": roster.currency, "month": month.format("YYYY-MM"), "promised": promised, "of": roster.budget}
    return {
        "incidents": found,
        "more": max(0, whole - len(found)),
        "budget": budget,
        "people": {one.id: one.name for one in roster.people.values()},
    }


def _decisions(snapshot: Snapshot, installation: Installation, now: DateTime) -> list[dict[str, Any]]:
    found = []
    for state in sorted(snapshot.steps.values(), key=lambda one: one.due_at):
        plan = snapshot.plan(state)
        if state.status not in BEGUN_STATUSES or not (plan.attaches or plan.kind is StepKind.APPROVE):
            continue
        if any(need is None or need.status not in SATISFIED_STATUSES for _, need in snapshot.needs(state)):
            continue  # there is nothing yet to decide about
        draft = snapshot.related(state, plan.of) if plan.of else None
        document = step_of(snapshot, state, now)
        document["name"] = f"{snapshot.response.playbook.id}:{state.id}"
        document["begins"] = (
            board.both_languages(installation.library.get(plan.attaches).title) if plan.attaches else None
        )
        document["text"] = _text(snapshot, draft, now) if draft else None
        found.append(document)
    return found


def _text(snapshot: Snapshot, draft: StepState, now: DateTime) -> dict[str, Any]:
    text = step_of(snapshot, draft, now)
    return {**text, "name": f"{snapshot.response.playbook.id}:{draft.id}"}
