"""Cases of a period: clocks met and missed, first statements, warnings, customers' answers, recurrences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.customers.survey import SurveyResult
from domain.durations import elapsed
from domain.incident import CaseType, Incident, IncidentStatus, Snapshot, StepState
from domain.review import deadline_results
from domain.review.deadline_results import ClockOutcome, ClockTally, DurationSummary
from domain.review.period import Period
from domain.review.plan import ReviewPlan
from domain.roster import Roster
from storage.customers import affected_customers
from storage.database import Connection
from storage.incidents import incidents, timeline, warnings
from storage.reviews import review_records

RECURRENCE_COUNT = 3  # of one kind
RECURRENCE_WINDOW = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case with its responses."""

    incident: Incident
    responses: Sequence[Snapshot]
    first_word: DateTime | None  # when something was public first

    def steps(self) -> Iterator[StepState]:
        """Every step of every response."""
        for response in self.responses:
            yield from response.steps.values()

    @property
    def over_at(self) -> DateTime | None:
        """When service was back, or the case closed."""
        return self.incident.mitigated_at or self.incident.closed_at


def load_case(connection: Connection, incident: Incident, roster: Roster) -> CaseRecord:
    """Load a case with its responses."""
    ids = incidents.list_response_ids(connection, incident.id)
    first = timeline.first_published_at(connection, incident.id)
    return CaseRecord(incident, [incidents.load_snapshot(connection, one, roster) for one in ids], first)


def list_cases(connection: Connection, period: Period, roster: Roster, natures: Sequence[CaseType]) -> list[CaseRecord]:
    """List the cases declared in a period."""
    found = review_records.list_cases(connection, period.begins, period.ends, natures)
    return [load_case(connection, incident, roster) for incident in found]


def exclude_drills(found: Iterable[CaseRecord]) -> list[CaseRecord]:
    """Return the cases without drills and without those cancelled."""
    return [case for case in found if not case.incident.drill and str(case.incident.status) != "cancelled"]


def list_actions_of_kind(connection: Connection, period: Period, kind: str) -> list[dict[str, Any]]:
    """List the actions of a kind that were opened in a period, in short."""
    found = review_records.list_cases(connection, period.begins, period.ends, [CaseType.ACTION])
    return [{"ref": one.ref, "title": one.title, "status": str(one.status)} for one in found if one.kind == kind]


# --- clocks ------------------------------------------------------------------------------------------------------


def tally_clocks(found: Sequence[CaseRecord], plan: ReviewPlan, now: DateTime) -> dict[str, ClockTally]:
    """Tally each clock of the plan, acknowledgements, recovery, and every deadline together."""
    counted = {
        one.id: deadline_results.tally_outcomes(
            deadline_results.judge_deadline(state, now)
            for case in found
            for response in case.responses
            if response.response.playbook.id == one.playbook
            for state in response.steps.values()
            if f"{state.stage}/{state.step}" == one.step
        )
        for one in plan.clocks
    }
    answered = (deadline_results.judge_acknowledgement(state, now) for case in found for state in case.steps())
    back = (
        deadline_results.judge_recovery(case.incident, one.response, now) for case in found for one in case.responses
    )
    every = (deadline_results.judge_deadline(state, now) for case in found for state in case.steps())
    return {
        **counted,
        "acknowledge": deadline_results.tally_outcomes(answered),
        "rto": deadline_results.tally_outcomes(back),
        "steps": deadline_results.tally_outcomes(every),
    }


def list_missed_steps(case: CaseRecord, now: DateTime) -> list[StepState]:
    """List the steps of a case that were late or never done."""
    return [state for state in case.steps() if deadline_results.judge_deadline(state, now) is ClockOutcome.MISSED]


def acknowledge_times(found: Iterable[CaseRecord]) -> DurationSummary:
    """Return times to acknowledge: from the first call of a step until a person took it."""
    times = (deadline_results.answer_time(state) for case in found for state in case.steps())
    return deadline_results.summarize_durations([time for time in times if time is not None])


def first_statement_times(found: Iterable[CaseRecord]) -> DurationSummary:
    """Return times from the beginning of a case to its first public statement, of those that had one."""
    return deadline_results.summarize_durations(
        [elapsed(case.incident.declared_at, case.first_word) for case in found if case.first_word]
    )


def recovery_times(found: Iterable[CaseRecord]) -> DurationSummary:
    """Return times from the beginning of a case until service was back."""
    return deadline_results.summarize_durations(
        [elapsed(case.incident.declared_at, case.over_at) for case in found if case.over_at]
    )


# --- warnings, customers, recurrences ----------------------------------------------------------------------------


def list_warnings(connection: Connection, period: Period) -> list[warnings.WarningRecord]:
    """List the live warnings that began in a period."""
    return warnings.list_warnings_begun(connection, period.begins, period.ends)


def follow_up_results(connection: Connection, period: Period) -> tuple[int, SurveyResult]:
    """Return of how many incidents closed in a period customers were asked, and what they said."""
    closed = review_records.list_cases(connection, period.begins, period.ends, [CaseType.INCIDENT], column="closed_at")
    total: Counter[str] = Counter()
    count = 0
    for incident in closed:
        if incident.drill:
            continue
        found = asdict(affected_customers.compute_result(connection, incident.id))
        count += found["customers"] > 0
        total.update(found)
    return count, SurveyResult(**{field.name: total[field.name] for field in fields(SurveyResult)})


def list_recurrences(connection: Connection, period: Period) -> list[dict[str, Any]]:
    """List kinds of incident that came three times within 90 days, the last time in this period."""
    found = review_records.list_cases(connection, period.ends - RECURRENCE_WINDOW, period.ends, [CaseType.INCIDENT])
    groups: dict[tuple[str, str], list[Incident]] = {}
    for one in found:
        if not one.drill and one.status is not IncidentStatus.CANCELLED and one.kind:
            groups.setdefault((one.kind, one.service), []).append(one)
    return [
        {"kind": kind, "service": service, "count": len(those), "refs": [one.ref for one in those]}
        for (kind, service), those in sorted(groups.items())
        if len(those) >= RECURRENCE_COUNT and those[-1].declared_at >= period.begins
    ]


def tally_covered_situations(found: Sequence[CaseRecord]) -> ClockTally:
    """Tally situations (kinds of incident on a service) by whether a playbook covered them.

    A playbook covered it where its steps were used: one at least was done by its deadline, and none of what
    people had to do was given up undone. An incident declared in want of anything better, and then abandoned,
    is not covered.
    """
    outcomes = [all(_was_covered(case) for case in those) for those in _situations(found).values()]
    return ClockTally(outcomes.count(True), outcomes.count(False))


def list_uncovered_situations(found: Sequence[CaseRecord]) -> list[dict[str, Any]]:
    """List the situations that no playbook covered, with the cases that show it."""
    return [
        {"kind": kind, "service": service, "refs": [case.incident.ref for case in those if not _was_covered(case)]}
        for (kind, service), those in sorted(_situations(found).items())
        if not all(_was_covered(case) for case in those)
    ]


def _situations(found: Sequence[CaseRecord]) -> dict[tuple[str, str], list[CaseRecord]]:
    situations: dict[tuple[str, str], list[CaseRecord]] = {}
    for case in found:
        incident = case.incident
        first = next((one.response.playbook.id for one in case.responses), "")
        kind = "" if incident.kind == "warning" else incident.kind  # a rule's: its playbook tells them apart
        situations.setdefault((kind or first, incident.service), []).append(case)
    return situations


def _was_covered(case: CaseRecord) -> bool:
    states = [str(state.status) for state in case.steps()]
    return "done" in states and "abandoned" not in states


def summarise_case(case: CaseRecord, now: DateTime) -> dict[str, Any]:
    """Summarise a case as a report lists it. Times ISO 8601, durations in seconds."""
    incident = case.incident
    over, word = case.over_at, case.first_word
    return {
        "ref": incident.ref, "title": incident.title, "severity": incident.severity, "status": str(incident.status),
        "service": incident.service, "kind": incident.kind,
        "playbooks": [one.response.playbook.id for one in case.responses],
        "declared_at": incident.declared_at.isoformat(),
        "recovered_seconds": elapsed(incident.declared_at, over).total_seconds() if over else None,
        "first_word_seconds": elapsed(incident.declared_at, word).total_seconds() if word else None,
        "missed": len(list_missed_steps(case, now)),
    }  # fmt: skip
