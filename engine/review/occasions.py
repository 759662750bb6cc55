"""The figures of every other review: the day, the week, topics, risks, the audit, the half-year, the playbooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from pendulum import DateTime
from sqlalchemy import Connection

from domain.incident import ALARMS, Nature
from domain.review.clocks import Outcome, deadline
from domain.review.period import Period, ReviewKind, Span, before, period_at
from engine.review import matters
from engine.review.desk import ReviewDesk
from engine.review.learned import improvements
from engine.review.measuring import Measured
from engine.review.monthly import CHURN, compared, figures_of_month, levels
from storage import board, incidents, warnings
from storage.figures import LIVE

TOP: Final = 20
FRT_RULE: Final = "slow-first-response"
FRT_DAYS: Final = 3
MOST_ACTIONS: Final = 30
DAILY: Final = (
    "contacts", "complaints", "complaint_rate", "csat", "response_time", "frt", "aht", "fcr", "abandonment",
    "attainment", "backlog",
)  # fmt: skip

Figures = Callable[[ReviewDesk, Connection, Period, DateTime], dict[str, Any]]


def figures_of_day(desk: ReviewDesk, connection: Connection, period: Period, _now: DateTime) -> dict[str, Any]:
    """Yesterday against the day before, and the rule of first responses slow on three days in a row."""
    measured, earlier = _two(desk, connection, period)
    rule = desk.rule(FRT_RULE)
    days = [period]
    while len(days) < (rule.consecutive_days if rule else FRT_DAYS):
        days.insert(0, before(days[0], desk.plan.zone))
    frt = [
        {"day": one.name, "value": Measured(desk.figures, connection, desk.metrics(), one).amount("frt").value}
        for one in days
    ]
    standing = warnings.standings(connection, LIVE)
    phases = [str(one.phase) for (rule, _), one in standing.items() if rule == FRT_RULE]
    return {
        "figures": [compared(measured, earlier, name, desk.plan) for name in DAILY],
        "frt": frt,
        "frt_limit": rule.levels[0].threshold if rule else None,
        "frt_rule": "firing" if "firing" in phases else phases[0] if phases else "",
        "frt_matter": _matter_of(connection, FRT_RULE),
        "levels": levels(measured, desk.plan),
    }


def figures_of_week(desk: ReviewDesk, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """The service-value review: five figures, causes of churn, levels, and what became of earlier actions."""
    measured, earlier = _two(desk, connection, period)
    found = matters.real(matters.cases(connection, period, desk.house.roster(), ALARMS))
    return {
        "five": [compared(measured, earlier, name, desk.plan) for name in desk.plan.five],
        "days": [measured.days[0].format("YYYY-MM-DD"), measured.days[-1].format("YYYY-MM-DD")],
        "plots": {name: dict(measured.amount(name).by_day) for name in desk.plan.five},
        "churn": _by_category(measured, earlier, CHURN),
        "levels": levels(measured, desk.plan),
        "incidents": [matters.in_short(case, now) for case in found if case.incident.nature is Nature.INCIDENT],
        "warnings": len(matters.warnings_of(connection, period)),
        "actions": _actions(desk, connection, now),
    }


def topics_of_week(desk: ReviewDesk, connection: Connection, period: Period, _now: DateTime) -> dict[str, Any]:
    """Complaints and questions by category, as the house pushes them: texts themselves are not kept."""
    measured, earlier = _two(desk, connection, period)
    return {
        "complaints": _by_category(measured, earlier, "complaints"),
        "questions": _by_category(measured, earlier, "contacts"),
        "red_words": _by_category(measured, earlier, "red_words"),
        "top": TOP,
    }


def risks_of_month(desk: ReviewDesk, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """For the risk meeting: what warned, what was late, what recurs, which promises are overdue."""
    found = matters.real(matters.cases(connection, period, desk.house.roster(), ALARMS))
    rows = matters.warnings_of(connection, period)
    return {
        "warnings": _ruled(rows),
        "late_steps": _late(found, now),
        "recurrences": matters.recurrences(connection, period),
        "actions": _actions(desk, connection, now),
    }


def audit_of_quarter(desk: ReviewDesk, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """The process review: situations covered by a playbook against the aim of 80 %, and which steps were late."""
    found = matters.real(matters.cases(connection, period, desk.house.roster(), ALARMS))
    covered = matters.covered(found)
    return {
        "matters": len(found), "situations": covered.met + covered.missed, "covered": covered.met,
        "share": covered.share, "aim": desk.plan.situations, "uncovered": matters.uncovered(found),
        "clocks": {name: asdict(tally) for name, tally in matters.tallies(found, desk.plan, now).items()},
        "late_steps": _late(found, now),
    }  # fmt: skip


def evaluation_of_half(desk: ReviewDesk, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Month by month: incidents, time to acknowledge, deadlines met, second complaints, improvements."""
    zone, months = desk.plan.zone, []
    at = period.begins
    while at < period.ends:
        month = period_at(Span.MONTH, at, zone)
        found = matters.real(matters.cases(connection, month, desk.house.roster(), ALARMS))
        _count, result = matters.followed_up(connection, month)
        steps = matters.tallies(found, desk.plan, now)["steps"]
        months.append({
            "month": month.name,
            "incidents": sum(case.incident.nature is Nature.INCIDENT for case in found),
            "warnings": len(matters.warnings_of(connection, month)),
            "acknowledge_seconds": matters.answers(found).mean,
            "deadlines_share": steps.share,
            "second_share": result.second_share,
            "csat": result.csat,
        })  # fmt: skip
        at = month.ends
    return {
        "months": months,
        "improvements": improvements(connection, period, desk.plan.improvements),
        "recurrences": matters.recurrences(connection, period),
    }


def playbooks_of_year(desk: ReviewDesk, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Every playbook in force: how often it was used and rehearsed, and how often its deadlines were missed."""
    everything = matters.cases(connection, period, desk.house.roster(), (*ALARMS, Nature.REVIEW))
    used: Counter[str] = Counter()
    rehearsed: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for case in everything:
        if case.incident.drill:
            rehearsed.update(one.response.playbook.id for one in case.responses)
    for case in matters.real(everything):
        for one in case.responses:
            name = one.response.playbook.id
            used[name] += 1
            outcomes = [deadline(state, now) for state in one.steps.values()]
            missed[name] += outcomes.count(Outcome.MISSED)
            met[name] += outcomes.count(Outcome.MET)
    return {
        "playbooks": [
            {"playbook": one.id, "title": board.both(one.title), "version": one.version, "used": used[one.id],
             "rehearsed": rehearsed[one.id], "met": met[one.id], "missed": missed[one.id]}
            for one in desk.house.library.all()
        ]
    }  # fmt: skip


FIGURES: Mapping[ReviewKind, Figures] = {
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
    for raised in warnings.open_warnings(connection, LIVE):
        if raised.rule == rule and raised.matter:
            return incidents.load_incident(connection, raised.matter).ref
    return ""


def _two(desk: ReviewDesk, connection: Connection, period: Period) -> tuple[Measured, Measured]:
    """The span's figures, and those of the span before."""
    metrics, zone = desk.metrics(), desk.plan.zone
    return (
        Measured(desk.figures, connection, metrics, period),
        Measured(desk.figures, connection, metrics, before(period, zone)),
    )


def _by_category(measured: Measured, earlier: Measured, metric: str) -> dict[str, Any]:
    """A volume by category, the largest first; how much of it has no category."""
    now, then = measured.by_label(metric, "category"), earlier.by_label(metric, "category")
    named = sorted(((name, count) for name, count in now.items() if name and count), key=lambda one: (-one[1], one[0]))
    return {
        "total": sum(now.values()),
        "without": now.get("", 0.0),
        "rows": [{"category": name, "count": count, "before": then.get(name)} for name, count in named[:TOP]],
        "more": max(0, len(named) - TOP),
    }


def _ruled(rows: list[Any]) -> list[dict[str, Any]]:
    titles = {row.rule: row.title for row in rows}
    return [
        {"rule": rule, "title": {"en": titles[rule].get("en", rule), "zh": titles[rule].get("zh", rule)}, "count": n}
        for rule, n in Counter(row.rule for row in rows).most_common()
    ]


def _late(found: list[matters.Case], now: DateTime) -> list[dict[str, Any]]:
    """Steps that were late or never done, by playbook and step, the most frequent first."""
    counted: Counter[tuple[str, str]] = Counter()
    titles: dict[tuple[str, str], dict[str, str]] = {}
    for case in found:
        for one in case.responses:
            for state in one.steps.values():
                if deadline(state, now) is Outcome.MISSED:
                    name = (one.response.playbook.id, f"{state.stage}/{state.step}")
                    counted[name] += 1
                    titles[name] = board.both(one.plan(state).title)
    return [
        {"playbook": name[0], "step": name[1], "title": titles[name], "count": count}
        for name, count in counted.most_common(TOP)
    ]


def _actions(desk: ReviewDesk, connection: Connection, now: DateTime) -> list[dict[str, Any]]:
    """Promises that are open, the late ones first."""
    rows = board.rows(connection, desk.house.roster(), now, limit=MOST_ACTIONS, natures=[Nature.ACTION])
    found = [
        {"ref": row["ref"], "title": row["title"], "late": bool(row["late_steps"]),
         "due_at": row["next"]["due_at"] if row["next"] else None,
         "owner": row["next"]["owner"]["name"] if row["next"] else ""}
        for row in rows
        if not row["drill"]
    ]  # fmt: skip
    return sorted(found, key=lambda one: (not one["late"], one["due_at"] or ""))
