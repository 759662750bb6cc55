"""Figures of the other periodic reports: day, week, topics, risks, audit, half-year, playbooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from pendulum import DateTime

from domain.incident import ALARM_TYPES, CaseType
from domain.review.deadline_results import ClockOutcome, judge_deadline
from domain.review.period import Period, PeriodLength, ReviewKind, period_at, previous_period
from engine.review import case_records
from engine.review.improvements import count_improvements
from engine.review.monthly_report import CHURN, compare_metric, figures_of_month, level_figures
from engine.review.period_metrics import PeriodMetrics
from engine.review.service import ReviewService
from storage.database import Connection
from storage.incidents import board, incidents, warnings
from storage.samples.sample_store import LIVE_FEED

MAX_ROWS: Final = 20
FRT_RULE: Final = "slow-first-response"
FRT_DAYS: Final = 3
MAX_ACTIONS: Final = 30
DAILY_METRICS: Final = (
    "contacts", "complaints", "complaint_rate", "csat", "response_time", "frt", "aht", "fcr", "abandonment",
    "attainment", "backlog",
)  # fmt: skip

FiguresFunction = Callable[[ReviewService, Connection, Period, DateTime], dict[str, Any]]


def figures_of_day(service: ReviewService, connection: Connection, period: Period, _now: DateTime) -> dict[str, Any]:
    """Return yesterday against the day before, and the rule of slow first responses on three days in a row."""
    measured, earlier = _two(service, connection, period)
    rule = service.find_rule(FRT_RULE)
    days = [period]
    while len(days) < (rule.consecutive_days if rule else FRT_DAYS):
        days.insert(0, previous_period(days[0], service.plan.zone))
    frt = [
        {
            "day": one.name,
            "value": PeriodMetrics(service.figures, connection, service.metrics(), one).amount("frt").value,
        }
        for one in days
    ]
    standing = warnings.load_rule_states(connection, LIVE_FEED)
    phases = [str(one.phase) for (rule, _), one in standing.items() if rule == FRT_RULE]
    return {
        "figures": [compare_metric(measured, earlier, name, service.plan) for name in DAILY_METRICS],
        "frt": frt,
        "frt_limit": rule.levels[0].threshold if rule else None,
        "frt_rule": "firing" if "firing" in phases else phases[0] if phases else "",
        "frt_matter": _matter_of(connection, FRT_RULE),
        "levels": level_figures(measured, service.plan),
    }


def figures_of_week(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return the service-value review: five figures, causes of churn, levels, state of earlier actions."""
    measured, earlier = _two(service, connection, period)
    found = case_records.exclude_drills(
        case_records.list_cases(connection, period, service.installation.roster(), ALARM_TYPES)
    )
    return {
        "five": [compare_metric(measured, earlier, name, service.plan) for name in service.plan.five],
        "days": [measured.days[0].format("YYYY-MM-DD"), measured.days[-1].format("YYYY-MM-DD")],
        "plots": {name: dict(measured.amount(name).by_day) for name in service.plan.five},
        "churn": _by_category(measured, earlier, CHURN),
        "levels": level_figures(measured, service.plan),
        "incidents": [
            case_records.summarise_case(case, now) for case in found if case.incident.case_type is CaseType.INCIDENT
        ],
        "warnings": len(case_records.list_warnings(connection, period)),
        "actions": _actions(service, connection, now),
    }


def topics_of_week(service: ReviewService, connection: Connection, period: Period, _now: DateTime) -> dict[str, Any]:
    """Return complaints and questions by category, as they are pushed: texts themselves are not kept."""
    measured, earlier = _two(service, connection, period)
    return {
        "complaints": _by_category(measured, earlier, "complaints"),
        "questions": _by_category(measured, earlier, "contacts"),
        "red_words": _by_category(measured, earlier, "red_words"),
        "top": MAX_ROWS,
    }


def risks_of_month(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return figures for the risk meeting: warnings, late steps, recurrences, overdue actions."""
    found = case_records.exclude_drills(
        case_records.list_cases(connection, period, service.installation.roster(), ALARM_TYPES)
    )
    rows = case_records.list_warnings(connection, period)
    return {
        "warnings": _ruled(rows),
        "late_steps": _late(found, now),
        "recurrences": case_records.list_recurrences(connection, period),
        "actions": _actions(service, connection, now),
    }


def audit_of_quarter(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return the process audit: situations covered by a playbook against the aim of 80 %, and late steps."""
    found = case_records.exclude_drills(
        case_records.list_cases(connection, period, service.installation.roster(), ALARM_TYPES)
    )
    covered = case_records.tally_covered_situations(found)
    return {
        "matters": len(found),
        "situations": covered.met + covered.missed,
        "covered": covered.met,
        "share": covered.share,
        "aim": service.plan.situations,
        "uncovered": case_records.list_uncovered_situations(found),
        "clocks": {name: asdict(tally) for name, tally in case_records.tally_clocks(found, service.plan, now).items()},
        "late_steps": _late(found, now),
    }


def evaluation_of_half(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return by month: incidents, time to acknowledge, deadlines met, second complaints, improvements."""
    zone, months = service.plan.zone, []
    at = period.begins
    while at < period.ends:
        month = period_at(PeriodLength.MONTH, at, zone)
        found = case_records.exclude_drills(
            case_records.list_cases(connection, month, service.installation.roster(), ALARM_TYPES)
        )
        _count, result = case_records.follow_up_results(connection, month)
        steps = case_records.tally_clocks(found, service.plan, now)["steps"]
        months.append({
            "month": month.name,
            "incidents": sum(case.incident.case_type is CaseType.INCIDENT for case in found),
            "warnings": len(case_records.list_warnings(connection, month)),
            "acknowledge_seconds": case_records.acknowledge_times(found).mean,
            "deadlines_share": steps.share,
            "second_share": result.second_share,
            "csat": result.csat,
        })  # fmt: skip
        at = month.ends
    return {
        "months": months,
        "improvements": count_improvements(connection, period, service.plan.improvements),
        "recurrences": case_records.list_recurrences(connection, period),
    }


def playbooks_of_year(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return for every playbook in force how often it was used, rehearsed, and its deadlines missed."""
    everything = case_records.list_cases(
        connection, period, service.installation.roster(), (*ALARM_TYPES, CaseType.REVIEW)
    )
    used: Counter[str] = Counter()
    rehearsed: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for case in everything:
        if case.incident.drill:
            rehearsed.update(one.response.playbook.id for one in case.responses)
    for case in case_records.exclude_drills(everything):
        for one in case.responses:
            name = one.response.playbook.id
            used[name] += 1
            outcomes = [judge_deadline(state, now) for state in one.steps.values()]
            missed[name] += outcomes.count(ClockOutcome.MISSED)
            met[name] += outcomes.count(ClockOutcome.MET)
    return {
        "playbooks": [
            {"playbook": one.id, "title": board.both_languages(one.title), "version": one.version, "used": used[one.id],
             "rehearsed": rehearsed[one.id], "met": met[one.id], "missed": missed[one.id]}
            for one in service.installation.library.all()
        ]
    }  # fmt: skip


FIGURES_BY_KIND: Mapping[ReviewKind, FiguresFunction] = {
    ReviewKind.DAILY: figures_of_day,
    ReviewKind.WEEKLY: figures_of_week,
    ReviewKind.TOPICS: topics_of_week,
    ReviewKind.MONTHLY: figures_of_month,
    ReviewKind.RISK: risks_of_month,
    ReviewKind.AUDIT: audit_of_quarter,
    ReviewKind.EVALUATION: evaluation_of_half,
    ReviewKind.REVISION: playbooks_of_year,
}


def _matter_of(connection: Connection, rule: str) -> str:
    """The reference of the matter that a rule's open warning runs; empty where there is none."""
    for raised in warnings.list_open_warnings(connection, LIVE_FEED):
        if raised.rule == rule and raised.matter:
            return incidents.load_incident(connection, raised.matter).ref
    return ""


def _two(service: ReviewService, connection: Connection, period: Period) -> tuple[PeriodMetrics, PeriodMetrics]:
    """The span's figures, and those of the span before."""
    metrics, zone = service.metrics(), service.plan.zone
    return (
        PeriodMetrics(service.figures, connection, metrics, period),
        PeriodMetrics(service.figures, connection, metrics, previous_period(period, zone)),
    )


def _by_category(measured: PeriodMetrics, earlier: PeriodMetrics, metric: str) -> dict[str, Any]:
    """A volume by category, the largest first; how much of it has no category."""
    now, then = measured.by_label(metric, "category"), earlier.by_label(metric, "category")
    named = sorted(((name, count) for name, count in now.items() if name and count), key=lambda one: (-one[1], one[0]))
    return {
        "total": sum(now.values()),
        "without": now.get("", 0.0),
        "rows": [{"category": name, "count": count, "before": then.get(name)} for name, count in named[:MAX_ROWS]],
        "more": max(0, len(named) - MAX_ROWS),
    }


def _ruled(rows: list[Any]) -> list[dict[str, Any]]:
    titles = {row.rule: row.title for row in rows}
    return [
        {"rule": rule, "title": {"en": titles[rule].get("en", rule), "zh": titles[rule].get("zh", rule)}, "count": n}
        for rule, n in Counter(row.rule for row in rows).most_common()
    ]


def _late(found: list[case_records.CaseRecord], now: DateTime) -> list[dict[str, Any]]:
    """Steps that were late or never done, by playbook and step, the most frequent first."""
    counted: Counter[tuple[str, str]] = Counter()
    titles: dict[tuple[str, str], dict[str, str]] = {}
    for case in found:
        for one in case.responses:
            for state in one.steps.values():
                if judge_deadline(state, now) is ClockOutcome.MISSED:
                    name = (one.response.playbook.id, f"{state.stage}/{state.step}")
                    counted[name] += 1
                    titles[name] = board.both_languages(one.plan(state).title)
    return [
        {"playbook": name[0], "step": name[1], "title": titles[name], "count": count}
        for name, count in counted.most_common(MAX_ROWS)
    ]


def _actions(service: ReviewService, connection: Connection, now: DateTime) -> list[dict[str, Any]]:
    """Promises that are open, the late ones first."""
    rows = board.list_board_rows(
        connection, service.installation.roster(), now, limit=MAX_ACTIONS, natures=[CaseType.ACTION]
    )
    found = [
        {"ref": row["ref"], "title": row["title"], "late": bool(row["late_steps"]),
         "due_at": row["next"]["due_at"] if row["next"] else None,
         "owner": row["next"]["owner"]["name"] if row["next"] else ""}
        for row in rows
        if not row["drill"]
    ]  # fmt: skip
    return sorted(found, key=lambda one: (not one["late"], one["due_at"] or ""))
