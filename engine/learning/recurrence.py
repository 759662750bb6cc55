"""Recurrences: the third case of a kind in a window opens one warning and proposal; later ones update both.

Rows say what is new, so that any process may run it, at any time, any number of times.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Begin, Reopen
from domain.durations import elapsed, later
from domain.facts import Fact, FactKind
from domain.incident import IncidentStatus
from domain.learning.plan import LearningPlan
from domain.learning.similarity import IncidentFingerprint, find_recurring, name_problem, similarity_score
from domain.text import Text
from domain.warning.disposition import Disposition, RaisedWarning, WarningContext
from domain.warning.rule import Aggregate, Condition, Rule, RuleStart, SeriesKey, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState
from engine.learning import optimisation_proposal
from engine.learning.service import LearningService
from engine.response import commands
from engine.warning.effects import RuleReport, WarningEffects
from storage.database import Connection
from storage.incidents import incidents, timeline, turns, warnings
from storage.learning import recurrence_store
from storage.learning.recurrence_store import INCIDENTS, RECURRENCE_RULE_PREFIX, TICKETS, RecurrenceRecord
from storage.samples.sample_store import LIVE_FEED

PLAYBOOK, AGAIN = "optimisation-proposal", "again"
BATCH = 20  # cases of one look: some hundredths of a second of the lock
LOCK = "learning/recurrence"
COMPARED = 20  # cases of a kind that a new one is held against: the newest
_OVER = (IncidentStatus.CLOSED, IncidentStatus.COMPLETED, IncidentStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class NewCase:
    """One case that was not judged yet. `known`: its kind; `with_`: the cases it makes a new kind with."""

    print: IncidentFingerprint
    ref: str
    known: str = ""
    with_: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    series: SeriesKey = ()


def detect_recurrences(learning: LearningService, now: DateTime) -> int:
    """Count new cases, warn of the third of a kind, refresh warnings and proposals; return how many moved."""
    moved = 0
    for source in (INCIDENTS, TICKETS):
        with learning.installation.database.read() as connection:
            mark = recurrence_store.read_change_marker(connection)
            news = _judge(connection, learning.plan, source, now)
        if not news:
            continue
        _call_again(learning, [one for one in news if one.known], now)
        # Comparing takes a tenth of a second, for which no deadline waits for the lock: judged before it is taken.
        with learning.installation.database.write() as connection:
            turns.lock_commands(connection, [LOCK])
            if (
                recurrence_store.read_change_marker(connection) == mark
            ):  # else somebody looked meanwhile: the next look goes on
                moved += _take(connection, learning, news, source, now)
    return moved + _refresh_stale(learning, now)


# --- judging what is new -----------------------------------------------------------------------------------------


def _judge(connection: Connection, plan: LearningPlan, source: str, now: DateTime) -> list[NewCase]:
    """What each new case is: of a kind that is known, the third of a new one, or nothing yet.

    What is older than the window is left alone: an installation with a long past is not warned of all of it.
    """
    since = now - plan.window
    return _incidents(connection, plan, since) if source == INCIDENTS else _tickets(connection, plan, since)


def _incidents(connection: Connection, plan: LearningPlan, since: DateTime) -> list[NewCase]:
    rows = recurrence_store.list_new_incidents(connection, since, BATCH)
    if not rows:
        return []
    begin, until = rows[0].declared_at - plan.window, later(rows[-1].declared_at, plan.window)
    past = {row.id: row.fingerprint for row in recurrence_store.list_past_incidents(connection, begin, until)}
    belongs = recurrence_store.list_recorded_cases(connection, past)
    kinds = [_Kind.of(connection, row) for row in recurrence_store.list_running_recurrences(connection, INCIDENTS)]
    found = []
    for row in rows:
        mine = row.fingerprint
        kind = next((one for one in kinds if one.takes(mine, plan)), None)
        if kind is not None:
            kind.add(mine)
            new = NewCase(mine, row.ref, known=kind.id)
        else:
            free = [other for name, other in past.items() if belongs.get(name) == "" and name != mine.id]
            similar = [other for other in free if similarity_score(mine, other) >= plan.same_from]
            near = find_recurring(mine.at, similar, plan.window, plan.count)
            cases = [*near, mine]
            services = {case.service for case in cases}
            new = NewCase(mine, row.ref)
            if near:
                service = services.pop() if len(services) == 1 else ""
                series = (("service", service),) if service else ()
                new = replace(
                    new, with_=tuple(case.id for case in near), name=name_problem(cases), service=service, series=series
                )
                kinds.append(_Kind(_pending(new), mine.at, cases))
                belongs |= dict.fromkeys((case.id for case in cases), kinds[-1].id)
        past[mine.id] = mine
        belongs.setdefault(mine.id, kind.id if kind else "")
        found.append(new)
    return found


def _pending(new: NewCase) -> str:
    """How a kind is called that this very look makes: by the case that made it."""
    return f"new/{new.print.id}"


@dataclass(slots=True)
class _Kind:
    """A kind that is known, with its newest cases."""

    id: str
    last_at: DateTime
    cases: list[IncidentFingerprint]
    open: bool = True

    @classmethod
    def of(cls, connection: Connection, row: RecurrenceRecord) -> _Kind:
        ids = recurrence_store.list_case_ids(connection, row.id)[-COMPARED:]
        prints = [one.fingerprint for one in recurrence_store.list_incidents_by_id(connection, ids)]
        raised = warnings.get_warning(connection, row.id)
        return cls(row.id, row.last_at, prints, raised is not None and raised.ended_at is None)

    def takes(self, one: IncidentFingerprint, plan: LearningPlan) -> bool:
        """Whether a case is one more of it: while its warning stands, or within the window."""
        near = self.open or abs(elapsed(self.last_at, one.at)) <= plan.window
        return near and any(similarity_score(one, case) >= plan.same_from for case in self.cases)

    def add(self, one: IncidentFingerprint) -> None:
        self.cases = [*self.cases, one][-COMPARED:]
        self.last_at = max(self.last_at, one.at)


def _tickets(connection: Connection, plan: LearningPlan, since: DateTime) -> list[NewCase]:
    """Warnings of one rule on one category of tickets are of a kind."""
    rows = recurrence_store.list_new_tickets(connection, since, BATCH)
    kinds = {(row.kind, row.service): row for row in recurrence_store.list_running_recurrences(connection, TICKETS)}
    made: dict[tuple[str, str], str] = {}
    counted: set[str] = set()
    found = []
    for row in rows:
        category = recurrence_store.ticket_category(row)
        key = (f"{row.rule} {category}"[:60], row.service)
        mine = IncidentFingerprint(row.id, category, row.began_at, row.service, kind=category)
        new, kind = NewCase(mine, row.id), kinds.get(key)
        if kind is not None and abs(elapsed(kind.last_at, row.began_at)) <= plan.window:
            new = NewCase(mine, row.id, known=kind.id)
        elif key in made:
            new = NewCase(mine, row.id, known=made[key])
        else:
            begin, until = row.began_at - plan.window, row.began_at
            earlier = recurrence_store.list_earlier_tickets(connection, row.rule, row.series, begin, until)
            belongs = recurrence_store.list_recorded_cases(connection, [one.id for one in earlier])
            free = [one for one in earlier if one.id in counted or belongs.get(one.id) == ""]
            others = [IncidentFingerprint(one.id, category, one.began_at) for one in free if one.id != row.id]
            near = find_recurring(row.began_at, others, plan.window, plan.count)
            if near:
                series = warnings.parse_series(row.series)
                new = replace(new, with_=tuple(one.id for one in near), name=key[0], service=row.service, series=series)
                made[key] = _pending(new)
        counted.add(row.id)
        found.append(new)
    return found


# --- what follows ------------------------------------------------------------------------------------------------


def _call_again(learning: LearningService, news: Sequence[NewCase], now: DateTime) -> None:
    """All of a proposal was done, and it came again: its owner is called anew, before the case counts as seen.

    The commands' ids are the case's: a look that is broken off and taken again calls nobody twice.
    """
    for one in news:
        with learning.installation.database.read() as connection:
            case = recurrence_store.find_case_id(connection, one.known)
            if not case:
                continue
            first = incidents.list_response_ids(connection, case)[0]
            snapshot = incidents.load_snapshot(connection, first, learning.installation.roster())
        over, busy = snapshot.incident.status in _OVER, any(state.active for state in snapshot.steps.values())
        reason = f"{one.print.title} · {one.ref}"[:200]
        wanted: list[Reopen | Begin] = []
        if over:
            wanted.append(Reopen(id=_command_id(one, "reopen"), incident=case, reason=reason))
        if over or not busy:
            wanted.append(Begin(id=_command_id(one, AGAIN), incident=case, stage=AGAIN, reason=reason))
        for command in wanted:
            try:
                commands.carry_out_command(learning.installation, command, now)
            except CommandRefused:  # cancelled by a person, or the home's own playbook has no such stage
                break


def _command_id(one: NewCase, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tocsin/{one.known}/{one.print.id}/{what}"))


def _take(
    connection: Connection, learning: LearningService, news: Sequence[NewCase], source: str, now: DateTime
) -> int:
    """Record what was judged, and warn; proposals are written after it."""
    acting = WarningEffects(connection, learning.installation, LIVE_FEED, now)
    made: dict[str, str] = {}
    counted: dict[str, list[NewCase]] = {}
    for one in news:
        kind = made.get(one.known, one.known)
        if one.with_:
            kind = made[_pending(one)] = _raise(connection, learning, acting, one, source, now)
            for other in one.with_:
                recurrence_store.record_case(connection, other, source, one.print.at, kind)
        elif kind:
            counted.setdefault(kind, []).append(one)
        recurrence_store.record_case(connection, one.print.id, source, one.print.at, kind)
    for kind, more in counted.items():
        _join(connection, kind, more, now)
    return len(made) + len(counted)


def _raise(
    connection: Connection, learning: LearningService, acting: WarningEffects, one: NewCase, source: str, now: DateTime
) -> str:
    """One warning, by the machinery of all warnings."""
    count, days = len(one.with_) + 1, max(1, learning.plan.window // timedelta(days=1))
    title = Text(f"{count} times in {days} days: {one.name}", f"{days}天内第{count}次：{one.name}")
    said = _said(one, title, count, learning.plan.window)
    raised = acting.raise_warning(said, WarningContext(silences=warnings.list_silences(connection, now)))
    times = [one.print.at, *recurrence_store.list_case_times(connection, one.with_, source)]
    recurrence_store.add_recurrence(
        connection, id=raised.id, kind=one.name[:60], source=source, title={"en": title.en, "zh": title.zh},
        service=one.service[:80], first_at=min(times), last_at=max(times), made_at=now,
    )  # fmt: skip
    return raised.id


def _said(one: NewCase, title: Text, count: int, window: timedelta) -> RuleReport:
    slug = re.sub(r"[^\w.-]+", "-", one.name, flags=re.UNICODE).strip("-").lower()
    rule = Rule(
        f"{RECURRENCE_RULE_PREFIX}{slug}"[:60], title, "recurrence", Aggregate.COUNT, window, Condition.ABOVE,
        (ThresholdLevel(Tier.YELLOW, count, count),), starts=RuleStart(PLAYBOOK),
    )  # fmt: skip
    at = one.print.at
    return RuleReport(
        rule, one.series, RuleState(RulePhase.FIRING, at, Tier.YELLOW, firing_since=at, value=float(count))
    )


def _join(connection: Connection, kind: str, more: Sequence[NewCase], now: DateTime) -> None:
    """Further cases of a kind: on the timeline of its warning, and the warning stands again."""
    row = recurrence_store.get_recurrence(connection, kind)
    raised = warnings.get_warning(connection, kind)
    if row is None or raised is None:
        return
    count = len(recurrence_store.list_case_ids(connection, kind))
    warnings.update_warning(connection, replace(raised, value=float(count), ended_at=None))
    last = max(row.last_at, *(one.print.at for one in more))
    recurrence_store.update_recurrence(connection, kind, last_at=last)
    if raised.matter:
        incidents.lock_incident(connection, raised.matter)
        refs = [one.ref for one in more if one.ref != one.print.id]
        data = {"rule": raised.rule, "tier": str(raised.tier), "value": count, "cases": refs[:COMPARED]}
        timeline.append_facts(connection, raised.matter, [Fact(FactKind.JOINED, now, data=data)])


# --- keeping them true -------------------------------------------------------------------------------------------


def _refresh_stale(learning: LearningService, now: DateTime) -> int:
    """A warning whose matter is over has ended, one held back may be let through, proposals follow the record."""
    with learning.installation.database.read() as connection:
        wanted = [row.id for row in recurrence_store.list_running_recurrences(connection)]
        wanted = [kind for kind in wanted if _is_stale(learning, connection, kind, now)]
    for kind in wanted:
        with learning.installation.database.write() as connection:
            turns.lock_commands(connection, [LOCK])
            _refresh_kind(learning, connection, kind, now)
        optimisation_proposal.refresh_proposal(learning.installation, kind, now)
    return len(wanted)


def _is_stale(learning: LearningService, connection: Connection, kind: str, now: DateTime) -> bool:
    raised, row = warnings.get_warning(connection, kind), recurrence_store.get_recurrence(connection, kind)
    if raised is None or row is None:
        return False
    if raised.course is Disposition.HELD:
        return True
    over = _is_over(connection, raised)
    past = elapsed(row.last_at, now) > learning.plan.window
    return (over and (raised.ended_at is None or past)) or optimisation_proposal.is_proposal_stale(connection, row)


def _is_over(connection: Connection, raised: RaisedWarning) -> bool:
    if not raised.matter:
        return True
    return incidents.load_incident(connection, raised.matter).status in _OVER


def _refresh_kind(learning: LearningService, connection: Connection, kind: str, now: DateTime) -> None:
    raised, row = warnings.get_warning(connection, kind), recurrence_store.get_recurrence(connection, kind)
    if raised is None or row is None:
        return
    past = elapsed(row.last_at, now) > learning.plan.window
    if raised.course is Disposition.HELD and not past:
        title = Text(row.title["en"], row.title["zh"])
        new = NewCase(IncidentFingerprint(row.id, "", raised.began_at), row.id, name=row.kind, service=row.service)
        said = replace(_said(new, title, int(raised.value or 0), learning.plan.window), series=raised.series)
        acting = WarningEffects(connection, learning.installation, LIVE_FEED, now)
        acting.reconsider(raised, said, WarningContext(silences=warnings.list_silences(connection, now)))
        return
    if _is_over(connection, raised) and raised.ended_at is None and (raised.matter or past):
        warnings.update_warning(connection, replace(raised, ended_at=now))
    if _is_over(connection, raised) and past:
        recurrence_store.update_recurrence(connection, kind, ended_at=now)
