"""Expectation of a rehearsal: what receivers must get, computed from playbook, roster and owners.

The engine is never asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.notifications import NotificationPurpose
from domain.playbook import Playbook
from domain.roster import Roster
from engine.rehearsal.expected_notices import ExpectedNotice, ExpectedPublication
from engine.rehearsal.expected_step import ExpectationContext, ExpectedStep, OwnerBehaviour, condition_met, expect_step
from engine.rehearsal.step_schedule import RehearsalClocks, ScheduledStep, find_related, schedule_steps, to_seconds
from engine.rehearsal.time_bounds import NOT_EVER, TimeBounds, exact_moment, latest_of


@dataclass(frozen=True, slots=True)
class RehearsalExpectation:
    """Everything that is due, and how each step should go."""

    courses: Mapping[str, ExpectedStep]
    dues: tuple[ExpectedNotice, ...]
    postings: tuple[ExpectedPublication, ...]
    gaps: tuple[str, ...]  # what the roster lacks, so that a call could reach nobody

    @property
    def required(self) -> list[ExpectedNotice]:
        """The notices that must be received."""
        return [due for due in self.dues if due.least]


def compute_expectation(  # noqa: PLR0913 - the last four are what a verdict adds to a plan
    playbook: Playbook,
    roster: Roster,
    behaviour: OwnerBehaviour,
    clocks: RehearsalClocks,
    about: Mapping[str, str],
    *,
    slack: float = 0.0,
    prompt: float = 0.0,
    spoken: tuple[float, ...] | None = None,
    after: float = 1.0,
) -> RehearsalExpectation:
    """Compute whom every step calls, and by when.

    Args:
        behaviour: what owners do, or did. about: the incident's fields, for steps with a `when`. slack: seconds
            of the rehearsed clock by which a message may be later than due. prompt: the same for a decision.
            spoken: when publications were received; without, they count as public at once. after: so many times
            faster goes the clock after the close, and so much longer are slack and prompt there.
    """
    scene = ExpectationContext(playbook, roster, behaviour, about, slack, prompt, after)
    courses = _Courses(scene, schedule_steps(playbook, clocks)).all()
    postings = tuple(posting for course in courses.values() for posting in course.postings)
    heard = spoken if spoken is not None else tuple(posting.window.lo for posting in postings)
    dues = [due for course in courses.values() for due in course.dues]
    dues += _silence(scene, sorted(when for when in heard if when < clocks.closed.lo), clocks)
    dues.sort(key=lambda due: (due.window.lo, due.step, due.purpose, due.person))
    return RehearsalExpectation(courses, tuple(dues), postings, tuple(_gaps(scene)))


class _Courses:
    """Each step's course, after those of the steps that it needs."""

    def __init__(self, scene: ExpectationContext, laid: Mapping[str, ScheduledStep]) -> None:
        self._scene = scene
        self._laid = laid
        self._found: dict[str, ExpectedStep] = {}

    def all(self) -> dict[str, ExpectedStep]:
        """By the step's id, in the order of the playbook."""
        return {name: self._course(name) for name in self._laid}

    def _course(self, name: str) -> ExpectedStep:
        if name not in self._found:
            step = self._laid[name]
            needed = [self._done(find_related(self._laid, step, need)) for need in step.plan.needs]
            draft = find_related(self._laid, step, step.plan.of) if step.plan.of else ""
            self._found[name] = expect_step(self._scene, step, latest_of(step.opens, *needed), draft)
        return self._found[name]

    def _done(self, name: str) -> TimeBounds:
        return self._course(name).done if name in self._laid else NOT_EVER


def _gaps(scene: ExpectationContext) -> Iterator[str]:
    """Steps that wait for an acknowledgement and have no second person (A/B 角)."""
    said = set()
    for stage, plan in scene.playbook.each_step():
        role = plan.backup or plan.owner
        second = scene.roster.backup(plan.owner, plan.backup)
        if plan.ack_within is None or role in said or (second and second != scene.person(plan.owner)):
            continue
        if stage.on_demand or condition_met(plan, scene.about):
            said.add(role)
            lacks = "nobody holds the role" if plan.backup else "there is no backup for the role"
            yield f"{stage.id}/{plan.id}: backup to nobody: {lacks} {role}; name one in roster.yaml"


def _silence(scene: ExpectationContext, spoken: list[float], clocks: RehearsalClocks) -> Iterator[ExpectedNotice]:
    """Nothing public for too long: the commander is reminded, then the executive with them."""
    rule = scene.playbook.never_silent
    if rule is None:
        return
    moments: dict[str, list[tuple[TimeBounds, bool]]] = {}
    since = exact_moment(0)
    for ends in (*spoken, clocks.closed.lo):
        level, due = 0, since.plus(to_seconds(rule.within))
        while due.lo < ends + scene.slack:
            roles = (rule.first,) if level == 0 else (rule.after, rule.first)
            sure = due.hi + scene.prompt < ends
            for person in dict.fromkeys(scene.person(role) for role in roles):
                moments.setdefault(person, []).append((due, sure))
            due = due.plus(to_seconds(rule.then if level == 0 else rule.within), scene.prompt)
            level += 1
        since = TimeBounds(ends, ends + scene.slack)
    for person, calls in moments.items():
        first, least = calls[0][0], sum(sure for _, sure in calls)
        window = TimeBounds(first.lo, first.hi + scene.slack)
        if person:
            yield ExpectedNotice("", NotificationPurpose.UPDATE_OVERDUE, person, window, least, len(calls))
