"""The present state: an incident, one of its responses, and that response's steps.

An incident is what people talk about; a response is a running copy of a playbook. A snapshot holds one
response with its incident: all that a decision needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pendulum import DateTime

from domain.playbook import Playbook, Stage, Step, full_step_id
from domain.roster import Roster


class IncidentStatus(StrEnum):
    """The status of an incident."""

    OPEN = "open"
    MITIGATED = "mitigated"
    CLOSED = "closed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class CaseType(StrEnum):
    """The type of a case: each has responses, steps and a timeline, and is driven by the same turns."""

    INCIDENT = "incident"  # INC-42: declared by somebody
    WARNING = "warning"  # WRN-42: a rule's, with a response and without an incident
    ACTION = "action"  # ACT-42: one thing that was promised, with its owner and date
    REVIEW = "review"  # REV-42: what the calendar asks for: a review, a report, a meeting


REFERENCE_PREFIXES: Mapping[CaseType, str] = {
    CaseType.INCIDENT: "INC",
    CaseType.WARNING: "WRN",
    CaseType.ACTION: "ACT",
    CaseType.REVIEW: "REV",
}
ALARM_TYPES = (CaseType.INCIDENT, CaseType.WARNING)  # what people are called for; the others are work with a date
TASK_TYPES = (CaseType.ACTION, CaseType.REVIEW)  # over as soon as their last step is


class StepStatus(StrEnum):
    """The status of a step."""

    WAITING = "waiting"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    DONE = "done"
    SKIPPED = "skipped"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"


# The table of legal moves: what may be asked of an incident (or a step) in a state. Whatever is not here is refused.
INCIDENT_MOVES: Mapping[IncidentStatus, frozenset[str]] = {
    IncidentStatus.OPEN: frozenset({"mitigate", "close", "cancel", "attach", "begin", "work", "note"}),
    IncidentStatus.MITIGATED: frozenset({"close", "cancel", "attach", "begin", "work", "note"}),
    IncidentStatus.CLOSED: frozenset({"reopen", "begin", "work", "note"}),
    IncidentStatus.COMPLETED: frozenset({"reopen", "begin", "note"}),
    IncidentStatus.CANCELLED: frozenset({"note"}),
}
STEP_MOVES: Mapping[StepStatus, frozenset[str]] = {
    StepStatus.WAITING: frozenset({"draft", "reassign"}),  # a text may be written before its hour
    StepStatus.OPEN: frozenset({"acknowledge", "done", "draft", "approve", "reject", "reassign", "retry"}),
    StepStatus.ACKNOWLEDGED: frozenset({"acknowledge", "done", "draft", "approve", "reject", "reassign", "retry"}),
    StepStatus.DONE: frozenset({"draft"}),  # an edit reopens the draft and voids its approval
    StepStatus.SKIPPED: frozenset(),
    StepStatus.ABANDONED: frozenset(),
    StepStatus.SUPERSEDED: frozenset(),
}

ACTIVE_STATUSES = frozenset({StepStatus.WAITING, StepStatus.OPEN, StepStatus.ACKNOWLEDGED})
BEGUN_STATUSES = frozenset({StepStatus.OPEN, StepStatus.ACKNOWLEDGED})
SATISFIED_STATUSES = frozenset({StepStatus.DONE, StepStatus.SKIPPED})


class PublicationState(StrEnum):
    """The state of a publication on one official channel."""

    ORDERED = "ordered"
    PUBLISHED = "published"
    UNKNOWN = "unknown"  # it may stand there or not: a person looks, and decides
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Impact:
    """An incident's impact. Priorities: harm to users, then the brand, then cost."""

    customers: int = 0
    orders: int = 0
    money: int = 0
    brand: int = 0  # 0 none .. 3 severe

    def rank(self) -> tuple[int, int, int]:
        """Return the key by which boards, queues and the outbox are ordered: larger is more urgent."""
        return (self.customers + self.orders, self.brand, self.money)


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident, or another case. Times are aware; `pace` divides the durations of a drill's clocks."""

    id: str
    ref: str
    title: str
    severity: str
    declared_at: DateTime
    status: IncidentStatus = IncidentStatus.OPEN
    origin: str = ""
    service: str = ""
    kind: str = ""
    drill: bool = False
    pace: Mapping[str, float] = field(default_factory=dict)
    mitigated_at: DateTime | None = None
    closed_at: DateTime | None = None
    last_public_at: DateTime | None = None
    impact: Impact = field(default_factory=Impact)
    case_type: CaseType = CaseType.INCIDENT

    @property
    def running(self) -> bool:
        """Whether the case is open or mitigated."""
        return self.status in (IncidentStatus.OPEN, IncidentStatus.MITIGATED)

    def paced(self, span: timedelta, clock: str) -> timedelta:
        """Return a playbook's duration divided by the incident's pace."""
        return span / self.pace.get(clock, 1.0)


@dataclass(frozen=True, slots=True)
class StepState:
    """The state of one scheduled step: absolute times, paced durations, its holder, what was done."""

    id: str  # stage/step, and #round from the second round on
    stage: str
    step: str
    round: int
    opens_at: DateTime
    due_at: DateTime
    laid_at: DateTime
    ack_within: timedelta | None = None
    remind: timedelta | None = None
    status: StepStatus = StepStatus.WAITING
    owner: str = ""
    backup: str = ""
    holder: str = ""  # who has it now: the acknowledger, else the last person called
    called: tuple[str, ...] = ()
    level: int = 0  # how far escalation went
    calls: int = 0  # how often anyone was called; makes each notice's key unique
    called_at: DateTime | None = None
    opened_at: DateTime | None = None
    acknowledged_at: DateTime | None = None
    missed_at: DateTime | None = None
    done_at: DateTime | None = None
    done_by: str = ""
    evidence: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)  # draft: language -> text
    version: int = 0
    digest: str = ""  # draft: of the texts as rendered; approve: of what was approved
    author: str = ""
    amount: int | None = None
    postings: Mapping[str, str] = field(default_factory=dict)  # publish: official channel -> Posting
    receipts: Mapping[str, str] = field(default_factory=dict)  # publish: official channel -> id or URL
    alarmed: int = 0  # publish: how many postings in doubt someone was already called for

    @property
    def active(self) -> bool:
        """Whether the step may still become due."""
        return self.status in ACTIVE_STATUSES


@dataclass(frozen=True, slots=True)
class Response:
    """A running copy of a playbook. `started_at` is the zero of its `declared` clock."""

    id: str
    playbook: Playbook
    started_at: DateTime
    finished_at: DateTime | None = None
    silence_level: int = 0
    silence_at: DateTime | None = None
    silence_calls: int = 0
    watches_updates: bool = True  # one response of an incident keeps the never-silent watch
    others_finished: bool = True  # whether every other response of the incident is finished


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision needs."""

    incident: Incident
    response: Response
    roster: Roster
    steps: Mapping[str, StepState] = field(default_factory=dict)

    def plan(self, state: StepState) -> Step:
        """Return the playbook's step of a state."""
        return self.response.playbook.step(state.stage, state.step)

    def stage(self, state: StepState) -> Stage:
        """Return the playbook's stage of a state."""
        return self.response.playbook.stage(state.stage)

    def last_round(self, stage: str) -> int:
        """Return the last scheduled round of a stage; 0 for none."""
        return max((state.round for state in self.steps.values() if state.stage == stage), default=0)

    def related(self, state: StepState, name: str) -> StepState | None:
        """Find the step that `needs` or `of` names: of the same round in the same stage, else of the latest round."""
        stage, _, step = full_step_id(state.stage, name).partition("/")
        number = state.round if stage == state.stage else self.last_round(stage)
        return self.steps.get(make_step_id(stage, step, number))

    def needs(self, state: StepState) -> Iterator[tuple[str, StepState | None]]:
        """Yield each need of a step with its state (None: not scheduled yet)."""
        for name in self.plan(state).needs:
            yield full_step_id(state.stage, name), self.related(state, name)


def make_step_id(stage: str, step: str, number: int) -> str:
    """Make a step's id in a response: `apology/draft`, from the second round on `updates/draft#2`."""
    return f"{stage}/{step}" if number <= 1 else f"{stage}/{step}#{number}"
