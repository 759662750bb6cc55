"""Figures of the monthly service report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pendulum import DateTime

from domain.customers.survey import SurveyResult
from domain.incident import ALARM_TYPES, CaseType
from domain.review.deadline_results import ClockTally
from domain.review.period import Period, previous_period
from domain.review.plan import ReviewPlan
from domain.review.return_on_investment import compute_return
from engine.review import case_records
from engine.review.improvements import count_improvements
from engine.review.period_metrics import MetricAmount, PeriodMetrics
from engine.review.service import ReviewService
from storage import documents
from storage.database import Connection
from storage.incidents.board import both_languages

FIGURES = (
    "contacts", "complaints", "complaint_rate", "csat", "response_time", "frt", "aht", "fcr", "resolution_time",
    "self_service", "repeat_enquiries", "conversion",
)  # fmt: skip
PLOTTED = ("contacts", "complaints", "csat", "response_time")
DRILLS = "drill"  # documents of load drills
CHURN = "churn"  # lost customers as figures, with the label category for the cause


def figures_of_month(service: ReviewService, connection: Connection, period: Period, now: DateTime) -> dict[str, Any]:
    """Return every figure of the report, JSON-able. Shares are 0 to 1, durations seconds; null: not known."""
    plan, roster = service.plan, service.installation.roster()
    everything = case_records.list_cases(connection, period, roster, ALARM_TYPES)
    found = case_records.exclude_drills(everything)
    incidents = [case for case in found if case.incident.case_type is CaseType.INCIDENT]
    measured = PeriodMetrics(service.figures, connection, service.metrics(), period)
    earlier = PeriodMetrics(service.figures, connection, service.metrics(), previous_period(period, plan.zone))
    counted = case_records.tally_clocks(found, plan, now)
    return {
        "currency": roster.currency,
        "incidents": [case_records.summarise_case(case, now) for case in incidents],
        "warnings": _warnings(connection, period),
        "clocks": _clocks(counted, plan),
        "acknowledge": asdict(case_records.acknowledge_times(found)),
        "first_word": asdict(case_records.first_statement_times(incidents)),
        "recovery": asdict(case_records.recovery_times(incidents)),
        "follow_up": follow_up_figures(service, connection, period),
        "improvements": count_improvements(connection, period, plan.improvements),
        "drills": _drills(connection, period, everything, now),
        "recurrences": case_records.list_recurrences(connection, period),
        "levels": level_figures(measured, plan),
        "figures": [compare_metric(measured, earlier, name, plan) for name in FIGURES],
        "days": [measured.days[0].format("YYYY-MM-DD"), measured.days[-1].format("YYYY-MM-DD")],
        "plots": {name: dict(measured.amount(name).by_day) for name in PLOTTED},
        "value": _value(measured, plan),
    }


def compare_metric(measured: PeriodMetrics, earlier: PeriodMetrics, name: str, plan: ReviewPlan) -> dict[str, Any]:
    """Return a metric with the value of the period before, and its aim."""
    amount: MetricAmount = measured.amount(name)
    known = measured.known(name)
    return {
        "metric": name,
        "title": both_languages(known.title) if known else {"en": name, "zh": name},
        "value": amount.value,
        "before": earlier.amount(name).value,
        "days": len(amount.by_day),
        "aim": plan.aims.get(name),
        "better": measured.better(name),
    }


def level_figures(measured: PeriodMetrics, plan: ReviewPlan) -> list[dict[str, Any]]:
    """Return the three levels of handling: contacts, and the share closed in time against its objective."""
    volume = measured.by_label("contacts", "level")
    found = []
    for level in plan.levels:
        amount = measured.amount("level_attainment", level=str(level.number))
        met = None if amount.value is None or level.objective is None else amount.value >= level.objective
        found.append(
            {
                "level": level.number,
                "title": both_languages(level.title),
                "share": amount.value,
                "measured": amount.events,
                "contacts": volume.get(str(level.number)),
                "objective": level.objective,
                "met": met,
                "within_seconds": level.within.total_seconds() if level.within else None,
            }
        )
    return found


def follow_up_figures(service: ReviewService, connection: Connection, period: Period) -> dict[str, Any]:
    """Return what customers said of incidents closed in the period: counts and shares, nobody's words."""
    count, result = case_records.follow_up_results(connection, period)
    return {"incidents": count, **survey_figures(result), "aim": service.installation.customers.plan.second_aim}


def survey_figures(result: SurveyResult) -> dict[str, Any]:
    """Return a survey's result in counts and shares."""
    return {
        "customers": result.customers, "asked": result.asked, "answered": result.answered, "solved": result.solved,
        "csat": result.csat, "nps": result.nps, "second_complaints": result.second_complaints,
        "second_share": result.second_share, "response_share": result.response_share,
    }  # fmt: skip


def _warnings(connection: Connection, period: Period) -> dict[str, Any]:
    rows = case_records.list_warnings(connection, period)
    titles: dict[str, Mapping[str, str]] = {row.rule: row.title for row in rows}
    by_rule = Counter(row.rule for row in rows)
    return {
        "count": len(rows),
        "red": sum(row.worst == "red" for row in rows),
        "yellow": sum(row.worst == "yellow" for row in rows),
        "called": sum(row.course == "called" for row in rows),
        "by_rule": [
            {"rule": rule, "title": {"en": titles[rule].get("en", rule), "zh": titles[rule].get("zh", rule)},
             "count": count}
            for rule, count in sorted(by_rule.items(), key=lambda one: (-one[1], one[0]))
        ],
    }  # fmt: skip


def _clocks(counted: Mapping[str, ClockTally], plan: ReviewPlan) -> list[dict[str, Any]]:
    titles = {one.id: both_languages(one.title) for one in plan.clocks}
    return [
        {"id": name, "title": titles.get(name), "met": tally.met, "missed": tally.missed, "open": tally.open,
         "share": tally.share}
        for name, tally in counted.items()
    ]  # fmt: skip


def _drills(
    connection: Connection, period: Period, everything: list[case_records.CaseRecord], now: DateTime
) -> list[dict[str, Any]]:
    """Rehearsals on record, load drills with their verdict, and what a failed one left to do."""
    found = [
        {"what": "rehearsal", **case_records.summarise_case(case, now)} for case in everything if case.incident.drill
    ]
    loads = [
        {"what": "load", "ref": one.id, "title": both_languages(one.title), "verdict": one.data.get("verdict"),
         "rto_seconds": one.data.get("rto_seconds")}
        for one in documents.documents_between(connection, DRILLS, period.begins, period.ends)
    ]  # fmt: skip
    actions = case_records.list_actions_of_kind(connection, period, "drill")
    return [*found, *loads, *({"what": "action", **one} for one in actions)]


def _value(measured: PeriodMetrics, plan: ReviewPlan) -> dict[str, Any]:
    contacts, share = measured.amount("contacts").value, measured.amount("self_service").value
    value = compute_return(plan.inputs, contacts, share)
    return {"inputs": asdict(plan.inputs), "contacts": contacts, "self_service": share, **asdict(value)}
