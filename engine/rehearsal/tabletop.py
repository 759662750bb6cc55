"""A sudden situation held: the procedure begins, things happen on time, and what people do about them is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pendulum import DateTime

from domain.commands import Cancel
from domain.handle import Refused
from domain.playbook import CLOCKS, Playbook
from domain.tabletop.scenario import Effect, Injection, Scenario
from engine import commands
from engine.clock import now as clock
from engine.house import House
from engine.rehearsal import sudden
from engine.rehearsal.cast import MINUTE, people_of
from engine.rehearsal.letters import letter_of
from engine.rehearsal.line import Line, RehearsalError
from engine.rehearsal.owners import Owners, Stage
from engine.rehearsal.run import about_of, lend_tokens, take_back
from engine.rehearsal.sandbox import boxes_of, callable_people, require_sandbox
from engine.rehearsal.sudden import Happened

_LOOK = 0.06  # real seconds between two looks
_WRITES, _APPROVES = 3 * MINUTE, 5 * MINUTE  # of simulated people, after a text was sent back
SPEED = 60.0  # times real time with simulated people: one of their minutes is a second


@dataclass(frozen=True, slots=True)
class TabletopOrder:
    """What is asked for."""

    scenario: Scenario
    playbook: Playbook
    speed: float
    auto: bool
    seed: int


@dataclass(slots=True)
class Played:
    """What took place: the incident, each thing that happened, when it began and ended by the machine's clock."""

    order: TabletopOrder
    ref: str
    began: DateTime
    ended: DateTime
    happened: list[Happened] = field(default_factory=list)


Watch = Callable[[float, Sequence[Happened]], None]


def play(house: House, line: Line, order: TabletopOrder, watch: Watch) -> Played:
    """Hold it to its end; then measure with `engine.rehearsal.measuring`, and `call_off`.

    Raises:
        RehearsalError: it cannot be held, or Tocsin went away.
    """
    tokens = lend_tokens(house, _simulated(house, order)) if order.auto else {}
    game = _Game(house, line, order, tokens)
    try:
        game.run(watch)
    except BaseException:
        call_off(house, game.played)
        raise
    finally:
        game.close()
        take_back(house, tokens)
    return game.played


def _simulated(house: House, order: TabletopOrder) -> list[str]:
    """Everybody whom it may call, all of whom must be reached on this machine."""
    roster, names = house.roster(), dict[str, None]()
    for playbook in _playbooks(house, order):
        require_sandbox(playbook, roster, house.channels())
        names |= dict.fromkeys(callable_people(playbook, roster))
    return list(names)


def _playbooks(house: House, order: TabletopOrder) -> list[Playbook]:
    found = [order.playbook]
    for one in order.scenario.injections:
        if one.effect is Effect.MESSAGE:
            found.append(sudden.procedure(order.scenario, one))
        elif one.effect is Effect.INCIDENT:
            found.append(house.library.get(one.playbook))
    return found


def call_off(house: House, played: Played) -> None:
    """Nobody is called any more for what is over."""
    for ref in (played.ref, *(one.matter for one in played.happened)):
        if ref:
            command = Cancel(
                id=f"over:{ref}:{played.began.timestamp():.0f}", incident=ref, reason="the rehearsal is over"
            )
            with suppress(Refused):  # it ended by itself
                commands.carry_out(house, command, clock())


class _Game:
    """One scenario under way."""

    def __init__(self, house: House, line: Line, order: TabletopOrder, tokens: dict[str, str]) -> None:
        self._house, self._line, self._order, self._tokens = house, line, order, tokens
        self._roster = house.roster()
        self._readers = {
            box: person for person, box in boxes_of(self._roster, house.channels(), house.settings.port).items()
        }
        self._cast = people_of(order.seed, list(self._roster.people))
        self._owners: dict[str, Owners] = {}
        self._waiting = sorted(order.scenario.injections, key=lambda one: one.at)
        self._deeds: list[tuple[float, Callable[[], None]]] = []
        line.letters()  # what lay there before is nobody's business
        ref = self._declare(order.playbook, order.scenario.title.en, order.scenario.title.zh)
        began = clock()
        self.played = Played(order, ref, began, began)
        self._take_part(ref, order.playbook)

    def run(self, watch: Watch) -> None:
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
        about = about_of(playbook)
        fields = {name: about[name] for name in ("severity", "origin", "service", "kind")}
        document = {
            "title": f"Rehearsal 演练 · {en} · {zh}"[:200], "playbook": playbook.id, "drill": True, **fields,
            "pace": dict.fromkeys(CLOCKS, self._order.speed),
        }  # fmt: skip
        return str(self._line.post("/api/incidents", document)["ref"])

    def _take_part(self, ref: str, playbook: Playbook) -> None:
        if not self._order.auto:
            return
        owners = Owners(Stage(
            self._line, ref, playbook, self._roster, self._cast, self._tokens, self._readers, self._now, MINUTE
        ))  # fmt: skip
        for one in self._order.scenario.injections:
            if one.effect is Effect.REJECT:
                owners.keep_back(one.step)
        for happened in self.played.happened:
            if happened.injection.effect is Effect.UNREACHABLE:
                owners.lose(happened.person)
        self._owners[ref] = owners

    def _read(self) -> None:
        if not self._order.auto:
            return
        messages = self._line.letters()
        for ref, owners in self._owners.items():
            letters = [letter_of(message, ref, self._now()) for message in messages]
            owners.hear([letter for letter in letters if letter is not None])
            owners.act()

    def _inject(self) -> None:
        for one in list(self._waiting):
            if one.at.total_seconds() <= self._now() and (happened := self._happen(one)):
                self.played.happened.append(happened)
                self._waiting.remove(one)

    def _happen(self, one: Injection) -> Happened | None:
        """None: not possible yet; it is tried again."""
        now, scenario = clock(), self._order.scenario
        match one.effect:
            case Effect.MESSAGE:
                ref = sudden.call(self._house, scenario, one, self._order.speed, now)
                self._take_part(ref, sudden.procedure(scenario, one))
                return Happened(one, now, matter=ref, person=self._roster.primary(one.to) or "")
            case Effect.INCIDENT:
                playbook = self._house.library.get(one.playbook)
                ref = self._declare(playbook, one.text.en, one.text.zh)
                self._take_part(ref, playbook)
                return Happened(one, now, matter=ref)
            case Effect.UNREACHABLE:
                person = self._roster.primary(one.to) or ""
                for owners in self._owners.values():
                    owners.lose(person)
                return Happened(one, now, person=person)
            case Effect.REJECT:
                return self._reject(one, now)

    def _reject(self, one: Injection, now: DateTime) -> Happened | None:
        try:
            by = sudden.send_back(self._house, self.played.ref, one.step, one.text, now)
        except Refused:
            return None
        if not by:
            return None
        if self._order.auto:
            ref, since = self.played.ref, self._now()
            self._deeds.append(
                (since + _WRITES, lambda: sudden.write_anew(self._house, ref, one.step, clock())),
            )
            self._deeds.append(
                (since + _APPROVES, lambda: sudden.approve_anew(self._house, ref, one.step, by, clock())),
            )
        return Happened(one, now, person=by, step=one.step)

    def _simulate(self) -> None:
        due = [deed for deed in self._deeds if deed[0] <= self._now()]
        for deed in due:
            self._deeds.remove(deed)
            try:
                deed[1]()
            except Refused as refused:
                raise RehearsalError(f"a simulated owner could not act: {refused}") from None
