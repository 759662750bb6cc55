"""Simulated owners: they read their messages, press the link, and do the step, each in their own time."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from domain.notifications import NotificationPurpose
from domain.playbook import Playbook, Step, StepKind, full_step_id
from domain.roster import Roster
from engine.rehearsal.api_client import RehearsalClient, RehearsalError, incident_path
from engine.rehearsal.expected_notices import format_clock
from engine.rehearsal.owner_actions import OwnerAction
from engine.rehearsal.personas import MINUTE, EscalationCall, PersonaManner, PersonaSet, PersonaTask, make_task
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.time_bounds import NEVER, TimeBounds, exact_moment
from engine.rehearsal.verdict import RehearsalFault, RehearsalFinding

_CALLS = frozenset({"assign", "backup", "commander", "last-resort", "overdue", "reassign"})
_LOOK_AGAIN = 0.25  # minutes
_HANDS = 4


@dataclass(frozen=True, slots=True)
class OwnerContext:
    """Where the simulated owners act."""

    line: RehearsalClient
    ref: str
    playbook: Playbook
    roster: Roster
    cast: PersonaSet
    tokens: Mapping[str, str]
    boxes: Mapping[str, str]  # box -> the person who reads it
    clock: Callable[[], float]  # seconds of the rehearsed clock since the declaration
    patience: float  # seconds of it that someone late waits beyond what is due, for a backup's call or a reminder


@dataclass(slots=True)
class OwnerLedger:
    """Record of what the simulated owners did."""

    acknowledged: dict[str, OwnerAction] = field(default_factory=dict)
    done: dict[str, OwnerAction] = field(default_factory=dict)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)  # draft step -> language or channel -> text
    amounts: dict[str, int] = field(default_factory=dict)
    troubles: list[RehearsalFinding] = field(default_factory=list)
    links: int = 0


class SimulatedOwners:
    """Simulated owners of a rehearsal: `receive` gives them messages, `act` lets them do what is due."""

    def __init__(self, stage: OwnerContext) -> None:
        self.ledger = OwnerLedger()
        self._stage = stage
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._taken: dict[str, str] = {}
        self._heard: set[tuple[str, str, str]] = set()  # step, purpose, person
        self._over = False
        self._lost: set[str] = set()
        self._kept_back: set[str] = set()
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="owner")

    def close(self) -> None:
        """Stop acting; what is under way is seen to its end."""
        self._hands.shutdown(wait=True, cancel_futures=True)

    def receive(self, letters: Sequence[ReceivedMessage]) -> None:
        """Receive new messages."""
        for letter in letters:
            reader = self._stage.boxes.get(letter.box)
            if reader is None or letter.is_public:
                continue
            with self._lock:
                known = any((letter.step, call, reader) in self._heard for call in _CALLS)
                self._heard.add((letter.step, letter.purpose, reader))
            if letter.purpose in _CALLS and letter.step and not known:
                self._mean_to_answer(letter, reader)

    def drop_incident(self) -> None:
        """Drop what the closed incident was about; only what follows the close goes on."""
        self._over = True

    def make_unreachable(self, person: str) -> None:
        """Make somebody unreachable: they answer nothing, and finish nothing."""
        self._lost.add(person)

    def hold_step(self, step: str) -> None:
        """Hold a step that somebody else takes a hand in: it is not finished here."""
        self._kept_back.add(step)

    def act(self) -> None:
        """Carry out what the owners meant to have done by now."""
        now = self._stage.clock()
        while True:
            with self._lock:
                if not self._plans or self._plans[0][0] > now:
                    return
                _, _, deed = heapq.heappop(self._plans)
            self._hands.submit(self._safely, deed)

    def _safely(self, deed: Callable[[], None]) -> None:
        try:
            deed()
        except RehearsalError as error:
            self._trouble("", "", f"an owner could not act: {error}")

    def _at(self, moment: float, deed: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._plans, (moment, next(self._number), deed))

    # --- acknowledging

    def _mean_to_answer(self, letter: ReceivedMessage, reader: str) -> None:
        plan = self._plan(letter.step)
        if plan is None:
            return
        owner = self._stage.roster.primary(plan.owner) or ""
        purpose = (
            NotificationPurpose(letter.purpose)
            if letter.purpose in {"backup", "assign"}
            else NotificationPurpose.COMMANDER
        )
        call = EscalationCall(purpose, reader, exact_moment(letter.at))
        seconds = self._stage.cast.answer_seconds(call, owner, self._task(letter, plan))
        if seconds != NEVER:
            self._at(letter.at + seconds, lambda: self._acknowledge(letter, reader, plan))

    def _acknowledge(self, letter: ReceivedMessage, reader: str, plan: Step) -> None:
        wait = self._waits_for_backup(letter, reader, plan)
        with self._lock:
            if letter.step in self._taken or self._left(letter.step) or reader in self._lost:
                return  # the page behind the link says who has it
            if not wait:
                self._taken[letter.step] = reader
        if wait:
            self._at(self._stage.clock() + _LOOK_AGAIN * MINUTE, lambda: self._acknowledge(letter, reader, plan))
            return
        asked = self._stage.clock()
        self.ledger.links += 1
        why = self._stage.line.acknowledge(letter.link) if letter.link else "there is no link in it"
        known = self._stage.clock()
        if why:
            self._taken.pop(letter.step, None)
            self._trouble(letter.step, reader, f"the acknowledge link did not work: {why}", letter.purpose)
            return
        self.ledger.acknowledged[letter.step] = OwnerAction(reader, TimeBounds(asked, known))
        task = self._task(letter, plan)
        works = self._stage.cast.work_seconds(reader, task, known)
        self._at(known + works, lambda: self._work(letter, reader, plan, known))

    def _waits_for_backup(self, letter: ReceivedMessage, reader: str, plan: Step) -> bool:
        """Someone late lets the backup be called first; and does not wait for ever."""
        late = self._stage.cast.persona_of(reader).manner is PersonaManner.LATE and letter.purpose == "assign"
        if not late or plan.ack_within is None:
            return False
        with self._lock:
            higher = {purpose for step, purpose, _ in self._heard if step == letter.step}
        longest = letter.at + plan.ack_within.total_seconds() + self._stage.patience
        return not higher & {"backup", "commander", "last-resort"} and self._stage.clock() < longest

    # --- doing the step

    def _work(self, letter: ReceivedMessage, reader: str, plan: Step, since: float) -> None:
        if self._waits_for_reminder(letter, reader, plan, since):
            again = self._stage.clock() + _LOOK_AGAIN * MINUTE
            self._at(again, lambda: self._work(letter, reader, plan, since))
            return
        if self._left(letter.step) or reader in self._lost or letter.step in self._kept_back:
            return
        what, document = self._command(letter.step, plan)
        try:
            self.before(letter.step, reader)
            asked = self._stage.clock()
            step = f"{self._stage.playbook.id}:{letter.step}"
            path = incident_path(self._stage.ref, what)
            self._stage.line.post(path, {"step": step, **document}, self._stage.tokens.get(reader, ""))
        except RehearsalError as error:
            self._trouble(letter.step, reader, f"{reader} could not do it: {error}", what)
            return
        self.ledger.done[letter.step] = OwnerAction(reader, TimeBounds(asked, self._stage.clock()))
        self.after(letter.step, reader)

    def before(self, step: str, reader: str) -> None:
        """Do what an owner does before they say that a step is done."""

    def after(self, step: str, reader: str) -> None:
        """Do what an owner does once they have said so."""

    def _waits_for_reminder(self, letter: ReceivedMessage, reader: str, plan: Step, since: float) -> bool:
        """Someone late who has the time for it finishes only when reminded."""
        task = self._task(letter, plan)
        works = self._stage.cast.work_seconds(reader, task, since)
        if plan.remind is None or works < plan.remind.total_seconds():
            return False
        with self._lock:
            reminded = (letter.step, "remind", reader) in self._heard
        return not reminded and self._stage.clock() < since + works + self._stage.patience

    def _command(self, step: str, plan: Step) -> tuple[str, dict[str, object]]:
        if plan.kind is StepKind.DRAFT:
            texts, amount = self._texts(plan), self._amount(step)
            self.ledger.texts[step] = texts
            if amount is None:
                return "draft", {"texts": texts}
            self.ledger.amounts[step] = amount
            return "draft", {"texts": texts, "amount": amount}
        if plan.kind is StepKind.APPROVE:
            return "approve", {"digest": self._digest(step)}
        if plan.attaches:  # what would begin then has a rehearsal of its own
            return "done", {"choice": "no"}
        return "done", {"evidence": f"Rehearsal: done at {format_clock(self._stage.clock())} of the rehearsed clock"}

    def _texts(self, plan: Step) -> dict[str, str]:
        """The playbook's own template, in both languages; shorter where a channel takes less."""
        written = plan.template or plan.title
        texts = {"en": written.en, "zh_CN": written.zh or written.en}
        for channel in self._stage.roster.public.values():
            whole = texts["zh_CN"] if channel.language == "zh_CN" else texts["en"]
            if channel.limit is not None and len(whole) > channel.limit:
                texts[channel.id] = whole[: channel.limit].strip()
        return texts

    def _amount(self, step: str) -> int | None:
        """A sum within the limit of the person who may have to approve it; none where sums decide nothing."""
        stage, _, short = step.partition("#")[0].partition("/")
        for own, plan in self._stage.playbook.each_step():
            if plan.over_limit and full_step_id(own.id, plan.of or "") == f"{stage}/{short}":
                roster = self._stage.roster
                people = (roster.primary(plan.owner), roster.backup(plan.owner, plan.backup))
                known = [roster.people[name].approval_limit for name in people if name and name in roster.people]
                limits = [limit for limit in known if limit is not None]
                return min(limits) // 2 if limits else None
        return None

    def _digest(self, step: str) -> str:
        """The hash of the text as it is shown to its approver."""
        shown = self._stage.line.get(incident_path(self._stage.ref))
        steps = {one["id"]: one for stage in shown["stages"] for one in stage["steps"]}
        draft = steps.get(str(steps.get(step, {}).get("of")), {})
        return str(draft.get("digest") or "-")

    # --- small things

    def _left(self, step: str) -> bool:
        return self._over and self._stage.playbook.stage(step.partition("/")[0]).clock != "closed"

    def _plan(self, step: str) -> Step | None:
        stage, _, short = step.partition("#")[0].partition("/")
        try:
            return self._stage.playbook.step(stage, short)
        except KeyError:
            return None

    def _task(self, letter: ReceivedMessage, plan: Step) -> PersonaTask:
        """The task as its reader sees it: from the call to the deadline that the playbook gives it."""
        stage = self._stage.playbook.stage(letter.step.partition("/")[0])
        number = int(letter.step.partition("#")[2] or 1)
        if stage.repeat is not None:
            begins = stage.starts.total_seconds() + stage.repeat.total_seconds() * (number - 1)
            due = begins + (plan.due or stage.repeat).total_seconds()
        else:
            due = (plan.due or stage.ends).total_seconds() + (letter.at if stage.clock != "declared" else 0.0)
        return make_task(letter.step, plan, letter.at, due)

    def _trouble(self, step: str, person: str, says: str, purpose: str = "") -> None:
        where = f"{step}: " if step else ""
        self.ledger.troubles.append(RehearsalFinding(RehearsalFault.LINK, f"{where}{says}", step, purpose, person))
