"""Verdict of a rehearsal: what was received, judged by what was due. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from channels.rendering import DRILL_MARK
from engine.rehearsal.expectation import RehearsalExpectation
from engine.rehearsal.expected_notices import ExpectedNotice, ExpectedPublication, format_clock
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.time_bounds import NEVER


class RehearsalFault(StrEnum):
    """Kinds of fault. Each fails the rehearsal."""

    MISSING = "missing"
    GAP = "gap"  # the roster lacks someone
    LATE = "late"
    EARLY = "early"
    UNEXPECTED = "unexpected"
    DOUBLED = "doubled"  # the same message again, and not marked as a possible duplicate
    UNMARKED = "unmarked"  # without the drill mark
    ASTRAY = "astray"  # in somebody else's box
    NO_LINK = "no link"
    TEXT = "wrong text"
    LEAK = "leak"
    STEP = "step"
    LINK = "link"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class RehearsalFinding:
    """One thing that is wrong, named."""

    fault: RehearsalFault
    says: str
    step: str = ""
    purpose: str = ""
    person: str = ""
    due_by: float = NEVER  # seconds of the rehearsed clock


@dataclass(frozen=True, slots=True)
class VerdictEvidence:
    """Evidence for the verdict, besides the expectation."""

    letters: Sequence[ReceivedMessage]
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (publish step, channel) -> approved
    boxes: Mapping[str, str] = field(default_factory=dict)  # person -> the box that is theirs
    promised: frozenset[str] = frozenset()  # steps that must be done
    others: tuple[RehearsalFinding, ...] = ()  # links, timeline, leaks: looked at elsewhere
    grace: float = 0.0  # seconds of the rehearsed clock that two clock reads may differ by
    slack: float = 0.0  # by which something may be later than due
    closed: float = NEVER  # from when on the clock goes `after` times faster, and with it both of these
    after: float = 1.0

    def tolerance_factor(self, moment: float) -> float:
        """Factor by which grace and slack are longer at that moment."""
        return self.after if moment >= self.closed else 1.0


@dataclass(frozen=True, slots=True)
class RehearsalVerdict:
    """PASS or FAIL, and why."""

    findings: tuple[RehearsalFinding, ...]
    due: int
    sent: int
    marked_repeats: int

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def findings_of(self, *faults: RehearsalFault) -> list[RehearsalFinding]:
        """List the findings of these kinds."""
        return [finding for finding in self.findings if finding.fault in faults]


def judge_rehearsal(expectation: RehearsalExpectation, ground: VerdictEvidence) -> RehearsalVerdict:
    """Judge a rehearsal: every notice in its window, every publication once with its text, nothing else.

    Everything must be marked as a drill.
    """
    notices = [letter for letter in ground.letters if not letter.is_public]
    public = [letter for letter in ground.letters if letter.is_public]
    found: list[RehearsalFinding] = [RehearsalFinding(RehearsalFault.GAP, gap) for gap in expectation.gaps]
    found += _notices(expectation.dues, notices, ground)
    found += _publications(expectation.postings, public, ground)
    found += _each_letter(ground)
    found += _steps(expectation, ground)
    found += ground.others
    received = {letter.key for letter in notices}
    return RehearsalVerdict(
        findings=tuple(sorted(found, key=lambda finding: _ORDER.index(finding.fault))),
        due=len(expectation.required) + sum(posting.sure for posting in expectation.postings),
        sent=len(received) + len({letter.key for letter in public}),
        marked_repeats=sum(1 for letter in notices if letter.is_repeat),
    )


_ORDER = list(RehearsalFault)


# --- notices ------------------------------------------------------------------------------------------------


def _notices(
    dues: Iterable[ExpectedNotice], letters: Sequence[ReceivedMessage], ground: VerdictEvidence
) -> Iterator[RehearsalFinding]:
    by_key: dict[tuple[str, str, str], list[ReceivedMessage]] = defaultdict(list)
    for letter in sorted(letters, key=lambda letter: letter.at):
        by_key[letter.step, letter.purpose, letter.person].append(letter)
    for due in dues:
        yield from _one_due(due, by_key.pop(due.key, []), ground.grace * ground.tolerance_factor(due.window.lo))
    for (step, purpose, person), extra in by_key.items():
        if purpose != "reassign":  # only ever by a person's own command
            says = f"{step or 'silence'}: {purpose} to {person} at {format_clock(extra[0].at)}: nothing asked for it"
            yield RehearsalFinding(RehearsalFault.UNEXPECTED, says, step, purpose, person)


def _one_due(due: ExpectedNotice, letters: list[ReceivedMessage], grace: float) -> Iterator[RehearsalFinding]:
    about = {"step": due.step, "purpose": str(due.purpose), "person": due.person, "due_by": due.window.hi}
    copies: dict[str, list[ReceivedMessage]] = defaultdict(list)
    for letter in letters:
        copies[letter.key].append(letter)
    if len(copies) < due.least:
        more = f" ({len(copies)} of {due.least} came)" if copies else ""
        yield RehearsalFinding(RehearsalFault.MISSING, f"{due}: {due.cannot or 'it never came'}{more}", **about)  # type: ignore[arg-type]
    if not copies:
        return
    first = letters[0].at
    if first > due.window.hi:
        yield RehearsalFinding(RehearsalFault.LATE, f"{due}: it came at {format_clock(first)}", **about)  # type: ignore[arg-type]
    if first < due.window.lo - grace:
        says = f"{due}: it came at {format_clock(first)}, before {format_clock(due.window.lo)}"
        yield RehearsalFinding(RehearsalFault.EARLY, says, **about)  # type: ignore[arg-type]
    if len(copies) > due.most:
        says = f"{due}: it came {len(copies)} times, {due.most} at most were called for"
        yield RehearsalFinding(RehearsalFault.UNEXPECTED, says, **about)  # type: ignore[arg-type]
    for same in copies.values():
        if any(not letter.is_repeat for letter in same[1:]):
            says = f"{due}: it came {len(same)} times, and the repeat does not say so"
            yield RehearsalFinding(RehearsalFault.DOUBLED, says, **about)  # type: ignore[arg-type]


# --- publications -------------------------------------------------------------------------------------------


def _publications(
    postings: Iterable[ExpectedPublication], letters: Sequence[ReceivedMessage], ground: VerdictEvidence
) -> Iterator[RehearsalFinding]:
    by_key: dict[tuple[str, str], list[ReceivedMessage]] = defaultdict(list)
    for letter in letters:
        by_key[letter.step, letter.person].append(letter)
    for posting in postings:
        got = by_key.pop((posting.step, posting.channel), [])
        about = {
            "step": posting.step,
            "purpose": "publish",
            "person": posting.channel,
            "due_by": posting.window.hi,
        }
        if not got and posting.sure:
            yield RehearsalFinding(RehearsalFault.MISSING, f"{posting}: it never came", **about)  # type: ignore[arg-type]
        if not got:
            continue
        if got[0].at > posting.window.hi:
            yield RehearsalFinding(RehearsalFault.LATE, f"{posting}: it came at {format_clock(got[0].at)}", **about)  # type: ignore[arg-type]
        if len(got) > 1:
            yield RehearsalFinding(RehearsalFault.DOUBLED, f"{posting}: it stands there {len(got)} times", **about)  # type: ignore[arg-type]
        approved = ground.texts.get((posting.step, posting.channel))
        if approved is None or any(letter.body != DRILL_MARK + approved for letter in got):
            says = f"{posting}: its text is not the one that was approved"
            yield RehearsalFinding(RehearsalFault.TEXT, says, **about)  # type: ignore[arg-type]
    for (step, channel), got in by_key.items():
        says = f"{step}: publication on {channel} at {format_clock(got[0].at)}: nothing asked for it"
        yield RehearsalFinding(RehearsalFault.UNEXPECTED, says, step, "publish", channel)


# --- each letter, and each step -----------------------------------------------------------------------------


_WITH_LINK = frozenset({"assign", "backup", "commander", "last-resort", "overdue", "remind"})


def _each_letter(ground: VerdictEvidence) -> Iterator[RehearsalFinding]:
    for letter in ground.letters:
        if not letter.seen:
            continue
        name = f"{letter.step or 'silence'}: {letter.purpose} to {letter.person} at {format_clock(letter.at)}"
        about = (letter.step, letter.purpose, letter.person)
        if not letter.is_drill:
            yield RehearsalFinding(RehearsalFault.UNMARKED, f"{name}: it does not carry the drill mark", *about)
        if letter.purpose in _WITH_LINK and not letter.link:
            yield RehearsalFinding(RehearsalFault.NO_LINK, f"{name}: it shows no acknowledge link", *about)
        box = None if letter.is_public else ground.boxes.get(letter.person)
        if box is not None and box != letter.box:
            yield RehearsalFinding(RehearsalFault.ASTRAY, f"{name}: it lay in the box {letter.box}", *about)


def _steps(expectation: RehearsalExpectation, ground: VerdictEvidence) -> Iterator[RehearsalFinding]:
    for name in ground.promised:
        course = expectation.courses.get(name)
        if course is None or course.done.lo == NEVER:
            yield RehearsalFinding(RehearsalFault.STEP, f"{name}: it was never done", name)
        elif (
            course.done.lo > course.laid.due.hi + ground.slack * ground.tolerance_factor(course.laid.due.lo)
            and not course.skipped
        ):
            says = (
                f"{name}: done at {format_clock(course.done.lo)}, after its deadline {format_clock(course.laid.due.hi)}"
            )
            yield RehearsalFinding(RehearsalFault.STEP, says, name)
