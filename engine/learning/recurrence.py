"""What comes again: the third of a kind within the window is one warning with one proposal, a further one updates both.

Each look is told by rows what is new, so that it may be taken by anybody, at any time, any number of times.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row

from domain.commands import Begin, Reopen
from domain.durations import elapsed, later
from domain.facts import Fact, FactKind
from domain.handle import Refused
from domain.incident import IncidentStatus
from domain.learning.likeness import Fingerprint, alike, name_of, often_enough
from domain.learning.plan import Plan
from domain.text import Text
from domain.warning.raised import Course, Raised, Scene
from domain.warning.rule import Aggregate, Condition, Level, Rule, SeriesKey, Starts, Tier
from domain.warning.standing import Phase, Standing
from engine import commands
from engine.learning import proposal
from engine.learning.desk import LearningDesk
from engine.warning.acting import Acting, Said
from storage import incidents, learning_recurrence, timeline, turns, warnings
from storage.learning_recurrence import INCIDENTS, RULE, TICKETS
from storage.warnings import LIVE

PLAYBOOK, AGAIN = "optimisation-proposal", "again"
BATCH = 20  # cases of one look: some hundredths of a second of the lock
LOCK = "learning/recurrence"
COMPARED = 20  # cases of a kind that a new one is held against: the newest
_OVER = (IncidentStatus.CLOSED, IncidentStatus.COMPLETED, IncidentStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class New:
    """One case that was not looked at yet. `known`: the kind it belongs to; `with_`: those it makes a new one with."""

    print: Fingerprint
    ref: str
    known: str = ""
    with_: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    series: SeriesKey = ()


def look(desk: LearningDesk, now: DateTime) -> int:
    """Count what is new, warn of the third of a kind, keep warnings and proposals true; how many moved."""
    moved = 0
    for source in (INCIDENTS, TICKETS):
        with desk.house.database.read() as connection:
            mark = learning_recurrence.mark(connection)
            news = _judge(connection, desk.plan, source, now)
        if not news:
            continue
        _call_again(desk, [one for one in news if one.known], now)
        # Comparing takes a tenth of a second, for which no deadline waits for the lock: judged before it is taken.
        with desk.house.database.write() as connection:
            turns.hold(connection, [LOCK])
            if learning_recurrence.mark(connection) == mark:  # else somebody looked meanwhile: the next look goes on
                moved += _take(connection, desk, news, source, now)
    return moved + _keep_true(desk, now)


# --- judging what is new -----------------------------------------------------------------------------------------


def _judge(connection: Connection, plan: Plan, source: str, now: DateTime) -> list[New]:
    """What each new case is: of a kind that is known, the third of a new one, or nothing yet.

    What is older than the window is left alone: an installation with a long past is not warned of all of it.
    """
    since = now - plan.window
    return _incidents(connection, plan, since) if source == INCIDENTS else _tickets(connection, plan, since)


def _incidents(connection: Connection, plan: Plan, since: DateTime) -> list[New]:
    rows = learning_recurrence.new_incidents(connection, since, BATCH)
    if not rows:
        return []
    begin, until = rows[0].declared_at - plan.window, later(rows[-1].declared_at, plan.window)
    past = {row.id: learning_recurrence.print_of(row) for row in learning_recurrence.past(connection, begin, until)}
    belongs = learning_recurrence.seen_among(connection, past)
    kinds = [_Kind.of(connection, row) for row in learning_recurrence.running(connection, INCIDENTS)]
    found = []
    for row in rows:
        mine = learning_recurrence.print_of(row)
        kind = next((one for one in kinds if one.takes(mine, plan)), None)
        if kind is not None:
            kind.add(mine)
            new = New(mine, row.ref, known=kind.id)
        else:
            free = [other for name, other in past.items() if belongs.get(name) == "" and name != mine.id]
            similar = [other for other in free if alike(mine, other) >= plan.same_from]
            near = often_enough(mine.at, similar, plan.window, plan.count)
            cases = [*near, mine]
            services = {case.service for case in cases}
            new = New(mine, row.ref)
            if near:
                service = services.pop() if len(services) == 1 else ""
                series = (("service", service),) if service else ()
                new = replace(
                    new, with_=tuple(case.id for case in near), name=name_of(cases), service=service, series=series
                )
                kinds.append(_Kind(_pending(new), mine.at, cases))
                belongs |= dict.fromkeys((case.id for case in cases), kinds[-1].id)
        past[mine.id] = mine
        belongs.setdefault(mine.id, kind.id if kind else "")
        found.append(new)
    return found


def _pending(new: New) -> str:
    """How a kind is called that this very look makes: by the case that made it."""
    return f"new/{new.print.id}"


@dataclass(slots=True)
class _Kind:
    """A kind that is known, with its newest cases."""

    id: str
    last_at: DateTime
    cases: list[Fingerprint]
    open: bool = True

    @classmethod
    def of(cls, connection: Connection, row: Row[Any]) -> _Kind:
        ids = learning_recurrence.cases_of(connection, row.id)[-COMPARED:]
        prints = [learning_recurrence.print_of(one) for one in learning_recurrence.of_ids(connection, ids)]
        raised = warnings.get(connection, row.id)
        return cls(row.id, row.last_at, prints, raised is not None and raised.ended_at is None)

    def takes(self, one: Fingerprint, plan: Plan) -> bool:
        """Whether a case is one more of it: while its warning stands, or within the window."""
        near = self.open or abs(elapsed(self.last_at, one.at)) <= plan.window
        return near and any(alike(one, case) >= plan.same_from for case in self.cases)

    def add(self, one: Fingerprint) -> None:
        self.cases = [*self.cases, one][-COMPARED:]
        self.last_at = max(self.last_at, one.at)


def _tickets(connection: Connection, plan: Plan, since: DateTime) -> list[New]:
    """Warnings of one rule on one category of tickets are of a kind."""
    rows = learning_recurrence.new_tickets(connection, since, BATCH)
    kinds = {(row.kind, row.service): row for row in learning_recurrence.running(connection, TICKETS)}
    made: dict[tuple[str, str], str] = {}
    counted: set[str] = set()
    found = []
    for row in rows:
        category = learning_recurrence.category_of(row)
        key = (f"{row.rule} {category}"[:60], row.service)
        mine = Fingerprint(row.id, category, row.began_at, row.service, kind=category)
        new, kind = New(mine, row.id), kinds.get(key)
        if kind is not None and abs(elapsed(kind.last_at, row.began_at)) <= plan.window:
            new = New(mine, row.id, known=kind.id)
        elif key in made:
            new = New(mine, row.id, known=made[key])
        else:
            begin, until = row.began_at - plan.window, row.began_at
            earlier = learning_recurrence.earlier_tickets(connection, row.rule, row.series, begin, until)
            belongs = learning_recurrence.seen_among(connection, [one.id for one in earlier])
            free = [one for one in earlier if one.id in counted or belongs.get(one.id) == ""]
            others = [Fingerprint(one.id, category, one.began_at) for one in free if one.id != row.id]
            near = often_enough(row.began_at, others, plan.window, plan.count)
            if near:
                series = warnings.series_of(row.series)
                new = replace(new, with_=tuple(one.id for one in near), name=key[0], service=row.service, series=series)
                made[key] = _pending(new)
        counted.add(row.id)
        found.append(new)
    return found


# --- what follows ------------------------------------------------------------------------------------------------


def _call_again(desk: LearningDesk, news: Sequence[New], now: DateTime) -> None:
    """All of a proposal was done, and it came again: its owner is called anew, before the case counts as seen.

    The commands' ids are the case's: a look that is broken off and taken again calls nobody twice.
    """
    for one in news:
        with desk.house.database.read() as connection:
            matter = learning_recurrence.matter_of(connection, one.known)
            if not matter:
                continue
            first = incidents.responses_of(connection, matter)[0]
            snapshot = incidents.load(connection, first, desk.house.roster())
        over, busy = snapshot.incident.status in _OVER, any(state.active for state in snapshot.steps.values())
        reason = f"{one.print.title} · {one.ref}"[:200]
        wanted: list[Reopen | Begin] = []
        if over:
            wanted.append(Reopen(id=_command_id(one, "reopen"), incident=matter, reason=reason))
        if over or not busy:
            wanted.append(Begin(id=_command_id(one, AGAIN), incident=matter, stage=AGAIN, reason=reason))
        for command in wanted:
            try:
                commands.carry_out(desk.house, command, now)
            except Refused:  # cancelled by a person, or the home's own playbook has no such stage
                break


def _command_id(one: New, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tocsin/{one.known}/{one.print.id}/{what}"))


def _take(connection: Connection, desk: LearningDesk, news: Sequence[New], source: str, now: DateTime) -> int:
    """Record what was judged, and warn; proposals are written after it."""
    acting = Acting(connection, desk.house, LIVE, now)
    made: dict[str, str] = {}
    counted: dict[str, list[New]] = {}
    for one in news:
        kind = made.get(one.known, one.known)
        if one.with_:
            kind = made[_pending(one)] = _raise(connection, desk, acting, one, source, now)
            for other in one.with_:
                learning_recurrence.seen(connection, other, source, one.print.at, kind)
        elif kind:
            counted.setdefault(kind, []).append(one)
        learning_recurrence.seen(connection, one.print.id, source, one.print.at, kind)
    for kind, more in counted.items():
        _join(connection, kind, more, now)
    return len(made) + len(counted)


def _raise(connection: Connection, desk: LearningDesk, acting: Acting, one: New, source: str, now: DateTime) -> str:
    """One warning, by the machinery of all warnings."""
    count, days = len(one.with_) + 1, max(1, desk.plan.window // timedelta(days=1))
    title = Text(f"{count} times in {days} days: {one.name}", f"{days}天内第{count}次：{one.name}")
    said = _said(one, title, count, desk.plan.window)
    raised = acting.raise_(said, Scene(silences=warnings.silences(connection, now)))
    times = [one.print.at, *learning_recurrence.times_of(connection, one.with_, source)]
    learning_recurrence.add(
        connection, id=raised.id, kind=one.name[:60], source=source, title={"en": title.en, "zh": title.zh},
        service=one.service[:80], first_at=min(times), last_at=max(times), made_at=now,
    )  # fmt: skip
    return raised.id


def _said(one: New, title: Text, count: int, window: timedelta) -> Said:
    slug = re.sub(r"[^\w.-]+", "-", one.name, flags=re.UNICODE).strip("-").lower()
    rule = Rule(
        f"{RULE}{slug}"[:60], title, "recurrence", Aggregate.COUNT, window, Condition.ABOVE,
        (Level(Tier.YELLOW, count, count),), starts=Starts(PLAYBOOK),
    )  # fmt: skip
    at = one.print.at
    return Said(rule, one.series, Standing(Phase.FIRING, at, Tier.YELLOW, firing_since=at, value=float(count)))


def _join(connection: Connection, kind: str, more: Sequence[New], now: DateTime) -> None:
    """Further cases of a kind: on the timeline of its warning, and the warning stands again."""
    row = learning_recurrence.get(connection, kind)
    raised = warnings.get(connection, kind)
    if row is None or raised is None:
        return
    count = len(learning_recurrence.cases_of(connection, kind))
    warnings.change_warning(connection, replace(raised, value=float(count), ended_at=None))
    last = max(row.last_at, *(one.print.at for one in more))
    learning_recurrence.change(connection, kind, last_at=last)
    if raised.matter:
        incidents.lock(connection, raised.matter)
        refs = [one.ref for one in more if one.ref != one.print.id]
        data = {"rule": raised.rule, "tier": str(raised.tier), "value": count, "cases": refs[:COMPARED]}
        timeline.append(connection, raised.matter, [Fact(FactKind.JOINED, now, data=data)])


# --- keeping them true -------------------------------------------------------------------------------------------


def _keep_true(desk: LearningDesk, now: DateTime) -> int:
    """A warning whose matter is over has ended, one held back may be let through, proposals follow the record."""
    with desk.house.database.read() as connection:
        wanted = [row.id for row in learning_recurrence.running(connection)]
        wanted = [kind for kind in wanted if _is_stale(desk, connection, kind, now)]
    for kind in wanted:
        with desk.house.database.write() as connection:
            turns.hold(connection, [LOCK])
            _settle(desk, connection, kind, now)
        proposal.refresh(desk.house, kind, now)
    return len(wanted)


def _is_stale(desk: LearningDesk, connection: Connection, kind: str, now: DateTime) -> bool:
    raised, row = warnings.get(connection, kind), learning_recurrence.get(connection, kind)
    if raised is None or row is None:
        return False
    if raised.course is Course.HELD:
        return True
    over = _is_over(connection, raised)
    past = elapsed(row.last_at, now) > desk.plan.window
    return (over and (raised.ended_at is None or past)) or proposal.is_stale(connection, row)


def _is_over(connection: Connection, raised: Raised) -> bool:
    if not raised.matter:
        return True
    return incidents.load_incident(connection, raised.matter).status in _OVER


def _settle(desk: LearningDesk, connection: Connection, kind: str, now: DateTime) -> None:
    raised, row = warnings.get(connection, kind), learning_recurrence.get(connection, kind)
    if raised is None or row is None:
        return
    past = elapsed(row.last_at, now) > desk.plan.window
    if raised.course is Course.HELD and not past:
        title = Text(row.title["en"], row.title["zh"])
        new = New(Fingerprint(row.id, "", raised.began_at), row.id, name=row.kind, service=row.service)
        said = replace(_said(new, title, int(raised.value or 0), desk.plan.window), series=raised.series)
        acting = Acting(connection, desk.house, LIVE, now)
        acting.again(raised, said, Scene(silences=warnings.silences(connection, now)))
        return
    if _is_over(connection, raised) and raised.ended_at is None and (raised.matter or past):
        warnings.change_warning(connection, replace(raised, ended_at=now))
    if _is_over(connection, raised) and past:
        learning_recurrence.change(connection, kind, ended_at=now)
