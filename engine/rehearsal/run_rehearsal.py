"""One rehearsal against the running installation, from the declaration to the verdict."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pendulum

from domain.playbook import Playbook
from engine.installation import Installation
from engine.rehearsal import report
from engine.rehearsal.api_client import RehearsalClient, RehearsalError, incident_path
from engine.rehearsal.evidence import (
    collect_evidence,
    epoch_seconds,
    first_received,
    observed_actions,
    observed_messages,
    publication_times,
)  # fmt: skip
from engine.rehearsal.expectation import compute_expectation
from engine.rehearsal.follow_up import RehearsalEnding, RehearsedFollowUp, merge_verdicts
from engine.rehearsal.owner_actions import OwnerActions
from engine.rehearsal.persona_selection import choose_personas
from engine.rehearsal.personas import PersonaSet
from engine.rehearsal.received_messages import ReceivedMessage, parse_message
from engine.rehearsal.report_document import make_document
from engine.rehearsal.request import RehearsalProgress, RehearsalRequest, RehearsalResult
from engine.rehearsal.sandbox import inbox_boxes, list_callable_people, require_sandbox
from engine.rehearsal.simulated_owners import OwnerContext, OwnerLedger, SimulatedOwners
from engine.rehearsal.step_schedule import RehearsalClocks
from engine.rehearsal.time_bounds import TimeBounds, exact_moment
from engine.rehearsal.verdict import judge_rehearsal
from storage import documents
from storage.incidents import person_tokens

_LOOK = 0.06  # real seconds between two looks into the inbox
_SHOW = 1.0  # real seconds between two looks at the incident
_DAY = 86_400.0
_LONGEST_CLOSING = 45.0  # real seconds that the closing stage is waited for, beyond what it needs
_OVER = ("completed", "cancelled")


def run_rehearsal(
    installation: Installation,
    line: RehearsalClient,
    order: RehearsalRequest,
    watch: Callable[[RehearsalProgress], None],
) -> tuple[RehearsalResult, dict[str, Any]]:
    """Run a rehearsal and keep its report; its owners' tokens are void when this returns or fails.

    Raises:
        RehearsalError: it cannot be held, or Tocsin went away. One line.
    """
    roster = installation.roster()
    about = choose_incident_fields(order.playbook)
    cast = None
    if order.auto:
        require_sandbox(order.playbook, roster, installation.channels())
        cast = choose_personas(order.playbook, roster, about, _planned(order), order.seed)
    follow = RehearsedFollowUp(installation, line, order, order.customers) if order.customers and cast else None
    playbooks = [order.playbook, *([follow.playbook] if follow else [])]
    names = [name for playbook in playbooks for name in list_callable_people(playbook, roster)] if cast else []
    tokens = issue_tokens(installation, list(dict.fromkeys(names)))
    try:
        held = _Rehearsal(installation, line, order, cast, about, tokens, follow).hold(watch)
        found = report.save_report(held, installation.settings.home / "reports")
        with installation.database.write() as connection:
            documents.save_document(connection, make_document(found, pendulum.now("UTC")))
        return held, found
    finally:
        revoke_tokens(installation, tokens)


def choose_incident_fields(playbook: Playbook) -> dict[str, str]:
    """Choose fields of the incident by which as many steps as possible apply."""
    about = {"severity": playbook.severity, "drill": "true", "origin": "", "service": "", "kind": ""}
    for _, step in playbook.each_step():
        for name, allowed in step.when.items():
            if not about.get(name):
                about[name] = allowed[0]
    return about


def _planned(order: RehearsalRequest) -> RehearsalClocks:
    mitigated = exact_moment(order.mitigates_at) if order.mitigates_at is not None else None
    return RehearsalClocks(exact_moment(order.closes_at), order.closes_at + _DAY * 3, mitigated)


def issue_tokens(installation: Installation, names: list[str]) -> dict[str, str]:
    """Issue a token for each of these people, valid until `revoke_tokens`."""
    now = pendulum.now("UTC")
    with installation.database.write() as connection:
        return {name: person_tokens.add_person_token(connection, name, now) for name in names}


def revoke_tokens(installation: Installation, tokens: dict[str, str]) -> None:
    """Revoke the issued tokens."""
    with installation.database.write() as connection:
        for token in tokens.values():
            person_tokens.remove_person_token(connection, token)


class _Rehearsal:
    """One rehearsal under way."""

    def __init__(
        self,
        installation: Installation,
        line: RehearsalClient,
        order: RehearsalRequest,
        cast: PersonaSet | None,
        about: dict[str, str],
        tokens: dict[str, str],
        follow: RehearsedFollowUp | None,
    ) -> None:
        self._installation, self._line, self._order, self._cast = installation, line, order, cast
        self._roster = installation.roster()
        self._about = about
        self._follow = follow
        self._boxes = inbox_boxes(self._roster, installation.channels(), installation.settings.port)
        self._tokens = tokens
        self._letters: list[ReceivedMessage] = []
        self._shown: dict[str, Any] = {}
        self._declared = 0.0
        self._closed_at = float("inf")  # the machine's clock, as `_declared`
        self._closed: TimeBounds | None = None
        self._mitigated: TimeBounds | None = None
        self._ref = ""

    def hold(self, watch: Callable[[RehearsalProgress], None]) -> RehearsalResult:
        """From the declaration to the verdict."""
        begun = time.monotonic()
        self._line.new_messages()  # what lay there before is nobody's business
        owners = None
        try:
            self._declare()
            owners = self._owners() if self._cast else None
            self._live(owners, watch)
        except BaseException:
            self._call_off()
            raise
        finally:
            if owners:
                owners.close()
            if self._follow:
                self._follow.close()
        return self._judged(owners, time.monotonic() - begun)

    # --- its course

    def _declare(self) -> None:
        playbook = self._order.playbook
        title = f"Rehearsal 演练 · {playbook.title.en}" + (f" · {playbook.title.zh}" if playbook.title.zh else "")
        fields = {name: self._about[name] for name in ("severity", "origin", "service", "kind")}
        document = {
            "id": str(uuid.uuid4()), "title": title[:200], "playbook": playbook.id, "drill": True, **fields,
            "pace": self._order.pace,
        }  # fmt: skip
        try:
            self._ref = self._line.post("/api/incidents", document)["ref"]
        except KeyboardInterrupt:
            # It may be declared by now: asked again by its id it is the same, and its reference is what cancels it.
            with suppress(RehearsalError):
                self._ref = self._line.post("/api/incidents", document)["ref"]
            raise
        self._shown = self._line.get(incident_path(self._ref))
        self._declared = epoch_seconds(self._shown["declared_at"])
        if self._follow and self._cast:
            self._follow.begin(self._ref, self._cast, self._tokens, self._boxes, self._now)

    def _owners(self) -> SimulatedOwners:
        readers = {box: person for person, box in self._boxes.items()}
        assert self._cast is not None  # noqa: S101 - for the type checker; asked by the caller
        return SimulatedOwners(
            OwnerContext(
                self._line,
                self._ref,
                self._order.playbook,
                self._roster,
                self._cast,
                self._tokens,
                readers,
                self._now,
                2 * self._order.slack,
            )
        )

    def _now(self) -> float:
        return self._clock(time.time())

    def _clock(self, at: float) -> float:
        """A moment of the machine's clock on the rehearsed one, which goes at another speed after the close."""
        before = (min(at, self._closed_at) - self._declared) * self._order.speed
        return before + max(0.0, at - self._closed_at) * self._order.speed_closed

    def _live(self, owners: SimulatedOwners | None, watch: Callable[[RehearsalProgress], None]) -> None:
        seen, ends = 0.0, float("inf")
        while True:
            self._read(owners)
            self._move(owners)
            if time.monotonic() - seen >= _SHOW:
                seen = time.monotonic()
                self._look()
                watch(self._progress())
            if self._shown["status"] in _OVER or time.monotonic() > ends:
                break
            if self._closed is not None and ends == float("inf"):
                spare = _LONGEST_CLOSING if self._cast else 0.0
                ends = time.monotonic() + self._closing_takes() / self._order.speed_closed + spare
            time.sleep(_LOOK)
        settled = time.monotonic() + self._order.tolerance
        while time.monotonic() < settled:  # late and needless messages are part of the verdict
            self._read(owners)
            time.sleep(_LOOK)
        self._look()
        watch(self._progress())

    def _read(self, owners: SimulatedOwners | None) -> None:
        new, theirs = [], []
        for message in self._line.new_messages():
            at_ = self._moment(message["received_at"])
            letter = parse_message(message, self._ref, at_)
            if self._follow and self._follow.owns_message(message):
                theirs.append((message, at_, letter))
            elif letter:
                new.append(letter)
        self._letters += new
        if self._follow:
            self._follow.receive(self._ref, theirs)
            self._follow.act()
        if owners:
            owners.receive(new)
            owners.act()

    def _move(self, owners: SimulatedOwners | None) -> None:
        """What is done to the incident as a whole: service is back, it is over."""
        moment = self._order.mitigates_at
        if moment is not None and self._mitigated is None and self._closed is None and self._now() >= moment:
            self._mitigated = self._asked("mitigate", "rehearsal: service is back")
        if self._closed is None and self._now() >= self._order.closes_at:
            if owners:
                owners.drop_incident()
            asked = self._asked("close", "rehearsal over")
            self._look()
            self._closed = TimeBounds(asked.lo, min(asked.hi, self._clock(self._closed_at)))

    def _asked(self, what: str, reason: str) -> TimeBounds:
        asked = self._now()
        self._line.post(incident_path(self._ref, what), {"reason": reason})
        return TimeBounds(asked, self._now())

    def _look(self) -> None:
        self._shown = self._line.get(incident_path(self._ref))
        if self._closed_at == float("inf") and self._shown["closed_at"]:
            self._closed_at = epoch_seconds(self._shown["closed_at"])
        if self._closed is None and self._shown["closed_at"]:  # by somebody who takes part
            self._closed = exact_moment(self._moment(self._shown["closed_at"]))

    def _closing_takes(self) -> float:
        """Seconds of the rehearsed clock that the closing stage needs with these owners."""
        if self._cast is None:  # until real people have taken what follows the close, not until it is written
            steps = [plan for stage, plan in self._order.playbook.each_step() if stage.clock == "closed"]
            return max((plan.ack_within.total_seconds() for plan in steps if plan.ack_within), default=0.0)
        if self._follow:
            return self._follow.duration
        planned = compute_expectation(
            self._order.playbook, self._roster, self._cast, _planned(self._order), self._about
        )
        done = [c.done.lo for c in planned.courses.values() if c.laid.stage.clock == "closed"]
        return max(
            (when - self._order.closes_at for when in done if when < self._order.closes_at + _DAY),
            default=0.0,
        )

    def _call_off(self) -> None:
        """Interrupted: nobody should be called any more for something that is not watched."""
        if not self._ref:
            return
        try:
            self._line.post(incident_path(self._ref, "cancel"), {"reason": "rehearsal broken off"})
        except RehearsalError:
            return

    def _progress(self) -> RehearsalProgress:
        closes = self._order.closes_at
        return RehearsalProgress(
            self._order,
            self._roster,
            self._cast,
            self._ref,
            self._now(),
            closes,
            self._moment,
            self._shown,
            tuple(self._letters),
        )

    # --- its end

    def _judged(self, owners: SimulatedOwners | None, lasted: float) -> RehearsalResult:
        order, ledger = self._order, owners.ledger if owners else None
        clocks = RehearsalClocks(self._closed or exact_moment(self._now()), self._now(), self._mitigated)
        letters, deeds = self._letters, self._deeds(ledger)
        if ledger is None:
            letters = observed_messages(self._shown, letters, self._boxes, self._moment)
            deeds = observed_actions(order, self._roster, self._shown, letters, self._moment)
        expectation = compute_expectation(
            order.playbook, self._roster, deeds, clocks, self._about, slack=order.slack, prompt=order.prompt,
            spoken=tuple(letter.at for letter in letters if letter.is_public), after=order.after,
        )  # fmt: skip
        planned = None
        if self._cast is not None:
            planned = compute_expectation(order.playbook, self._roster, self._cast, _planned(order), self._about)
        ground = collect_evidence(
            self._installation, self._line, order, self._shown, letters, planned, ledger, self._boxes, clocks.closed.lo
        )
        verdict, followed = judge_rehearsal(expectation, ground), None
        if self._follow:
            ending = RehearsalEnding(self._shown, clocks.closed, clocks.over, self._boxes, self._about)
            calls, followed = self._follow.judge(ending)
            verdict = merge_verdicts(verdict, calls)
        return RehearsalResult(
            order, self._roster, self._cast, self._shown, expectation, verdict, tuple(letters), lasted, followed
        )

    def _deeds(self, ledger: OwnerLedger | None) -> OwnerActions:
        """What the simulated owners did, by their own ledger, and when they heard."""
        if ledger is None:
            return OwnerActions()
        stood = publication_times(self._order.playbook, self._roster, self._letters, self._order.slack)
        return OwnerActions(
            dict(ledger.acknowledged),
            dict(ledger.done),
            first_received(self._letters),
            stood,
            dict(ledger.amounts),
        )

    def _moment(self, iso: str) -> float:
        """A time of the API on the rehearsed clock."""
        return self._clock(epoch_seconds(iso))
