"""What receivers must get: computed from playbook, roster and owners, never by asking the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.notices import Purpose
from domain.playbook import Playbook
from domain.roster import Roster
from engine.rehearsal.course import Behaviour, Course, Scene, follow, holds
from engine.rehearsal.due import Due, Posting
from engine.rehearsal.layout import Clocks, Laid, lay_out, related, seconds
from engine.rehearsal.span import NOT_EVER, Span, at, latest


@dataclass(frozen=True, slots=True)
class Expectation:
    """Everything that is due, and how each step should go."""

    courses: Mapping[str, Course]
    dues: tuple[Due, ...]
    postings: tuple[Posting, ...]
    gaps: tuple[str, ...]  # what the roster lacks, so that a call could reach nobody

    @property
    def required(self) -> list[Due]:
        """The notices that must be received."""
        return [due for due in self.dues if due.least]


def expect(  # noqa: PLR0913 - the last four are what a verdict adds to a plan
    playbook: Playbook,
    roster: Roster,
    behaviour: Behaviour,
    clocks: Clocks,
    about: Mapping[str, str],
    *,
    slack: float = 0.0,
    prompt: float = 0.0,
    spoken: tuple[float, ...] | None = None,
    after: float = 1.0,
) -> Expectation:
    """Whom every step calls and by when.

    Args:
        behaviour: what owners do, or did.
        about: the incident's fields, for steps with a `when`.
        slack: seconds of the rehearsed clock by which a message may be later than due.
        prompt: the same for a decision.
        spoken: when publications were received; without, they count as public at once.
        after: so many times faster goes the clock after the close, and so much longer are slack and prompt there.
    """
    scene = Scene(playbook, roster, behaviour, about, slack, prompt, after)
    courses = _Courses(scene, lay_out(playbook, clocks)).all()
    postings = tuple(posting for course in courses.values() for posting in course.postings)
    heard = spoken if spoken is not None else tuple(posting.window.lo for posting in postings)
    dues = [due for course in courses.values() for due in course.dues]
    dues += _silence(scene, sorted(when for when in heard if when < clocks.closed.lo), clocks)
    dues.sort(key=lambda due: (due.window.lo, due.step, due.purpose, due.person))
    return Expectation(courses, tuple(dues), postings, tuple(_gaps(scene)))


class _Courses:
    """Each step's course, after those of the steps that it needs."""

    def __init__(self, scene: Scene, laid: Mapping[str, Laid]) -> None:
        self._scene = scene
        self._laid = laid
        self._found: dict[str, Course] = {}

    def all(self) -> dict[str, Course]:
        """By the step's id, in the order of the playbook."""
        return {name: self._course(name) for name in self._laid}

    def _course(self, name: str) -> Course:
        if name not in self._found:
            step = self._laid[name]
            needed = [self._done(related(self._laid, step, need)) for need in step.plan.needs]
            draft = related(self._laid, step, step.plan.of) if step.plan.of else ""
            self._found[name] = follow(self._scene, step, latest(step.opens, *needed), draft)
        return self._found[name]

    def _done(self, name: str) -> Span:
        return self._course(name).done if name in self._laid else NOT_EVER


def _gaps(scene: Scene) -> Iterator[str]:
    """Steps that wait for an acknowledgement and have no second person (A/B 角)."""
    said = set()
    for stage, plan in scene.playbook.each_step():
        role = plan.backup or plan.owner
        second = scene.roster.backup(plan.owner, plan.backup)
        if plan.ack_within is None or role in said or (second and second != scene.person(plan.owner)):
            continue
        if stage.on_demand or holds(plan, scene.about):
            said.add(role)
            lacks = "nobody holds the role" if plan.backup else "there is no backup for the role"
            yield f"{stage.id}/{plan.id}: backup to nobody: {lacks} {role}; name one in roster.yaml"


def _silence(scene: Scene, spoken: list[float], clocks: Clocks) -> Iterator[Due]:
    """Nothing public for too long: the commander is reminded, then the executive with them."""
    rule = scene.playbook.never_silent
    if rule is None:
        return
    moments: dict[str, list[tuple[Span, bool]]] = {}
    since = at(0)
    for ends in (*spoken, clocks.closed.lo):
        level, due = 0, since.plus(seconds(rule.within))
        while due.lo < ends + scene.slack:
            roles = (rule.first,) if level == 0 else (rule.after, rule.first)
            sure = due.hi + scene.prompt < ends
            for person in dict.fromkeys(scene.person(role) for role in roles):
                moments.setdefault(person, []).append((due, sure))
            due = due.plus(seconds(rule.then if level == 0 else rule.within), scene.prompt)
            level += 1
        since = Span(ends, ends + scene.slack)
    for person, calls in moments.items():
        first, least = calls[0][0], sum(sure for _, sure in calls)
        window = Span(first.lo, first.hi + scene.slack)
        if person:
            yield Due("", Purpose.SILENCE, person, window, least, len(calls))
