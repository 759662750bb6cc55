"""Follow-up within a rehearsal: customers imported, surveyed in the sandbox, called back, counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from domain.notifications import NotificationPurpose
from domain.playbook import Playbook
from domain.roster import Roster
from engine.installation import Installation
from engine.rehearsal.affected_customers import MOST_CUSTOMERS, CustomerManner, RehearsedCustomer, draw_manner
from engine.rehearsal.api_client import RehearsalClient, RehearsalError, RequestRefused, incident_path
from engine.rehearsal.callback_owners import CALLBACKS, REOPENED, CallbackOwners
from engine.rehearsal.evidence import first_received
from engine.rehearsal.expectation import RehearsalExpectation, compute_expectation
from engine.rehearsal.expected_notices import ExpectedNotice
from engine.rehearsal.follow_up_expectation import FollowUpEvidence, MeetingAgenda, judge_follow_up
from engine.rehearsal.owner_actions import OwnerActions
from engine.rehearsal.personas import PersonaSet
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.request import FollowUpResult, ImportedCustomers, RehearsalCustomers, RehearsalRequest
from engine.rehearsal.sandbox import require_sandbox
from engine.rehearsal.simulated_customers import ReceivedSurvey, SimulatedCustomers, parse_survey
from engine.rehearsal.simulated_owners import OwnerContext
from engine.rehearsal.step_schedule import RehearsalClocks
from engine.rehearsal.time_bounds import NEVER, TimeBounds
from engine.rehearsal.verdict import RehearsalFinding, RehearsalVerdict, VerdictEvidence, judge_rehearsal
from storage import documents
from storage.customers import affected_customers
from storage.incidents import incidents

_LISTED = 1_000
_AGENDA_SECONDS = 20.0  # real ones until suggestions stand on an agenda; the engine looks every few seconds
_RUNGS = (
    NotificationPurpose.BACKUP,
    NotificationPurpose.COMMANDER,
    NotificationPurpose.LAST_RESORT,
    NotificationPurpose.REMIND,
    NotificationPurpose.OVERDUE,
)


@dataclass(frozen=True, slots=True)
class RehearsalEnding:
    """What the rehearsal knows at its end; times in seconds of its clock."""

    shown: Mapping[str, Any]
    closed: TimeBounds
    over: float
    boxes: Mapping[str, str]
    about: Mapping[str, str]


class RehearsedFollowUp:
    """Follow-up of one rehearsed incident."""

    def __init__(
        self, installation: Installation, line: RehearsalClient, order: RehearsalRequest, asked: RehearsalCustomers
    ) -> None:
        """Check that the follow-up can be rehearsed.

        Raises:
            RehearsalError: a drill's surveys have no sandbox here, or owners would be reached elsewhere.
        """
        service = installation.customers
        self._installation, self._line, self._order, self._asked = installation, line, order, asked
        self._plan = service.plan
        self.playbook: Playbook = service.get_playbook()
        self._box = self._sandbox()
        require_sandbox(self.playbook, installation.roster(), installation.channels())
        self._known: dict[str, tuple[RehearsedCustomer, CustomerManner]] = {}
        self._brought = ImportedCustomers(0, frozenset())
        self._letters: list[ReceivedMessage] = []
        self._public: SimulatedCustomers | None = None
        self._callers: CallbackOwners | None = None

    def _sandbox(self) -> str:
        """The box of the inbox that a drill's surveys go to."""
        directory, tag = self._installation.channels(), self._plan.drill
        info = directory.info(tag)
        box = directory.inbox_box(tag, self._installation.settings.port) if info else None
        if info is None or not info.sandbox or not box:
            raise RehearsalError(
                f"a drill's surveys go to the channel `{tag}`: give channels.yaml a "
                f"json://127.0.0.1:{self._installation.settings.port}/inbox/customers/drill "
                "with this tag and sandbox: true"
            )
        return box

    @property
    def duration(self) -> float:
        """Seconds of the rehearsed clock from the close to the reading of the result."""
        stages = [stage for stage in self.playbook.stages if not stage.on_demand]
        return max((stage.ends.total_seconds() for stage in stages), default=0.0)

    def begin(
        self, ref: str, cast: PersonaSet, tokens: Mapping[str, str], boxes: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        """Import the customers as a user would, and prepare every simulated owner and customer."""
        self._brought = self._asked.bring(ref)
        roster, order = self._installation.roster(), self._order
        with self._installation.database.read() as connection:
            rows = affected_customers.list_customers(
                connection, incidents.find_incident_id(connection, ref), limit=2 * MOST_CUSTOMERS
            )
        good = self._asked.file.good
        mine = [(row.id, good[row.customer]) for row in rows if row.customer in good]
        self._known = {ours: (one, draw_manner(one, order.seed)) for ours, one in mine}
        self._public = SimulatedCustomers(self._line, ref, self._known, now)
        readers = {box: person for person, box in boxes.items()}
        patience = 2 * order.slack * order.after
        self._callers = CallbackOwners(
            OwnerContext(self._line, ref, self.playbook, roster, cast, tokens, readers, now, patience)
        )

    def owns_message(self, message: Mapping[str, Any]) -> bool:
        """Whether a message of the inbox is of the follow-up: a survey, or a call by its playbook."""
        parts = str(message["document"].get("key") or "").split("/")
        return parts[0] == "SURVEY" or (len(parts) > 1 and parts[1] == self.playbook.id)

    def receive(self, ref: str, messages: Iterable[tuple[Mapping[str, Any], float, ReceivedMessage | None]]) -> None:
        """Receive new messages, each with its moment and, of a call, the parsed message."""
        surveys: list[ReceivedSurvey] = []
        letters: list[ReceivedMessage] = []
        for message, at, letter in messages:
            survey = parse_survey(message, ref, at)
            if survey is not None:
                surveys.append(survey)
            elif letter is not None:
                letters.append(letter)
        self._letters += letters
        assert self._public is not None and self._callers is not None  # noqa: S101, PT018 - begun before anything comes
        self._public.receive(surveys)
        self._callers.receive(letters)

    def act(self) -> None:
        """Carry out what customers and owners meant to have done by now."""
        if self._public and self._callers:
            self._public.act()
            self._callers.act()

    def close(self) -> None:
        """Stop acting."""
        if self._public and self._callers:
            self._public.close()
            self._callers.close()

    # --- the verdict

    def judge(self, ending: RehearsalEnding) -> tuple[RehearsalVerdict, FollowUpResult]:
        """Judge what customers and owners got against what was due."""
        assert self._public is not None and self._callers is not None  # noqa: S101, PT018
        rounds = self._rounds(ending.shown)
        calls = self._calls(ending, rounds)
        order = self._order
        found = FollowUpEvidence(
            file=self._asked.file, brought=self._brought, plan=self._plan, known=self._known,
            heard=self._public.ledger, box=self._box, listed=self._callers.listed, counted=self._counted(ending),
            left=self._left(ending), rounds={stage: tuple(states.values()) for stage, states in rounds.items()},
            results=self._results(ending), closed=ending.closed.lo, over=ending.over,
            slack=order.slack * order.after, agenda=self._agenda(ending),
        )  # fmt: skip
        findings, followed = judge_follow_up(found)
        return replace(calls, findings=(*calls.findings, *findings)), followed

    def _calls(self, ending: RehearsalEnding, rounds: Mapping[str, Mapping[str, str]]) -> RehearsalVerdict:
        """The calls of its own playbook: the stage after 72 hours by the book, the lists as they came up."""
        assert self._callers is not None  # noqa: S101
        order, roster, ledger = self._order, self._installation.roster(), self._callers.ledger
        deeds = OwnerActions(dict(ledger.acknowledged), dict(ledger.done), first_received(self._letters))
        expected = compute_expectation(
            self.playbook, roster, deeds, RehearsalClocks(ending.closed, ending.over), ending.about,
            slack=order.slack, prompt=order.prompt, spoken=(), after=order.after,
        )  # fmt: skip
        dues = [*expected.dues, *self._on_demand(roster, rounds)]
        ground = VerdictEvidence(
            letters=self._letters, boxes=ending.boxes, slack=order.slack * order.after, others=tuple(ledger.troubles),
            grace=0.05 * order.speed_closed, promised=frozenset(expected.courses),
        )  # fmt: skip
        return judge_rehearsal(RehearsalExpectation(expected.courses, tuple(dues), (), expected.gaps), ground)

    def _on_demand(self, roster: Roster, rounds: Mapping[str, Mapping[str, str]]) -> Iterable[ExpectedNotice]:
        """Each list has its owner called; everybody further up may be, and nobody else."""
        ever = TimeBounds(-NEVER, NEVER)
        for stage, states in rounds.items():
            (plan,) = self.playbook.stage(stage).steps
            owner = roster.primary(plan.owner) or ""
            others = (roster.backup(plan.owner, plan.backup), roster.primary(self.playbook.commander),
                      roster.primary(self.playbook.last_resort))  # fmt: skip
            for step in states:
                yield ExpectedNotice(step, NotificationPurpose.ASSIGN, owner, ever)
                for purpose in _RUNGS:
                    for person in {owner, *others}:
                        if person:
                            yield ExpectedNotice(step, purpose, person, ever, least=0, most=100)

    # --- what the system shows

    def _agenda(self, ending: RehearsalEnding) -> MeetingAgenda:
        """The agenda that the drill's suggestions are put on, as soon as it is there; its meeting is called off."""
        ref = ending.shown["ref"]
        answered = self._public.ledger.answered if self._public else {}
        said = any(self._known[ours][1].suggestion for ours in answered)
        ends = time.monotonic() + (_AGENDA_SECONDS if said else 0.0)
        while True:
            found = self._line.get("/api/suggestions", drills="true", limit=_LISTED)["suggestions"]
            mine = [one for one in found if one["drill"] and ref in one["after"]]
            if (mine and all(one["agenda"] for one in mine)) or time.monotonic() > ends:
                break
            time.sleep(0.2)
        self._call_off({one["agenda"] for one in mine if one["agenda"]})
        return MeetingAgenda({one["wording"]: one["voices"] for one in mine if one["agenda"]})

    def _call_off(self, agendas: set[str]) -> None:
        """Nobody plays the product owner any more: the meetings are not held."""
        with self._installation.database.read() as connection:
            made = [documents.load_document(connection, name) for name in agendas]
        for one in made:
            if one is not None and one.about:
                with suppress(RequestRefused):  # it may be over
                    self._line.post(incident_path(one.about, "cancel"), {"reason": "rehearsal over"})

    def _rounds(self, shown: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        steps = [step for stage in shown["stages"] for step in stage["steps"]]
        return {
            stage: {step["id"]: step["state"] for step in steps if step["id"].startswith(f"{stage}/")}
            for stage in (CALLBACKS, REOPENED)
        }

    def _counted(self, ending: RehearsalEnding) -> Mapping[str, Any]:
        found = self._line.get(incident_path(ending.shown["ref"], "customers"), limit=0)
        result: Mapping[str, Any] = found["result"]
        return result

    def _left(self, ending: RehearsalEnding) -> int:
        path = incident_path(ending.shown["ref"], "customers")
        return len(self._line.get(path, calls="true", limit=_LISTED)["customers"])

    def _results(self, ending: RehearsalEnding) -> int:
        path = incident_path(ending.shown["ref"], "timeline")
        entries = self._line.get(path, limit=10_000)["entries"]
        return sum(entry["kind"] == "follow-up-result" for entry in entries)


def merge_verdicts(one: RehearsalVerdict, other: RehearsalVerdict) -> RehearsalVerdict:
    """Merge two verdicts into one."""
    findings: tuple[RehearsalFinding, ...] = (*one.findings, *other.findings)
    return RehearsalVerdict(
        findings, one.due + other.due, one.sent + other.sent, one.marked_repeats + other.marked_repeats
    )
