"""Optimisation proposal: what recurred, what it cost, what was promised last time, and whether it was done.

It is written from what is on record, and written anew when that changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.durations import elapsed
from domain.incident import Impact, Snapshot, StepState, StepStatus
from domain.playbook import PERSON_STEPS, StepKind
from domain.roster import Roster
from domain.text import Text
from engine.installation import Installation
from engine.learning.bilingual_document import render_document
from engine.review.blocks import Block, Cell, DocumentSheet, Heading, Paragraph, TableBlock, Tile, Tiles
from locales import Translator, format_span, translator
from storage import documents
from storage.database import Connection
from storage.documents import Document
from storage.incidents import incidents
from storage.incidents.warnings import WarningRecord
from storage.learning import promised_actions, recurrence_store
from storage.learning.promised_actions import PromisedAction
from storage.learning.recurrence_store import RecurrenceRecord, RecurrenceTotals

KIND = "optimisation-proposal"
MAX_CASES = 30  # cases in full: more nobody reads
_LATEST = 3  # clocks shown of an incident: the worst
_WORDS = 400  # characters of a public statement that are quoted


@dataclass(frozen=True, slots=True)
class ProposalCase:
    """One incident of a recurring kind: its cost, the clocks it missed, what was said in public."""

    ref: str
    title: str
    at: DateTime
    status: str
    impact: Impact
    hours: float
    late: Sequence[tuple[Text, timedelta]]  # steps, the latest first
    said: Sequence[Text]


@dataclass(frozen=True, slots=True)
class ProposalEvidence:
    """Content of a proposal."""

    kind: RecurrenceRecord
    ref: str  # of the warning
    owner: str
    due_at: DateTime | None
    totals: RecurrenceTotals
    cases: Sequence[ProposalCase]  # the newest of them
    tickets: Sequence[WarningRecord]
    promises: Sequence[PromisedAction]

    @property
    def more(self) -> int:
        """Number of cases beside those that are shown."""
        return self.totals.cases - len(self.cases) - len(self.tickets)


def refresh_proposal(installation: Installation, recurrence: str, now: DateTime) -> bool:
    """Write the proposal of a kind anew where its record changed; return whether it was written.

    It is read and written out before the lock is taken; of two who do so at once one keeps it.
    """
    with installation.database.read() as connection:
        kind = recurrence_store.get_recurrence(connection, recurrence)
        digest = _digest(connection, kind) if kind is not None else ""
        if kind is None or digest == kind.digest:
            return False
        made = _document(installation, _evidence(installation, connection, kind), now)
    with installation.database.write() as connection:
        if not recurrence_store.claim_digest(connection, recurrence, kind.digest, digest, made.id):
            return False
        documents.save_document(connection, made)
    return True


def _document(installation: Installation, found: ProposalEvidence, now: DateTime) -> Document:
    kind, roster = found.kind, installation.roster()
    name = kind.document or f"{KIND}/{found.ref or kind.id[:8]}"
    title = Text(f"Optimisation proposal: {kind.title['en']}", f"优化提案：{kind.title['zh']}")
    made = Document(
        name, title, now, about=found.ref, from_at=kind.first_at, to_at=kind.last_at, data=_data(found)
    )  # fmt: skip
    return render_document(made, lambda language: _sheet(found, title, roster, language, now))


def is_proposal_stale(connection: Connection, kind: RecurrenceRecord) -> bool:
    """Whether what is on record of a kind changed since its proposal was written."""
    return bool(_digest(connection, kind) != kind.digest)


def _digest(connection: Connection, kind: RecurrenceRecord) -> str:
    """Changes with whatever is worth a new version; counted by the database, however many cases there are."""
    found = (
        recurrence_store.find_case_id(connection, kind.id),
        recurrence_store.count_case_states(connection, kind.id),
        promised_actions.count_action_states(connection, kind.id),
    )
    return hashlib.sha256(repr(found).encode()).hexdigest()[:32]


# --- what is on record -------------------------------------------------------------------------------------------


def _evidence(installation: Installation, connection: Connection, kind: RecurrenceRecord) -> ProposalEvidence:
    roster = installation.roster()
    ids = recurrence_store.list_case_ids(connection, kind.id)[-MAX_CASES:]
    rows = recurrence_store.list_incidents_by_id(connection, ids) if kind.source == recurrence_store.INCIDENTS else []
    tickets = recurrence_store.list_tickets_by_id(connection, ids) if kind.source == recurrence_store.TICKETS else []
    cases = [_case(connection, roster, row.id) for row in rows]
    case = recurrence_store.find_case_id(connection, kind.id)
    ref, owner, due_at = "", "", None
    if case:
        snapshot = incidents.load_snapshot(connection, incidents.list_response_ids(connection, case)[0], roster)
        steps = list(snapshot.steps.values())
        ref, due_at = snapshot.incident.ref, max((step.due_at for step in steps), default=None)
        owner = next((step.owner or roster.primary(snapshot.plan(step).owner) or "" for step in steps), "")
    promises = promised_actions.list_recurrence_actions(connection, kind.id, MAX_CASES)
    totals = recurrence_store.compute_totals(connection, kind.id)
    return ProposalEvidence(kind, ref, owner, due_at, totals, cases, tickets, promises)


def _case(connection: Connection, roster: Roster, incident_id: str) -> ProposalCase:
    snapshots = [
        incidents.load_snapshot(connection, one, roster) for one in incidents.list_response_ids(connection, incident_id)
    ]
    incident = snapshots[0].incident
    late = sorted(_late(snapshots), key=lambda pair: (-pair[1], pair[0].en))[:_LATEST]
    return ProposalCase(
        incident.ref, incident.title, incident.declared_at, str(incident.status), incident.impact,
        round(sum(_hours(snapshots)), 2), late, list(_said(snapshots)),
    )  # fmt: skip


def _hours(snapshots: Iterable[Snapshot]) -> Iterable[float]:
    """Hours of people: from acknowledgement to done, of every step that a person did."""
    for snapshot in snapshots:
        for state in snapshot.steps.values():
            if snapshot.plan(state).kind in PERSON_STEPS and state.acknowledged_at and state.done_at:
                yield max(0.0, elapsed(state.acknowledged_at, state.done_at).total_seconds() / 3_600)


def _late(snapshots: Iterable[Snapshot]) -> Iterable[tuple[Text, timedelta]]:
    for snapshot in snapshots:
        for state in snapshot.steps.values():
            if state.done_at and state.done_at > state.due_at and state.status is StepStatus.DONE:
                yield snapshot.plan(state).title, elapsed(state.due_at, state.done_at)


def _said(snapshots: Iterable[Snapshot]) -> Iterable[Text]:
    """What was said in public, in the order in which it was."""
    posts: list[tuple[DateTime, Text]] = []
    for snapshot in snapshots:
        for state in snapshot.steps.values():
            plan = snapshot.plan(state)
            if plan.kind is StepKind.PUBLISH and state.status is StepStatus.DONE and state.done_at and plan.of:
                draft = snapshot.related(state, plan.of)
                if draft is not None and draft.texts:
                    posts.append((state.done_at, _text(draft)))
    return [text for _, text in sorted(posts, key=lambda post: post[0])]


def _text(draft: StepState) -> Text:
    other = next(iter(draft.texts.values()))
    return Text(draft.texts.get("en", other), draft.texts.get("zh_CN", draft.texts.get("zh", other)))


# --- how it reads ------------------------------------------------------------------------------------------------


def _data(found: ProposalEvidence) -> dict[str, Any]:
    return {
        "kind": found.kind.kind, "source": found.kind.source, "warning": found.ref, "owner": found.owner,
        "due_at": found.due_at.isoformat() if found.due_at else None,
        "totals": asdict(found.totals),
        "cases": [
            {"ref": case.ref, "at": case.at.isoformat(), "status": case.status, "hours": case.hours,
             "customers": case.impact.customers, "orders": case.impact.orders, "money": case.impact.money}
            for case in found.cases
        ] + [
            {"warning": row.id, "rule": row.rule, "at": row.began_at.isoformat(), "value": row.value}
            for row in found.tickets
        ],
        "promises": [{"ref": row.ref, "title": row.title, "state": row.state} for row in found.promises],
    }  # fmt: skip


def _sheet(found: ProposalEvidence, title: Text, roster: Roster, language: str, now: DateTime) -> DocumentSheet:
    _ = translator(language)
    owner = roster.name(found.owner) or "-"
    due = found.due_at.to_date_string() if found.due_at else "-"
    blocks: list[Block] = [
        Tiles([
            Tile(_("Cases"), f"{found.totals.cases:,}"),
            Tile(_("Customers"), f"{found.totals.customers:,}"),
            Tile(_("Orders"), f"{found.totals.orders:,}"),
            Tile(_("Money"), f"{found.totals.money:,} {roster.currency}"),
            Tile(_("Hours of people"), f"{sum(case.hours for case in found.cases):.1f}",
                 _("from acknowledged to done")),
            Tile(_("Owner"), owner, _("effect shown by {date}").format(date=due)),
        ]),
        Heading(_("Evidence")),
        _cases(found.cases, _) if found.cases else _tickets(found.tickets, _),
    ]  # fmt: skip
    if found.more:
        said = _("The newest {shown} are shown and their hours counted; {more} more are on record.")
        blocks.append(Paragraph(said.format(shown=MAX_CASES, more=found.more), tone="soft"))
    blocks += _extracts(found.cases, _, language)
    blocks += [Heading(_("What was promised last time")), _promises(found.promises, roster, now, _)]
    blocks += [
        Heading(_("What is proposed")),
        Paragraph(_("Decide measures that end it, each with an owner and a date. For example:")
              + f" tocsin action add {found.ref or 'WRN-1'} --title TEXT --owner ROLE --due 14d"),
    ]  # fmt: skip
    foot = _("Written from what is on record; a further case makes a new version.")
    return DocumentSheet(language, title.in_(language), found.ref, blocks, foot=foot)


def _cases(cases: Sequence[ProposalCase], _: Translator) -> TableBlock:
    head = [_("Incident"), _("Declared"), _("Title"), _("State"), _("Customers"), _("Orders"), _("Money"), _("Hours")]
    states = {
        "open": _("open"), "mitigated": _("mitigated"), "closed": _("closed"), "completed": _("completed"),
    }  # fmt: skip
    rows = [
        (
            case.ref, _day(case.at), case.title, states.get(case.status, case.status),
            f"{case.impact.customers:,}", f"{case.impact.orders:,}", f"{case.impact.money:,}", f"{case.hours:.1f}",
        )
        for case in cases
    ]  # fmt: skip
    return TableBlock(head, rows, numbers=frozenset({4, 5, 6, 7}))


def _tickets(tickets: Sequence[WarningRecord], _: Translator) -> TableBlock:
    rows = [
        (_day(row.began_at), row.rule, recurrence_store.ticket_category(row), f"{row.value:g}" if row.value else "-")
        for row in tickets
    ]
    return TableBlock([_("Began"), _("Rule"), _("Category"), _("Value")], rows, numbers=frozenset({3}))


def _extracts(cases: Sequence[ProposalCase], _: Translator, language: str) -> list[Block]:
    late = [
        (case.ref, step.in_(language), Cell(format_span(span, language), "bad"))
        for case in cases for step, span in case.late
    ]  # fmt: skip
    said = [(case.ref, _cut(text.in_(language))) for case in cases for text in case.said]
    return [
        Heading(_("Worst deadlines")),
        TableBlock([_("Incident"), _("Step"), _("Late by")], late, empty=_("No deadline was missed.")),
        Heading(_("What was said in public")),
        TableBlock([_("Incident"), _("Text")], said, empty=_("Nothing was published.")),
    ]


def _promises(promises: Sequence[PromisedAction], roster: Roster, now: DateTime, _: Translator) -> TableBlock:
    rows = []
    for row in promises:
        state = Cell(_("done"), "good") if row.state == "done" else Cell(_("open"))
        if row.state in ("abandoned", "skipped") or row.status == "cancelled":
            state = Cell(_("given up"), "bad")
        elif row.state != "done" and row.due_at < now:
            state = Cell(_("late"), "bad")
        rows.append((row.ref, row.origin, row.title, roster.name(row.holder or row.owner), _day(row.due_at), state))
    head = [_("Action"), _("After"), _("Measure"), _("Owner"), _("Due"), _("State")]
    return TableBlock(head, rows, empty=_("No measure is on record."))


def _day(at: DateTime) -> str:
    return at.format("YYYY-MM-DD HH:mm") + " UTC"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"
