"""Facts of a retrospective: timeline, clocks, roles called, customers' counts, effects on figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from pendulum import DateTime

from domain.action import ActionKind
from domain.durations import elapsed, later
from domain.facts import FactKind
from domain.incident import Snapshot
from domain.review import deadline_results
from domain.review.deadline_results import ClockOutcome
from domain.review.effects import measure_effect
from domain.review.period import Period, PeriodLength
from domain.roster import Roster
from domain.warning.rule import Aggregate
from engine.review.case_records import CaseRecord, list_missed_steps
from engine.review.monthly_report import survey_figures
from engine.review.period_metrics import MetricAmount, PeriodMetrics
from engine.review.service import ReviewService
from storage.customers import affected_customers
from storage.database import Connection
from storage.incidents import timeline
from storage.incidents.board import both_languages, iso_time
from storage.learning import promised_actions
from storage.reviews import review_records

BEFORE_DAYS: Final = 28  # four whole weeks: each weekday weighs alike
MOST_FACTS: Final = 200
K = FactKind
_TOLD: Final = frozenset(
    {
        K.DECLARED,
        K.ATTACHED,
        K.MITIGATED,
        K.CLOSED,
        K.REOPENED,
        K.JOINED,
        K.WORSENED,
        K.EASED,
        K.RECOVERED,
        K.UPDATE_OVERDUE,
        K.ACKNOWLEDGED,
        K.ESCALATED,
        K.MISSED,
        K.DONE,
        K.ABANDONED,
        K.APPROVED,
        K.REJECTED,
        K.VOIDED,
        K.PUBLISHED,
        K.IN_DOUBT,
        K.PUBLISH_FAILED,
        K.WITHOUT_PREFECT,
        K.NOTICE_DEAD,
        K.NOTED,
    }
)


def gather_facts(reviews: ReviewService, connection: Connection, case: CaseRecord, now: DateTime) -> dict[str, Any]:
    """Gather all that the document says, JSON-able. People appear by their roles alone."""
    incident, roster = case.incident, reviews.installation.roster()
    row = review_records.get_retrospective(connection, incident.id)
    answers, result = (
        deadline_results.tally_outcomes(_answers(case, now)),
        affected_customers.compute_result(connection, incident.id),
    )
    return {
        "ref": incident.ref,
        "title": incident.title,
        "severity": incident.severity,
        "status": str(incident.status),
        "nature": str(incident.case_type),
        "kind": incident.kind,
        "service": incident.service,
        "drill": incident.drill,
        "zone": reviews.plan.zone,
        "currency": roster.currency,
        "declared_at": iso_time(incident.declared_at),
        "mitigated_at": iso_time(incident.mitigated_at),
        "closed_at": iso_time(incident.closed_at),
        "first_word_at": iso_time(case.first_word),
        "impact": asdict(incident.impact),
        "deadlines": asdict(
            deadline_results.tally_outcomes(deadline_results.judge_deadline(state, now) for state in case.steps())
        ),
        "acknowledged": asdict(answers),
        "missed": len(list_missed_steps(case, now)),
        "recovery": [str(deadline_results.judge_recovery(incident, one.response, now)) for one in case.responses],
        "steps": [step for one in case.responses for step in _steps(one, roster, now)],
        "timeline": _timeline(connection, case),
        "customers": survey_figures(result),
        "words": dict(row.words) if row else {},
        "review": row.matter if row else "",
        "actions": list_actions(connection, incident.ref),
        "effects": measure_effects(reviews, connection, case, now),
    }


def list_actions(connection: Connection, ref: str) -> list[dict[str, Any]]:
    """List the actions that a case's retrospective put on record."""
    found = promised_actions.list_actions(connection, origins=[ref], kinds=[str(ActionKind.RETROSPECTIVE)])
    in_order = sorted(found, key=lambda row: row.number)
    return [{"ref": row.ref, "title": row.title, "status": row.status} for row in in_order]


def _answers(case: CaseRecord, now: DateTime) -> Iterator[ClockOutcome]:
    return (deadline_results.judge_acknowledgement(state, now) for state in case.steps())


def _steps(one: Snapshot, roster: Roster, now: DateTime) -> Iterator[dict[str, Any]]:
    """Who was called, by role, when they answered, and what became of it."""
    for state in one.steps.values():
        if state.opened_at is None:
            continue
        plan = one.plan(state)
        answer = deadline_results.answer_time(state)
        role = roster.roles.get(plan.owner)
        late = elapsed(state.due_at, state.done_at).total_seconds() if state.done_at else None
        yield {
            "id": state.id,
            "title": both_languages(plan.title),
            "role": role.title if role else plan.owner,
            "calls": state.calls,
            "level": state.level,
            "opened_at": iso_time(state.opened_at),
            "due_at": iso_time(state.due_at),
            "answer_seconds": answer.total_seconds() if answer is not None else None,
            "acknowledged": str(deadline_results.judge_acknowledgement(state, now)),
            "deadline": str(deadline_results.judge_deadline(state, now)),
            "late_seconds": late if late is not None and late > 0 else None,
            "status": str(state.status),
        }


def _timeline(connection: Connection, case: CaseRecord) -> list[dict[str, Any]]:
    titles = {
        state.id: both_languages(one.plan(state).title) for one in case.responses for state in one.steps.values()
    }  # fmt: skip
    found = [
        {
            "at": iso_time(entry.at),
            "kind": entry.kind,
            "step": titles.get(entry.step),
            "data": _data(entry.kind, entry.data),
        }
        for entry in timeline.read_timeline(connection, case.incident.id)
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


def measure_effects(reviews: ReviewService, connection: Connection, case: CaseRecord, now: DateTime) -> dict[str, Any]:
    """Measure figures before, during and after, with a verdict: four weeks before against the days since."""
    zone, incident = reviews.plan.zone, case.incident
    began = incident.declared_at.in_timezone(zone).start_of("day")
    over = (incident.closed_at or now).in_timezone(zone).start_of("day").add(days=1)
    today = now.in_timezone(zone).start_of("day")
    until = min(today, later(over, reviews.plan.trace_for)) if incident.closed_at else over
    until = max(until, over)
    spans = {
        "before": Period(PeriodLength.DAY, "before", began.subtract(days=BEFORE_DAYS), began),
        "during": Period(PeriodLength.DAY, "during", began, over),
        "after": Period(PeriodLength.DAY, "after", over, until),
    }
    metrics = reviews.metrics()
    measured = {
        name: PeriodMetrics(reviews.figures, connection, metrics, span)
        for name, span in spans.items()
        if span.begins < span.ends
    }
    found = [_effect(measured, name, incident.service) for name in reviews.plan.traced]
    return {
        "days": [spans["before"].begins.format("YYYY-MM-DD"), until.subtract(days=1).format("YYYY-MM-DD")],
        "days_after": max(0, elapsed(over, until).days), "of_days": reviews.plan.trace_for.days, "figures": found,
    }  # fmt: skip


def _effect(measured: dict[str, PeriodMetrics], name: str, service: str) -> dict[str, Any]:
    amounts = {span: _amount(one, name, service) for span, one in measured.items()}
    known = measured["before"].known(name)
    scoped = bool(service) and any(scope for _, scope in amounts.values())
    if scoped:  # of one service everywhere, or of all everywhere: never one against the other
        amounts = {span: (one.amount(name, service=service), service) for span, one in measured.items()}
    by_day = {span: dict(amount.by_day) for span, (amount, _) in amounts.items()}
    before, after = list(by_day["before"].values()), list(by_day.get("after", {}).values())
    found = measure_effect(before, after, measured["before"].better(name))
    during = amounts["during"][0].value if "during" in amounts else None
    return {
        "metric": name, "title": both_languages(known.title) if known else {"en": name, "zh": name},
        "service": service if scoped else "", "during": during, **asdict(found), "verdict": str(found.verdict),
        "by_day": {day: value for span in by_day.values() for day, value in span.items()},
    }  # fmt: skip


def _amount(measured: PeriodMetrics, name: str, service: str) -> tuple[MetricAmount, str]:
    """The service's own figure where it has one; shares are kept of the whole operation."""
    known = measured.known(name)
    if service and not (known is not None and known.aggregate is Aggregate.SHARE) and name != "complaint_rate":
        own = measured.amount(name, service=service)
        if own.events:
            return own, service
    return measured.amount(name), ""
