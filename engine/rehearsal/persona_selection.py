"""Selection of simulated owners: one absent, one late, so that reminders, backups and escalation are seen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from domain.notifications import NotificationPurpose
from domain.playbook import PERSON_STEPS, Playbook, StepKind
from domain.roster import Roster
from engine.rehearsal.expectation import RehearsalExpectation, compute_expectation
from engine.rehearsal.personas import MINUTE, PersonaManner, PersonaSet, make_personas
from engine.rehearsal.step_schedule import RehearsalClocks, find_related, schedule_steps
from engine.rehearsal.time_bounds import NEVER

# Minutes between a step's being done and its deadline: the first that any cast can have. At 240 times real speed
# ten minutes are two and a half seconds, so that a slow machine changes nothing.
_TO_SPARE = (10, 5, 2, 0)


def choose_personas(
    playbook: Playbook, roster: Roster, about: Mapping[str, str], clocks: RehearsalClocks, seed: int
) -> PersonaSet:
    """Choose the personas; the same for the same seed, playbook and roster.

    Exactly one owner is absent, and is relieved by a backup who is there; one is late where that leaves every
    step in time.
    """
    owners = _owners(playbook, roster, clocks)
    drawn = random.Random(f"tocsin cast {seed}")  # noqa: S311 - the same every time is what is wanted
    drawn.shuffle(owners)
    casts = _pairs(playbook, roster, owners, seed)
    plays = [(cast, compute_expectation(playbook, roster, cast, clocks, about)) for cast in casts]
    for minutes in _TO_SPARE:
        second: PersonaSet | None = None
        for cast, found in plays:
            if not _works(found, cast, minutes * MINUTE):
                continue
            if _shows(found, NotificationPurpose.REMIND) and _shows(found, NotificationPurpose.BACKUP):
                return cast
            second = second or cast
        if second:
            return second
    return make_personas(seed, list(roster.people), absent=owners[0] if owners else "")


def _owners(playbook: Playbook, roster: Roster, clocks: RehearsalClocks) -> list[str]:
    """Owners of a step that is acknowledged, before the close."""
    laid = schedule_steps(playbook, clocks).values()
    asked = [
        step.plan.owner
        for step in laid
        if step.stage.clock != "closed" and step.plan.kind in PERSON_STEPS and step.plan.ack_within
        and step.opens.lo < clocks.closed.lo
    ]  # fmt: skip
    return sorted({person for role in asked if (person := roster.primary(role))})


def _pairs(playbook: Playbook, roster: Roster, owners: list[str], seed: int) -> Iterator[PersonaSet]:
    names = list(roster.people)
    for late in (True, False):
        for absent in owners:
            relieving = {
                roster.backup(plan.owner, plan.backup)
                for _, plan in playbook.each_step()
                if roster.primary(plan.owner) == absent
            }
            if not late:
                yield make_personas(seed, names, absent=absent)
                continue
            for other in owners:
                if other != absent and other not in relieving:
                    yield make_personas(seed, names, absent=absent, late=other)


def _works(found: RehearsalExpectation, cast: PersonaSet, to_spare: float) -> bool:
    """Whether these owners can do every step in time, and nobody would have to approve their own text."""
    doers = {name: course.done_by for name, course in found.courses.items()}
    laid = {name: course.laid for name, course in found.courses.items()}
    for course in found.courses.values():
        plan, step = course.laid.plan, course.laid
        if course.skipped or plan.kind not in PERSON_STEPS or course.opens.lo >= step.end.lo:
            continue
        if course.done.lo == NEVER or cast.persona_of(course.done_by).manner is PersonaManner.ABSENT:
            return False
        slow = cast.persona_of(course.owner).manner is not PersonaManner.PROMPT
        if course.done.lo + (to_spare if slow else 0.0) > step.due.lo:
            return False
        own = plan.kind is StepKind.APPROVE and doers.get(find_related(laid, step, plan.of or "")) == course.done_by
        if own and not plan.self_approval:
            return False
    return True


def _shows(found: RehearsalExpectation, purpose: NotificationPurpose) -> bool:
    return any(due.purpose is purpose and due.person for due in found.required)
