"""What happened in a span of time: matters, clocks met and missed, words in public, what customers answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, func, select

from domain.customers.survey import Result
from domain.durations import elapsed
from domain.facts import FactKind
from domain.incident import Incident, Nature, Snapshot, StepState
from domain.review import clocks
from domain.review.clocks import Outcome, Spread, Tally
from domain.review.period import Period
from domain.review.plan import ReviewPlan
from domain.roster import Roster
from storage import customers, incidents, reviews
from storage.timeline import FACT
from storage.warnings import WARNING

LIVE = ""
RECURS = 3  # of one kind
RECURS_WITHIN = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Case:
    """A matter with its responses."""

    incident: Incident
    responses: Sequence[Snapshot]
    first_word: DateTime | None  # when something was public first

    def steps(self) -> Iterator[StepState]:
        """Every step of every response."""
        for response in self.responses:
            yield from response.steps.values()

    @property
    def over_at(self) -> DateTime | None:
        """When service was back, or the matter closed."""
        return self.incident.mitigated_at or self.incident.closed_at


def case_of(connection: Connection, incident: Incident, roster: Roster) -> Case:
    """A matter read whole."""
    ids = incidents.responses_of(connection, incident.id)
    published = select(func.min(FACT.c.at)).where(
        FACT.c.incident_id == incident.id, FACT.c.kind == str(FactKind.PUBLISHED)
    )
    first: DateTime | None = connection.execute(published).scalar_one_or_none()
    return Case(incident, [incidents.load(connection, one, roster) for one in ids], first)


def cases(connection: Connection, period: Period, roster: Roster, natures: Sequence[Nature]) -> list[Case]:
    """The matters declared in a period."""
    rows = reviews.matters(connection, period.begins, period.ends, natures)
    return [case_of(connection, incidents.incident_of(row), roster) for row in rows]


def real(found: Iterable[Case]) -> list[Case]:
    """Without drills, and without what was declared by mistake."""
    return [case for case in found if not case.incident.drill and str(case.incident.status) != "cancelled"]


def cases_of_kind(connection: Connection, period: Period, kind: str) -> list[dict[str, Any]]:
    """Promises of a kind that were made in a period, in short."""
    rows = reviews.matters(connection, period.begins, period.ends, [Nature.ACTION])
    return [{"ref": row.ref, "title": row.title, "status": row.status} for row in rows if row.kind == kind]


# --- clocks ------------------------------------------------------------------------------------------------------


def tallies(found: Sequence[Case], plan: ReviewPlan, now: DateTime) -> dict[str, Tally]:
    """Each clock of the plan, acknowledgements, recovery, and every deadline together."""
    counted = {
        one.id: clocks.tally(
            clocks.deadline(state, now)
            for case in found
            for response in case.responses
            if response.response.playbook.id == one.playbook
            for state in response.steps.values()
            if f"{state.stage}/{state.step}" == one.step
        )
        for one in plan.clocks
    }
    answered = (clocks.acknowledgement(state, now) for case in found for state in case.steps())
    back = (clocks.recovery(case.incident, one.response, now) for case in found for one in case.responses)
    every = (clocks.deadline(state, now) for case in found for state in case.steps())
    return {**counted, "acknowledge": clocks.tally(answered), "rto": clocks.tally(back), "steps": clocks.tally(every)}


def missed_steps(case: Case, now: DateTime) -> list[StepState]:
    """The steps of a matter that were late or never done."""
    return [state for state in case.steps() if clocks.deadline(state, now) is Outcome.MISSED]


def answers(found: Iterable[Case]) -> Spread:
    """Time to acknowledge: from the first call of a step until somebody took it."""
    times = (clocks.answer_time(state) for case in found for state in case.steps())
    return clocks.spread([time for time in times if time is not None])


def first_words(found: Iterable[Case]) -> Spread:
    """From the beginning of a matter to its first public word, of those that had one."""
    return clocks.spread([elapsed(case.incident.declared_at, case.first_word) for case in found if case.first_word])


def recoveries(found: Iterable[Case]) -> Spread:
    """From the beginning of a matter until service was back."""
    return clocks.spread([elapsed(case.incident.declared_at, case.over_at) for case in found if case.over_at])


# --- warnings, customers, recurrences ----------------------------------------------------------------------------


def warnings_of(connection: Connection, period: Period) -> list[Row[Any]]:
    """The live warnings that began in a period."""
    when = WARNING.c.began_at
    query = select(WARNING).where(WARNING.c.lane == LIVE, when >= period.begins, when < period.ends)
    return list(connection.execute(query.order_by(when)))


def followed_up(connection: Connection, period: Period) -> tuple[int, Result]:
    """What customers of the incidents closed in a period said; and of how many incidents any were asked."""
    rows = reviews.matters(connection, period.begins, period.ends, [Nature.INCIDENT], column="closed_at")
    total: Counter[str] = Counter()
    count = 0
    for row in rows:
        if row.drill:
            continue
        found = asdict(customers.result(connection, row.id))
        count += found["customers"] > 0
        total.update(found)
    return count, Result(**{field.name: total[field.name] for field in fields(Result)})


def recurrences(connection: Connection, period: Period) -> list[dict[str, Any]]:
    """Kinds of incident that came three times or more within 90 days, the last time in this period."""
    rows = reviews.matters(connection, period.ends - RECURS_WITHIN, period.ends, [Nature.INCIDENT])
    groups: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in rows:
        if not row.drill and row.status != "cancelled" and row.kind:
            groups.setdefault((row.kind, row.service), []).append(row)
    return [
        {"kind": kind, "service": service, "count": len(those), "refs": [row.ref for row in those]}
        for (kind, service), those in sorted(groups.items())
        if len(those) >= RECURS and those[-1].declared_at >= period.begins
    ]


def covered(found: Sequence[Case]) -> Tally:
    """Situations: kinds of incident (kind and service) of a span, and how many of them a playbook covered.

    A playbook covered it where its steps were used: one at least was done by its deadline, and none of what people
    had to do was given up undone. An incident declared in want of anything better, and then abandoned, is not covered.
    """
    outcomes = [all(_was_covered(case) for case in those) for those in _situations(found).values()]
    return Tally(outcomes.count(True), outcomes.count(False))


def uncovered(found: Sequence[Case]) -> list[dict[str, Any]]:
    """The situations that no playbook covered, with the matters that show it."""
    return [
        {"kind": kind, "service": service, "refs": [case.incident.ref for case in those if not _was_covered(case)]}
        for (kind, service), those in sorted(_situations(found).items())
        if not all(_was_covered(case) for case in those)
    ]


def _situations(found: Sequence[Case]) -> dict[tuple[str, str], list[Case]]:
    situations: dict[tuple[str, str], list[Case]] = {}
    for case in found:
        incident = case.incident
        first = next((one.response.playbook.id for one in case.responses), "")
        kind = "" if incident.kind == "warning" else incident.kind  # a rule's: its playbook tells them apart
        situations.setdefault((kind or first, incident.service), []).append(case)
    return situations


def _was_covered(case: Case) -> bool:
    states = [str(state.status) for state in case.steps()]
    return "done" in states and "abandoned" not in states


def in_short(case: Case, now: DateTime) -> dict[str, Any]:
    """A matter as a report lists it. Times ISO 8601, durations in seconds."""
    incident = case.incident
    over, word = case.over_at, case.first_word
    return {
        "ref": incident.ref, "title": incident.title, "severity": incident.severity, "status": str(incident.status),
        "service": incident.service, "kind": incident.kind,
        "playbooks": [one.response.playbook.id for one in case.responses],
        "declared_at": incident.declared_at.isoformat(),
        "recovered_seconds": elapsed(incident.declared_at, over).total_seconds() if over else None,
        "first_word_seconds": elapsed(incident.declared_at, word).total_seconds() if word else None,
        "missed": len(missed_steps(case, now)),
    }  # fmt: skip
