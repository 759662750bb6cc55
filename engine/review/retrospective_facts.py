"""What a retrospective knows by itself: the course, the clocks, who was called by role, customers' counts, effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from pendulum import DateTime
from sqlalchemy import Connection, select

from domain.action import ActionKind
from domain.durations import elapsed, later
from domain.facts import FactKind
from domain.incident import Snapshot
from domain.review import clocks
from domain.review.clocks import Outcome
from domain.review.effects import effect
from domain.review.period import Period, Span
from domain.roster import Roster
from domain.warning.rule import Aggregate
from engine.review.desk import ReviewDesk
from engine.review.matters import Case, missed_steps
from engine.review.measuring import Amount, Measured
from engine.review.monthly import answered
from storage import customers, reviews, timeline
from storage.board import both, iso
from storage.incidents import INCIDENT

BEFORE_DAYS: Final = 28  # four whole weeks: each weekday weighs alike
MOST_FACTS: Final = 200
K = FactKind
_TOLD: Final = frozenset({
    K.DECLARED, K.ATTACHED, K.MITIGATED, K.CLOSED, K.REOPENED, K.JOINED, K.WORSENED, K.EASED, K.RECOVERED, K.SILENCE,
    K.ACKNOWLEDGED, K.ESCALATED, K.MISSED, K.DONE, K.ABANDONED, K.APPROVED, K.REJECTED, K.VOIDED, K.PUBLISHED,
    K.IN_DOUBT, K.PUBLISH_FAILED, K.WITHOUT_PREFECT, K.NOTICE_DEAD, K.NOTED,
})  # fmt: skip


def gather(desk: ReviewDesk, connection: Connection, case: Case, now: DateTime) -> dict[str, Any]:
    """All that the document says, JSON-able. People appear by their roles alone."""
    incident, roster = case.incident, desk.house.roster()
    row = reviews.retrospective(connection, incident.id)
    answers, result = clocks.tally(_answers(case, now)), customers.result(connection, incident.id)
    return {
        "ref": incident.ref, "title": incident.title, "severity": incident.severity, "status": str(incident.status),
        "nature": str(incident.nature), "kind": incident.kind, "service": incident.service, "drill": incident.drill,
        "zone": desk.plan.zone, "currency": roster.currency,
        "declared_at": iso(incident.declared_at), "mitigated_at": iso(incident.mitigated_at),
        "closed_at": iso(incident.closed_at), "first_word_at": iso(case.first_word),
        "impact": asdict(incident.impact),
        "deadlines": asdict(clocks.tally(clocks.deadline(state, now) for state in case.steps())),
        "acknowledged": asdict(answers), "missed": len(missed_steps(case, now)),
        "recovery": [str(clocks.recovery(incident, one.response, now)) for one in case.responses],
        "steps": [step for one in case.responses for step in _steps(one, roster, now)],
        "timeline": _timeline(connection, case),
        "customers": answered(result),
        "words": dict(row.words) if row else {},
        "review": row.matter if row else "",
        "actions": actions(connection, incident.ref),
        "effects": effects(desk, connection, case, now),
    }  # fmt: skip


def actions(connection: Connection, ref: str) -> list[dict[str, Any]]:
    """The actions that a matter's retrospective put on record."""
    query = select(INCIDENT).where(INCIDENT.c.origin == ref, INCIDENT.c.kind == str(ActionKind.RETROSPECTIVE))
    found = connection.execute(query.where(INCIDENT.c.nature == "action").order_by(INCIDENT.c.number))
    return [{"ref": row.ref, "title": row.title, "status": row.status} for row in found]


def _answers(case: Case, now: DateTime) -> Iterator[Outcome]:
    return (clocks.acknowledgement(state, now) for state in case.steps())


def _steps(one: Snapshot, roster: Roster, now: DateTime) -> Iterator[dict[str, Any]]:
    """Who was called, by role, when they answered, and what became of it."""
    for state in one.steps.values():
        if state.opened_at is None:
            continue
        plan = one.plan(state)
        answer = clocks.answer_time(state)
        role = roster.roles.get(plan.owner)
        late = elapsed(state.due_at, state.done_at).total_seconds() if state.done_at else None
        yield {
            "id": state.id, "title": both(plan.title), "role": role.title if role else plan.owner,
            "calls": state.calls, "level": state.level, "opened_at": iso(state.opened_at), "due_at": iso(state.due_at),
            "answer_seconds": answer.total_seconds() if answer is not None else None,
            "acknowledged": str(clocks.acknowledgement(state, now)), "deadline": str(clocks.deadline(state, now)),
            "late_seconds": late if late is not None and late > 0 else None, "status": str(state.status),
        }  # fmt: skip


def _timeline(connection: Connection, case: Case) -> list[dict[str, Any]]:
    titles = {
        state.id: both(one.plan(state).title) for one in case.responses for state in one.steps.values()
    }  # fmt: skip
    found = [
        {"at": iso(entry.at), "kind": entry.kind, "step": titles.get(entry.step), "data": _data(entry.kind, entry.data)}
        for entry in timeline.read(connection, case.incident.id)
        if entry.kind in _TOLD and not (entry.kind == K.NOTED and "follow_up" in entry.data)
    ]
    return found[:MOST_FACTS]


def _data(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What a sentence of the timeline needs, and no person's name."""
    if kind == K.DONE and data.get("late_seconds", 0) > 0:
        return {"late_seconds": data["late_seconds"]}
    wanted = {
        K.NOTED: ("text",), K.ATTACHED: ("playbook",), K.PUBLISHED: ("channel",), K.IN_DOUBT: ("channel",),
        K.PUBLISH_FAILED: ("channel",), K.REOPENED: ("reason",), K.CLOSED: ("reason",),
        K.JOINED: ("rule", "tier"), K.WORSENED: ("rule", "tier"), K.EASED: ("rule", "tier"), K.RECOVERED: ("rule",),
    }.get(FactKind(kind), ())  # fmt: skip
    return {name: data[name] for name in wanted if data.get(name) not in (None, "")}


# --- effects -----------------------------------------------------------------------------------------------------


def effects(desk: ReviewDesk, connection: Connection, case: Case, now: DateTime) -> dict[str, Any]:
    """The figures before, during and after, with a verdict on each: four weeks before against the days since."""
    zone, incident = desk.plan.zone, case.incident
    began = incident.declared_at.in_timezone(zone).start_of("day")
    over = (incident.closed_at or now).in_timezone(zone).start_of("day").add(days=1)
    today = now.in_timezone(zone).start_of("day")
    until = min(today, later(over, desk.plan.trace_for)) if incident.closed_at else over
    until = max(until, over)
    spans = {
        "before": Period(Span.DAY, "before", began.subtract(days=BEFORE_DAYS), began),
        "during": Period(Span.DAY, "during", began, over),
        "after": Period(Span.DAY, "after", over, until),
    }
    metrics = desk.metrics()
    measured = {
        name: Measured(desk.figures, connection, metrics, span)
        for name, span in spans.items()
        if span.begins < span.ends
    }
    found = [_effect(measured, name, incident.service) for name in desk.plan.traced]
    return {
        "days": [spans["before"].begins.format("YYYY-MM-DD"), until.subtract(days=1).format("YYYY-MM-DD")],
        "days_after": max(0, elapsed(over, until).days), "of_days": desk.plan.trace_for.days, "figures": found,
    }  # fmt: skip


def _effect(measured: dict[str, Measured], name: str, service: str) -> dict[str, Any]:
    amounts = {span: _amount(one, name, service) for span, one in measured.items()}
    known = measured["before"].known(name)
    scoped = bool(service) and any(scope for _, scope in amounts.values())
    if scoped:  # of one service everywhere, or of all everywhere: never one against the other
        amounts = {span: (one.amount(name, service=service), service) for span, one in measured.items()}
    by_day = {span: dict(amount.by_day) for span, (amount, _) in amounts.items()}
    before, after = list(by_day["before"].values()), list(by_day.get("after", {}).values())
    found = effect(before, after, measured["before"].better(name))
    during = amounts["during"][0].value if "during" in amounts else None
    return {
        "metric": name, "title": both(known.title) if known else {"en": name, "zh": name},
        "service": service if scoped else "", "during": during, **asdict(found), "verdict": str(found.verdict),
        "by_day": {day: value for span in by_day.values() for day, value in span.items()},
    }  # fmt: skip


def _amount(measured: Measured, name: str, service: str) -> tuple[Amount, str]:
    """The service's own figure where it has one; shares are kept of the whole operation."""
    known = measured.known(name)
    if service and not (known is not None and known.aggregate is Aggregate.SHARE) and name != "complaint_rate":
        own = measured.amount(name, service=service)
        if own.events:
            return own, service
    return measured.amount(name), ""
