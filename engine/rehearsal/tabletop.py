"""Tabletop run of a sudden situation: the procedure begins, injections come, reactions are measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Cancel
from domain.playbook import CLOCKS, Playbook
from domain.tabletop.scenario import Injection, InjectionEffect, Scenario
from engine.installation import Installation
from engine.process.clock import now as clock
from engine.rehearsal import injections
from engine.rehearsal.api_client import RehearsalClient, RehearsalError
from engine.rehearsal.injections import InjectedEvent
from engine.rehearsal.personas import MINUTE, make_personas
from engine.rehearsal.received_messages import parse_message
from engine.rehearsal.run_rehearsal import choose_incident_fields, issue_tokens, revoke_tokens
from engine.rehearsal.sandbox import inbox_boxes, list_callable_people, require_sandbox
from engine.rehearsal.simulated_owners import OwnerContext, SimulatedOwners
from engine.response import commands

_LOOK = 0.06  # real seconds between two looks
_WRITES, _APPROVES = 3 * MINUTE, 5 * MINUTE  # of simulated people, after a text was sent back
SPEED = 60.0  # times real time with simulated people: one of their minutes is a second


@dataclass(frozen=True, slots=True)
class TabletopRequest:
    """Tabletop as it is asked for."""

    scenario: Scenario
    playbook: Playbook
    speed: float
    auto: bool
    seed: int


@dataclass(slots=True)
class TabletopRun:
    """What took place: the incident, each injection, when it began and ended by the machine's clock."""

    order: TabletopRequest
    ref: str
    began: DateTime
    ended: DateTime
    happened: list[InjectedEvent] = field(default_factory=list)


TabletopListener = Callable[[float, Sequence[InjectedEvent]], None]


def run_tabletop(
    installation: Installation, line: RehearsalClient, order: TabletopRequest, watch: TabletopListener
) -> TabletopRun:
    """Run it to its end; measure then with `engine.rehearsal.tabletop_measures`, and `cancel_run`.

    Raises:
        RehearsalError: it cannot be held, or Tocsin went away.
    """
    tokens = issue_tokens(installation, _simulated(installation, order)) if order.auto else {}
    game = _Game(installation, line, order, tokens)
    try:
        game.run(watch)
    except BaseException:
        cancel_run(installation, game.played)
        raise
    finally:
        game.close()
        revoke_tokens(installation, tokens)
    return game.played


def _simulated(installation: Installation, order: TabletopRequest) -> list[str]:
    """Everybody whom it may call, all of whom must be reached on this machine."""
    roster, names = installation.roster(), dict[str, None]()
    for playbook in _playbooks(installation, order):
        require_sandbox(playbook, roster, installation.channels())
        names |= dict.fromkeys(list_callable_people(playbook, roster))
    return list(names)


def _playbooks(installation: Installation, order: TabletopRequest) -> list[Playbook]:
    found = [order.playbook]
    for one in order.scenario.injections:
        if one.effect is InjectionEffect.MESSAGE:
            found.append(injections.make_answer_playbook(order.scenario, one))
        elif one.effect is InjectionEffect.INCIDENT:
            found.append(installation.library.get(one.playbook))
    return found


def cancel_run(installation: Installation, played: TabletopRun) -> None:
    """Cancel what is still running: nobody is called any more for what is over."""
    for ref in (played.ref, *(one.matter for one in played.happened)):
        if ref:
            command = Cancel(
                id=f"over:{ref}:{played.began.timestamp():.0f}", incident=ref, reason="the rehearsal is over"
            )
            with suppress(CommandRefused):  # it ended by itself
                commands.carry_out_command(installation, command, clock())


class _Game:
    """One scenario under way."""

    def __init__(
        self, installation: Installation, line: RehearsalClient, order: TabletopRequest, tokens: dict[str, str]
    ) -> None:
        self._installation, self._line, self._order, self._tokens = installation, line, order, tokens
        self._roster = installation.roster()
        self._readers = {
            box: person
            for person, box in inbox_boxes(self._roster, installation.channels(), installation.settings.port).items()
        }
        self._cast = make_personas(order.seed, list(self._roster.people))
        self._owners: dict[str, SimulatedOwners] = {}
        self._waiting = sorted(order.scenario.injections, key=lambda one: one.at)
        self._deeds: list[tuple[float, Callable[[], None]]] = []
        line.new_messages()  # what lay there before is nobody's business
        ref = self._declare(order.playbook, order.scenario.title.en, order.scenario.title.zh)
        began = clock()
        self.played = TabletopRun(order, ref, began, began)
        self._take_part(ref, order.playbook)

    def run(self, watch: TabletopListener) -> None:
        """Until the last thing that is expected must have happened."""
        lasts = self._order.scenario.lasts.total_seconds()
        while self._now() < lasts:
            self._read()
            self._inject()
            self._simulate()
            watch(self._now(), self.played.happened)
            time.sleep(_LOOK)
        self.played.ended = clock()

    def close(self) -> None:
        """Nobody acts any more."""
        for owners in self._owners.values():
            owners.close()

    def _now(self) -> float:
        return (clock() - self.played.began).total_seconds() * self._order.speed

    def _declare(self, playbook: Playbook, en: str, zh: str) -> str:
        about = choose_incident_fields(playbook)
        fields = {name: about[name] for name in ("severity", "origin", "service", "kind")}
        document = {
            "title": f"Rehearsal 演练 · {en} · {zh}"[:200], "playbook": playbook.id, "drill": True, **fields,
            "pace": dict.fromkeys(CLOCKS, self._order.speed),
        }  # fmt: skip
        return str(self._line.post("/api/incidents", document)["ref"])

    def _take_part(self, ref: str, playbook: Playbook) -> None:
        if not self._order.auto:
            return
        owners = SimulatedOwners(OwnerContext(
            self._line, ref, playbook, self._roster, self._cast, self._tokens, self._readers, self._now, MINUTE
        ))  # fmt: skip
        for one in self._order.scenario.injections:
            if one.effect is InjectionEffect.REJECT:
                owners.hold_step(one.step)
        for happened in self.played.happened:
            if happened.injection.effect is InjectionEffect.UNREACHABLE:
                owners.make_unreachable(happened.person)
        self._owners[ref] = owners

    def _read(self) -> None:
        if not self._order.auto:
            return
        messages = self._line.new_messages()
        for ref, owners in self._owners.items():
            letters = [parse_message(message, ref, self._now()) for message in messages]
            owners.receive([letter for letter in letters if letter is not None])
            owners.act()

    def _inject(self) -> None:
        for one in list(self._waiting):
            if one.at.total_seconds() <= self._now() and (happened := self._happen(one)):
                self.played.happened.append(happened)
                self._waiting.remove(one)

    def _happen(self, one: Injection) -> InjectedEvent | None:
        """None: not possible yet; it is tried again."""
        now, scenario = clock(), self._order.scenario
        match one.effect:
            case InjectionEffect.MESSAGE:
                ref = injections.call_role(self._installation, scenario, one, self._order.speed, now)
                self._take_part(ref, injections.make_answer_playbook(scenario, one))
                return InjectedEvent(one, now, matter=ref, person=self._roster.primary(one.to) or "")
            case InjectionEffect.INCIDENT:
                playbook = self._installation.library.get(one.playbook)
                ref = self._declare(playbook, one.text.en, one.text.zh)
                self._take_part(ref, playbook)
                return InjectedEvent(one, now, matter=ref)
            case InjectionEffect.UNREACHABLE:
                person = self._roster.primary(one.to) or ""
                for owners in self._owners.values():
                    owners.make_unreachable(person)
                return InjectedEvent(one, now, person=person)
            case InjectionEffect.REJECT:
                return self._reject(one, now)

    def _reject(self, one: Injection, now: DateTime) -> InjectedEvent | None:
        try:
            by = injections.reject_text(self._installation, self.played.ref, one.step, one.text, now)
        except CommandRefused:
            return None
        if not by:
            return None
        if self._order.auto:
            ref, since = self.played.ref, self._now()
            self._deeds.append(
                (since + _WRITES, lambda: injections.rewrite_text(self._installation, ref, one.step, clock())),
            )
            self._deeds.append(
                (since + _APPROVES, lambda: injections.approve_rewrite(self._installation, ref, one.step, by, clock())),
            )
        return InjectedEvent(one, now, person=by, step=one.step)

    def _simulate(self) -> None:
        due = [deed for deed in self._deeds if deed[0] <= self._now()]
        for deed in due:
            self._deeds.remove(deed)
            try:
                deed[1]()
            except CommandRefused as refused:
                raise RehearsalError(f"a simulated owner could not act: {refused}") from None
