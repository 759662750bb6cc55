"""The verdict, case by case: what came, held against what was due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels.rendering import DRILL_MARK, DUPLICATE_MARKS
from domain.notifications import NotificationPurpose
from engine.rehearsal.expectation import RehearsalExpectation
from engine.rehearsal.expected_notices import ExpectedNotice, ExpectedPublication
from engine.rehearsal.received_messages import ReceivedMessage, parse_message
from engine.rehearsal.time_bounds import TimeBounds
from engine.rehearsal.verdict import (
    RehearsalFault,
    RehearsalFinding,
    RehearsalVerdict,
    VerdictEvidence,
    judge_rehearsal,
)

LINK = "http://127.0.0.1:7700/a/abc.def"
ASSIGN = ExpectedNotice("s/a", NotificationPurpose.ASSIGN, "ana", TimeBounds(0, 120))
MAYBE = ExpectedNotice("s/a", NotificationPurpose.BACKUP, "ben", TimeBounds(300, 420), least=0)
REMIND = ExpectedNotice("s/a", NotificationPurpose.REMIND, "ana", TimeBounds(600, 720), least=1, most=3)
POSTING = ExpectedPublication("s/publish", "site", TimeBounds(200, 320))
EXPECTED = RehearsalExpectation({}, (ASSIGN, MAYBE, REMIND), (POSTING,), ())

ASSIGNED = ReceivedMessage(
    1, "ana", 30, "s/a", "assign", "ana", "INC-1/p/s/a/assign/1/ana", f"{DRILL_MARK}INC-1 Yours", f"Do.\n{LINK}"
)
REMINDED = replace(
    ASSIGNED, id=2, at=610, purpose="remind", key="INC-1/p/s/a/remind/2/ana", title=f"{DRILL_MARK}INC-1 Still open"
)
PUBLISHED = ReceivedMessage(
    3, "public/site", 210, "s/publish", "publish", "site", "INC-1/p/s/publish/publish/site/1", "",
    f"{DRILL_MARK}We are sorry.",
)  # fmt: skip
ALL = (ASSIGNED, REMINDED, PUBLISHED)
TEXTS = {("s/publish", "site"): "We are sorry."}
BACKUP = replace(ASSIGNED, id=4, box="ben", person="ben", purpose="backup", at=310, key="INC-1/p/s/a/backup/2/ben")


def verdict(*letters: ReceivedMessage, expected: RehearsalExpectation = EXPECTED, **ground: object) -> RehearsalVerdict:
    boxes = {"ana": "ana", "ben": "ben", "cai": "cai"}
    return judge_rehearsal(expected, VerdictEvidence(letters, TEXTS, boxes, **ground))  # type: ignore[arg-type]


def test_all_that_is_due_and_nothing_else_passes() -> None:
    found = verdict(*ALL)
    assert found.passed, found.findings
    assert (found.due, found.sent, found.marked_repeats) == (3, 3, 0)


def test_what_may_come_may_come() -> None:
    again = replace(REMINDED, id=5, at=900, key="INC-1/p/s/a/remind/3/ana")
    assert verdict(*ALL, BACKUP, again).passed


def test_a_repeat_that_says_so_is_counted_and_passes() -> None:
    marked = replace(ASSIGNED, id=5, at=40, title=f"{DRILL_MARK}{DUPLICATE_MARKS['zh_CN']}INC-1 Yours")
    found = verdict(*ALL, marked)
    assert found.passed, found.findings
    assert (found.sent, found.marked_repeats) == (3, 1)


STRANGE = replace(ASSIGNED, id=9, box="cai", person="cai", key="INC-1/p/s/a/assign/1/cai")
CASES: dict[str, tuple[tuple[ReceivedMessage, ...], RehearsalFault, str]] = {
    "a notice that never came": (ALL[1:], RehearsalFault.MISSING, "s/a: assign to ana"),
    "a reminder that never came": ((ASSIGNED, PUBLISHED), RehearsalFault.MISSING, "s/a: remind to ana"),
    "a publication that never came": (ALL[:2], RehearsalFault.MISSING, "s/publish: publication on site"),
    "a notice after its window": ((replace(ASSIGNED, at=121), *ALL[1:]), RehearsalFault.LATE, "came at 00:02:01"),
    "a publication after its window": ((*ALL[:2], replace(PUBLISHED, at=400)), RehearsalFault.LATE, "s/publish"),
    "a possible notice after its window": ((*ALL, replace(BACKUP, at=500)), RehearsalFault.LATE, "backup to ben"),
    "a call before its time": ((*ALL, replace(BACKUP, at=200)), RehearsalFault.EARLY, "backup to ben"),
    "a page that nothing asked for": ((*ALL, STRANGE), RehearsalFault.UNEXPECTED, "assign to cai"),
    "more calls than were called for": (
        (*ALL, replace(ASSIGNED, id=5, key="INC-1/p/s/a/assign/2/ana")), RehearsalFault.UNEXPECTED, "it came 2 times",
    ),
    "the same notice twice, unmarked": ((*ALL, replace(ASSIGNED, id=5)), RehearsalFault.DOUBLED, "does not say so"),
    "the same publication twice": ((*ALL, replace(PUBLISHED, id=5)), RehearsalFault.DOUBLED, "stands there 2 times"),
    "a publication that nothing asked for": (
        (*ALL, replace(PUBLISHED, id=5, person="weibo", key="INC-1/p/s/publish/publish/weibo/1")),
        RehearsalFault.UNEXPECTED, "publication on weibo",
    ),
    "another text than was approved": (
        (*ALL[:2], replace(PUBLISHED, body=f"{DRILL_MARK}We are sorry!")), RehearsalFault.TEXT, "s/publish",
    ),
    "a notice without the drill mark": (
        (replace(ASSIGNED, title="INC-1 Yours"), *ALL[1:]), RehearsalFault.UNMARKED, "assign to ana",
    ),
    "a publication without the drill mark": (
        (*ALL[:2], replace(PUBLISHED, body="We are sorry.")), RehearsalFault.UNMARKED, "publish to site",
    ),
    "a notice in somebody else's box": (
        (replace(ASSIGNED, box="ben"), *ALL[1:]), RehearsalFault.ASTRAY, "lay in the box ben",
    ),
    "a call without its link": ((replace(ASSIGNED, body="Do."), *ALL[1:]), RehearsalFault.NO_LINK, "assign to ana"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_fails_is_named(case: str) -> None:
    letters, fault, says = CASES[case]
    found = verdict(*letters)
    assert not found.passed
    assert [finding.says for finding in found.findings_of(fault) if says in finding.says], found.findings


def test_a_role_without_backup_fails_though_nobody_missed_it() -> None:
    gap = "s/a: backup to nobody: there is no backup for the role engineer"
    found = verdict(*ALL, expected=replace(EXPECTED, gaps=(gap,)))
    assert [finding.says for finding in found.findings] == [gap]


def test_a_call_that_cannot_be_made_is_missing_and_says_why() -> None:
    nobody = ExpectedNotice(
        "s/a", NotificationPurpose.BACKUP, "", TimeBounds(300, 420), cannot="the role engineer has no backup"
    )
    found = verdict(*ALL, expected=replace(EXPECTED, dues=(*EXPECTED.dues, nobody)))
    assert [finding.says for finding in found.findings] == [
        "s/a: backup to nobody, due by 00:07:00: the role engineer has no backup"
    ]


def test_a_promised_step_that_was_never_done_fails() -> None:
    found = verdict(*ALL, promised=frozenset({"s/a"}))
    assert [finding.says for finding in found.findings_of(RehearsalFault.STEP)] == ["s/a: it was never done"]


def test_links_and_records_fail_it_too() -> None:
    broken = RehearsalFinding(RehearsalFault.LINK, "s/a: the acknowledge link did not work: it answered 400", "s/a")
    assert verdict(*ALL, others=(broken,)).findings == (broken,)


def test_letters_are_read_by_their_key() -> None:
    def read(key: str, **message: str) -> ReceivedMessage | None:
        whole = {"id": 7, "name": "box", "title": "t", "body": "b", **message, "document": {"key": key}}
        return parse_message(whole, "INC-1", 5.0)

    step = read("INC-1/p/updates/draft#2/remind/4/ana/phone/2")
    assert step is not None
    assert (step.step, step.purpose, step.person, step.key) == (
        "updates/draft#2", "remind", "ana", "INC-1/p/updates/draft#2/remind/4/ana",
    )  # fmt: skip
    silence = read("INC-1/p/silence/1/ana/phone/1")
    assert silence is not None
    assert (silence.step, silence.purpose, silence.person) == ("", "silence", "ana")
    public = read("INC-1/p/s/publish/publish/site/1")
    assert public is not None
    assert public.is_public
    assert (public.step, public.person) == ("s/publish", "site")
    assert read("INC-10/p/s/publish/publish/site/1") is None
    assert read("") is None
