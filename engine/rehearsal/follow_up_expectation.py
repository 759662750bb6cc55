"""Expectation of the follow-up: what customers must get and what must come of it. Plain arithmetic.

Worked out from the file, the plan and what customers did, by docs/customers.md and nothing else, so that it
is a second opinion on the follow-up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.customers.plan import FollowUpPlan
from engine.rehearsal.affected_customers import CustomerFile, CustomerManner, RehearsedCustomer
from engine.rehearsal.callback_owners import CALLBACKS, REOPENED
from engine.rehearsal.request import FollowUpResult, ImportedCustomers
from engine.rehearsal.simulated_customers import ASK, REMINDER, CustomerLedger, ReceivedSurvey
from engine.rehearsal.verdict import RehearsalFault, RehearsalFinding

_SATISFIED, _NAMED = 4, 20


@dataclass(frozen=True, slots=True)
class MeetingAgenda:
    """Agenda of the product meeting: each group of suggestions by its wording, with its voices."""

    voices: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowUpEvidence:
    """Evidence after the follow-up of a rehearsal. Times in seconds of the rehearsed clock.

    Attributes:
        known: our id -> the customer as the file has them, and how they take the survey.
        box: where the sandbox of a drill keeps its surveys.
        listed: number in the CRM -> the lists the customer stood on (`callbacks`, `reopened`).
        counted: the figures that the system shows.
        rounds: stage -> the states of its steps, of each time it was begun.
        slack: by how much later than due something may come.
    """

    file: CustomerFile
    brought: ImportedCustomers
    plan: FollowUpPlan
    known: Mapping[str, tuple[RehearsedCustomer, CustomerManner]]
    heard: CustomerLedger
    box: str
    listed: Mapping[str, set[str]]
    counted: Mapping[str, Any]
    left: int  # who has still to be called
    rounds: Mapping[str, Sequence[str]]
    results: int  # how often the result stands on the timeline
    closed: float
    over: float
    slack: float
    agenda: MeetingAgenda = field(default_factory=MeetingAgenda)


def is_reachable(one: RehearsedCustomer, plan: FollowUpPlan) -> bool:
    """Whether there is a channel to a customer."""
    return any(way in one.ways for way in plan.channels)


def judge_follow_up(found: FollowUpEvidence) -> tuple[list[RehearsalFinding], FollowUpResult]:
    """Judge the follow-up: what is wrong, and the figures with each that is missing or too much."""
    must = _Must(found)
    findings = [*_imported(found), *must.surveys(), *must.calls(), *_figures(found, must), *_ended(found, must)]
    missing = tuple(one.says for one in findings if one.fault is RehearsalFault.MISSING)
    extra = tuple(
        one.says
        for one in findings
        if one.fault in (RehearsalFault.UNEXPECTED, RehearsalFault.DOUBLED, RehearsalFault.LEAK)
    )
    return findings, FollowUpResult(must.document(), missing, extra)


class _Must:
    """Each customer's due, held against what they got."""

    def __init__(self, found: FollowUpEvidence) -> None:
        self._found = found
        self._got: dict[tuple[str, str], list[ReceivedSurvey]] = defaultdict(list)
        for survey in found.heard.surveys:
            self._got[survey.customer, survey.purpose].append(survey)
        self.asked = {ours for ours, (one, _) in found.known.items() if is_reachable(one, found.plan)}
        self.callbacks = dict(self._to_call())
        self.reopened = {one for one, stages in self.callbacks.items() if REOPENED in stages}

    # --- surveys

    def surveys(self) -> Iterator[RehearsalFinding]:
        """Asked once, reminded once where they kept silent; nobody else, and everything in the sandbox, marked."""
        for ours, (one, _manner) in self._found.known.items():
            wanted = (1, 1) if ours in self.asked else (0, 0)
            yield from _counted(one, "asked", self._got.get((ours, ASK), []), wanted)
            yield from _counted(one, "reminded", self._got.get((ours, REMINDER), []), self._reminders(ours))
        for survey in self._found.heard.surveys:
            if survey.customer not in self._found.known:
                yield _extra(f"{survey.key}: asked, and stands on no good line of the file")
            if survey.box != self._found.box:
                yield RehearsalFinding(
                    RehearsalFault.LEAK, f"{survey.key}: lay in the box {survey.box}, not in the sandbox of a drill"
                )
            if not survey.drill:
                yield RehearsalFinding(RehearsalFault.UNMARKED, f"{survey.key}: does not carry the drill mark")
            if survey.at < self._found.closed:
                yield RehearsalFinding(RehearsalFault.EARLY, f"{survey.key}: came before the incident was closed")
        yield from (RehearsalFinding(RehearsalFault.LINK, trouble) for trouble in self._found.heard.troubles)

    def _reminders(self, ours: str) -> tuple[int, int]:
        """How many reminders somebody must and may get."""
        found, asks = self._found, self._got.get((ours, ASK), [])
        wait, until = found.plan.remind_after.total_seconds(), found.closed + found.plan.collect_after.total_seconds()
        answered = found.heard.answered.get(ours)
        if ours not in self.asked or (answered and answered.hi < found.closed + wait):
            return 0, 0
        if not asks:  # that is said already; the reminder reaches whoever the survey did not
            return 0, 1
        surely = asks[0].at + wait + found.slack
        return int(surely < until - found.slack and (answered is None or answered.lo > surely)), 1

    # --- callbacks

    def _to_call(self) -> Iterator[tuple[str, set[str]]]:
        """Whom a person calls, by their number, and the lists on which they must stand."""
        found = self._found
        for ours, (one, manner) in found.known.items():
            answered = ours in found.heard.answered
            again = (answered and not manner.solved) or ours in found.heard.again
            high = one.order_value * 100 > found.plan.high_value
            unhappy = answered and manner.csat <= found.plan.unhappy_at_most
            if again:
                yield one.id, {REOPENED}
            elif high or unhappy or not is_reachable(one, found.plan):
                yield one.id, {CALLBACKS}

    def calls(self) -> Iterator[RehearsalFinding]:
        """Everybody who has to be called was on the right list, and nobody else was on any."""
        for number, one in self._found.file.good.items():
            wanted, got = self.callbacks.get(number, set()), self._found.listed.get(number, set())
            for stage in sorted(wanted - got):
                yield _missing(f"line {one.line}: never stood on the list `{stage}` of those whom a person calls")
            if got and not wanted:
                yield _extra(f"line {one.line}: stood on the list of those whom a person calls, for no reason")
            elif REOPENED in got - wanted:
                yield _extra(f"line {one.line}: their matter was open again, and they had not said so")
        if self._found.left:
            yield _missing(f"{self._found.left} customers were not called by anybody")

    # --- what it came to

    def document(self) -> dict[str, Any]:
        """The figures of the report."""
        found, heard = self._found, self._found.heard
        purposes = Counter(survey.purpose for survey in heard.surveys)
        return {
            "rows": len(found.file.good) + len(found.file.bad) + found.file.again,
            "good": len(found.file.good),
            "bad": len(found.file.bad),
            "without_channel": len(found.file.good) - len(self.asked),
            "to_ask": len(self.asked),
            "asked": purposes[ASK],
            "reminded": purposes[REMINDER],
            "answered": len(heard.answered),
            "silent": len(self.asked) - len(heard.answered),
            "callbacks": {"expected": len(self.callbacks), "listed": len(found.listed)},
            "reopened": {
                "expected": len(self.reopened),
                "settled": sum(1 for stages in found.listed.values() if REOPENED in stages),
            },
            "second_complaints": {
                "count": len(heard.again),
                "share": len(heard.again) / len(found.file.good) if found.file.good else None,
                "aim": found.plan.second_aim,
            },
            "suggestions": self.suggestions(),
            "on_agenda": sum(found.agenda.voices.values()),
        }

    def suggestions(self) -> int:
        """How many answers hold one."""
        return sum(1 for ours in self._found.heard.answered if self._found.known[ours][1].suggestion)


def _imported(found: FollowUpEvidence) -> Iterator[RehearsalFinding]:
    if found.brought.taken != len(found.file.good):
        yield RehearsalFinding(
            RehearsalFault.RECORD, f"{found.brought.taken} customers were taken in of {len(found.file.good)} good ones"
        )
    for line in sorted(found.file.bad - found.brought.bad):
        yield _extra(f"line {line}: was taken in, and is a bad one")
    for line in sorted(found.brought.bad - found.file.bad):
        yield _missing(f"line {line}: was refused, and is a good one")


def _figures(found: FollowUpEvidence, must: _Must) -> Iterator[RehearsalFinding]:
    """The figures that the system shows, worked out from what the customers did."""
    said = [found.known[ours][1] for ours in found.heard.answered]
    rated = [manner.nps for manner in said if manner.nps is not None]
    worked_out = {
        "customers": len(found.file.good),
        "asked": len(must.asked),
        "no_channel": len(found.file.good) - len(must.asked),
        "answered": len(said),
        "satisfied": sum(manner.csat >= _SATISFIED for manner in said),
        "rated": len(rated),
        "promoters": sum(score >= 9 for score in rated),  # noqa: PLR2004 - 9 and 10 promote
        "detractors": sum(score <= 6 for score in rated),  # noqa: PLR2004 - 0 to 6 detract
        "solved": sum(manner.solved for manner in said),
        "suggestions": must.suggestions(),
        "to_call": len(must.callbacks),
        "called": len(must.callbacks),
        "reopened": len(must.reopened),
        "second_complaints": len(found.heard.again),
    }
    for name, value in worked_out.items():
        shown = found.counted.get(name)
        if shown != value:
            yield RehearsalFinding(RehearsalFault.RECORD, f"the follow-up shows {shown} as `{name}`, and it is {value}")


def _ended(found: FollowUpEvidence, must: _Must) -> Iterator[RehearsalFinding]:
    for stage, expected in ((CALLBACKS, set(must.callbacks) - must.reopened), (REOPENED, must.reopened)):
        states = found.rounds.get(stage, ())
        if expected and not states:
            yield _missing(f"the list `{stage}` was never begun, and {len(expected)} customers belong on it")
        if states and not must.callbacks:
            yield _extra(f"the list `{stage}` was begun, and nobody belongs on it")
        if any(state != "done" for state in states):
            yield RehearsalFinding(RehearsalFault.STEP, f"the list `{stage}` is {', '.join(states)}, not done")
    if found.results != 1:
        yield RehearsalFinding(
            RehearsalFault.RECORD, f"the result stands {found.results} times on the timeline, not once"
        )
    said = Counter(m.suggestion for ours in found.heard.answered if (m := found.known[ours][1]).suggestion)
    voices = sum(found.agenda.voices.values())
    if voices < said.total():
        yield _missing(f"{said.total() - voices} of {said.total()} suggestions stand on no agenda of a product meeting")
    elif voices > said.total():
        yield _extra(f"the agenda of the product meeting counts {voices} suggestions, and there were {said.total()}")
    for wording in sorted(set(found.agenda.voices) - set(said)):
        yield _extra(f"the agenda of the product meeting shows {wording!r}, which nobody said")


def _counted(
    one: RehearsedCustomer, what: str, got: Sequence[ReceivedSurvey], wanted: tuple[int, int]
) -> Iterator[RehearsalFinding]:
    least, most = wanted
    if len(got) < least:
        yield _missing(f"line {one.line}: never {what}")
    elif len(got) > most and most:
        yield RehearsalFinding(RehearsalFault.DOUBLED, f"line {one.line}: {what} {len(got)} times")
    elif len(got) > most:
        yield _extra(f"line {one.line}: {what}, and should not have been")


def _missing(says: str) -> RehearsalFinding:
    return RehearsalFinding(RehearsalFault.MISSING, says)


def _extra(says: str) -> RehearsalFinding:
    return RehearsalFinding(RehearsalFault.UNEXPECTED, says)
