"""A pure world for tests of the domain: a snapshot, commands and time, without database or clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pendulum
from pendulum import DateTime

from domain.command_handlers import CommandRefused, handle_command
from domain.commands import Begin, IncidentCommand, StepCommand
from domain.decide import Decision, decide
from domain.evolve import evolve_snapshot
from domain.facts import Fact, FactKind
from domain.incident import Incident, Response, Snapshot
from domain.notifications import Notification, Publication
from domain.playbook import Playbook
from domain.roster import Person, PublicChannel, Role, Roster
from tests.strategies import CHANNELS, ROLES

START = pendulum.datetime(2026, 3, 14, 3, 0)
PEOPLE = ("ana", "ben", "cai", "dan", "eva", "fu", "gil", "last")


def roster(**changes: object) -> Roster:
    """Eight people, every role of the strategies with a backup, three sandbox channels."""
    people = {name: Person(name, name.title(), (f"{name}-phone", f"{name}-mail")) for name in PEOPLE}
    roles = {role: Role(role, role, PEOPLE[i], PEOPLE[(i + 1) % 6]) for i, role in enumerate((*ROLES,))} | {
        "last-resort": Role("last-resort", "last resort", "last")
    }
    public = {name: PublicChannel(name, f"official-{name}", "en", sandbox=True) for name in CHANNELS}
    return replace(Roster(people=people, roles=roles, public=public), **changes)  # type: ignore[arg-type]


class World:
    """One response of one incident; everything that was decided is kept."""

    def __init__(
        self, playbook: Playbook, *, people: Roster | None = None, now: DateTime = START, **incident: object
    ) -> None:
        """Begin at `now`; nothing is decided yet."""
        declared = Incident(id="i", ref="INC-1", title="t", severity="critical", declared_at=now)
        self.now = now
        self.snapshot = Snapshot(
            incident=replace(declared, **incident),  # type: ignore[arg-type]
            response=Response(id="r", playbook=playbook, started_at=now),
            roster=people or roster(),
        )
        self.facts: list[Fact] = []
        self.notices: list[tuple[DateTime, Notification]] = []
        self.publications: list[Publication] = []

    def decide(self) -> Decision:
        """Take a turn now."""
        decision = decide(self.snapshot, self.now)
        self.snapshot = decision.snapshot
        self.facts += decision.facts
        self.notices += [(self.now, notice) for notice in decision.notices]
        self.publications += decision.publications
        return decision

    def after(self, span: timedelta) -> Decision:
        """Let time pass without a look, then take a turn."""
        self.now = self.now.add(seconds=int(span.total_seconds()))
        return self.decide()

    def live(self, span: timedelta) -> list[Decision]:
        """Let time pass as it should: a turn at every wake-up."""
        ends = self.now.add(seconds=int(span.total_seconds()))
        decisions = [self.decide()]
        while (wake := decisions[-1].wake_at) is not None and wake <= ends:
            self.now = wake
            decisions.append(self.decide())
        self.now = ends
        return [*decisions, self.decide()]

    def do(self, command: StepCommand | IncidentCommand | Begin) -> bool:
        """Give a command; whether it was legal."""
        try:
            facts = handle_command(command, self.snapshot, self.now)
        except CommandRefused as refused:
            said = str(refused)
        else:
            for fact in facts:
                self.record(fact)
            return True
        assert said, "a refusal says why"
        assert "\n" not in said, "in one line"
        return False

    def record(self, fact: Fact) -> None:
        """A fact from outside: a command's, or a delivery's."""
        self.facts.append(fact)
        self.snapshot = evolve_snapshot(self.snapshot, fact)

    def record_publication_outcomes(self, kind: FactKind = FactKind.PUBLISHED) -> None:
        """Give every ordered publication its outcome, as the delivery does."""
        for publication in self.publications:
            data = {"channel": publication.channel, "receipt": f"id-{publication.channel}"}
            self.record(Fact(kind, self.now, publication.step, data=data))
        self.publications.clear()
