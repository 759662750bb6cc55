"""The second opinion on affected customers: who is on a file, what they must get, and each fault named by its line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.customers.import_row import COLUMNS, BadCustomerRow, parse_customer
from engine.rehearsal.affected_customers import (
    CustomerFile,
    CustomerManner,
    RehearsedCustomer,
    SurveyBehaviour,
    draw_manner,
    read_customer_file,
)
from engine.rehearsal.follow_up_expectation import FollowUpEvidence, MeetingAgenda, judge_follow_up
from engine.rehearsal.request import ImportedCustomers
from engine.rehearsal.simulated_customers import CustomerLedger, ReceivedSurvey, parse_survey
from engine.rehearsal.time_bounds import TimeBounds
from playbooks.followup_file import shipped_followup_plan

HOUR = 3_600.0
CLOSED = 4 * HOUR
SAMPLE = Path(__file__).parents[2] / "examples" / "affected_customers.csv"


# --- the file ---------------------------------------------------------------------------------------------------


def test_the_sample_file_has_the_lines_that_its_maker_broke() -> None:
    found = read_customer_file(SAMPLE)
    assert (len(found.good), len(found.bad), found.again) == (1_960, 40, 0)
    assert sum(not one.ways for one in found.good.values()) == 25


GOOD = dict(zip(COLUMNS, ("C1", "a@b.cn", "en", "1", "0", "", "", "no"), strict=True))
FIELDS = {
    "id": ("C1", "", "a@b.cn", "+8613800000000", "C" * 64, "C" * 65, "C\x00", " C1 "),
    "contact": (
        "", "a@b.cn", "+86 138 0000 0000", "a@b.cn; +8613800000000", "a@b.cn;b@c.cn", "13800000000", "a@b", "a@-b.cn",
        "+0138000000", "a b@c.cn", ";", "+1234567", "+12345678", "+1234567890123456", "a@b.c", "a@b.c1", "a@@b.cn",
    ),
    "language": ("", "en", "zh_CN", "ZH", "zh-Hans", "fr"),
    "order_value": ("", "1", "499.00", "1.234", "-1", "1 000", "1e3", "٣", ".5", "5.", "9" * 10, "9" * 11, "NaN"),
    "poor_service_30d": ("", "0", "9999", "10000", "-1", "1.0", "٣", "00001"),
    "compensation": ("", "20", "x"),
    "time_zone": ("", "Asia/Shanghai", "UTC", "Mars/Base", "../etc/passwd", "x" * 301),
    "public_complaint": ("", "yes", "NO", "是", "maybe"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIELDS.items() for value in values])
def test_both_opinions_agree_on_every_kind_of_row(tmp_path: Path, name: str, value: str) -> None:
    row = {**GOOD, name: value}
    path = tmp_path / "row.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{','.join(row.values())}\n", encoding="utf-8")
    try:
        parse_customer(row)
        good = True
    except BadCustomerRow:
        good = False
    found = read_customer_file(path)
    assert (len(found.good), len(found.bad)) == ((1, 0) if good else (0, 1))


@pytest.mark.parametrize(
    "line", [b"C1", b'C1,"a@b.cn', b"C1,a@b.cn,x", b"C\xff1,a@b.cn", b"C1," + b"x" * 5_000, b"\x00,\x00"]
)
def test_what_is_no_row_is_a_bad_line_and_takes_no_other_with_it(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"\xef\xbb\xbfid,contact\r\n" + line + b"\r\n\r\nC2,b@c.cn\r\nC2,other@c.cn\r\n")
    found = read_customer_file(path)
    assert set(found.bad) == {2}
    assert ({name: one.line for name, one in found.good.items()}, found.again) == ({"C2": 4}, 1)


def test_every_part_is_played_and_the_same_seed_plays_the_same() -> None:
    everybody = list(read_customer_file(SAMPLE).good.values())
    parts = {draw_manner(one, 1).part for one in everybody}
    assert parts == set(SurveyBehaviour)
    assert [draw_manner(one, 7) for one in everybody] == [draw_manner(one, 7) for one in everybody]
    assert [draw_manner(one, 7) for one in everybody] != [draw_manner(one, 8) for one in everybody]


# --- the verdict ------------------------------------------------------------------------------------------------

CONTENT = CustomerManner(SurveyBehaviour.CONTENT, 5, solved=True, nps=9, suggestion="", waits=5)
ASKED_AT = CLOSED + 60


def affected(line: int, value: int = 100, *ways: str) -> RehearsedCustomer:
    return RehearsedCustomer(line, f"C{line}", "en", Decimal(value), frozenset(ways))


def survey(ours: str, purpose: str = "ask", at: float = ASKED_AT, number: int = 1) -> ReceivedSurvey:
    key = f"SURVEY/INC-1/1/{ours}/{purpose}/{number}"
    return ReceivedSurvey(ours, purpose, key, "customers/drill", at, drill=True, link="http://127.0.0.1/a/s/x")


def whole() -> FollowUpEvidence:
    """Six customers as they should come through: content, unhappy, not solved, again, silent, without a channel."""
    people = {
        "content": (affected(2, 100, "mail"), CONTENT),
        "unhappy": (affected(3, 100, "phone"), replace(CONTENT, part=SurveyBehaviour.UNHAPPY, csat=2, nps=3)),
        "unsolved": (
            affected(4, 100, "mail"),
            replace(CONTENT, part=SurveyBehaviour.UNSOLVED, csat=3, solved=False, nps=None),
        ),
        "again": (affected(5, 100, "mail"), replace(CONTENT, part=SurveyBehaviour.AGAIN, suggestion="answer faster")),
        "silent": (affected(6, 3_000, "mail"), replace(CONTENT, part=SurveyBehaviour.SILENT)),
        "nowhere": (affected(7), replace(CONTENT, part=SurveyBehaviour.CONTENT)),
    }
    answers = {ours: TimeBounds(ASKED_AT + 300, ASKED_AT + 301) for ours in ("content", "unhappy", "unsolved", "again")}
    heard = CustomerLedger(
        surveys=[*(survey(ours) for ours in people if ours != "nowhere"),
                 survey("silent", "reminder", ASKED_AT + 24 * HOUR)],
        answered=answers,
        again={"again": TimeBounds(ASKED_AT + 4_000, ASKED_AT + 4_001)},
    )  # fmt: skip
    return FollowUpEvidence(
        file=CustomerFile({one.id: one for one, _ in people.values()}, frozenset({8}), 0),
        brought=ImportedCustomers(6, frozenset({8})),
        plan=shipped_followup_plan(),
        known=people,
        heard=heard,
        box="customers/drill",
        listed={"C3": {"callbacks"}, "C4": {"reopened"}, "C5": {"reopened"}, "C6": {"callbacks"}, "C7": {"callbacks"}},
        counted={
            "customers": 6, "asked": 5, "no_channel": 1, "answered": 4, "satisfied": 2, "rated": 3, "promoters": 2,
            "detractors": 1, "solved": 3, "suggestions": 1, "to_call": 5, "called": 5, "reopened": 2,
            "second_complaints": 1,
        },
        left=0,
        rounds={"callbacks": ("done", "done"), "reopened": ("done",)},
        results=1,
        closed=CLOSED,
        over=CLOSED + 80 * HOUR,
        slack=600.0,
        agenda=MeetingAgenda({"answer faster": 1}),
    )  # fmt: skip


def says(found: FollowUpEvidence) -> list[str]:
    return [finding.says for finding in judge_follow_up(found)[0]]


def test_all_that_is_due_and_nothing_else_passes() -> None:
    findings, followed = judge_follow_up(whole())
    assert findings == []
    assert (followed.missing, followed.extra) == ((), ())
    assert followed.figures["callbacks"] == {"expected": 5, "listed": 5}
    assert followed.figures["reopened"] == {"expected": 2, "settled": 2}
    assert followed.figures["silent"] == 1


def without(found: FollowUpEvidence, ours: str, purpose: str) -> FollowUpEvidence:
    left = [one for one in found.heard.surveys if (one.customer, one.purpose) != (ours, purpose)]
    return replace(found, heard=replace(found.heard, surveys=left))


def with_(found: FollowUpEvidence, *more: ReceivedSurvey) -> FollowUpEvidence:
    return replace(found, heard=replace(found.heard, surveys=[*found.heard.surveys, *more]))


FAULTS: list[tuple[str, Callable[[FollowUpEvidence], FollowUpEvidence]]] = [
    ("line 2: never asked", lambda f: without(f, "content", "ask")),
    ("line 2: asked 2 times", lambda f: with_(f, survey("content", number=2))),
    ("line 7: asked, and should not have been", lambda f: with_(f, survey("nowhere"))),
    ("line 2: reminded, and should not have been", lambda f: with_(f, survey("content", "reminder", ASKED_AT + 9e4))),
    ("line 6: never reminded", lambda f: without(f, "silent", "reminder")),
    ("line 6: reminded 2 times", lambda f: with_(f, survey("silent", "reminder", ASKED_AT + 9e4, 2))),
    ("asked, and stands on no good line of the file", lambda f: with_(f, survey("stranger"))),
    ("not in the sandbox of a drill", lambda f: with_(f, replace(survey("stranger"), box="customers/mail"))),
    ("does not carry the drill mark", lambda f: with_(f, replace(survey("stranger"), drill=False))),
    ("came before the incident was closed", lambda f: with_(f, survey("stranger", at=CLOSED - 1))),
    ("line 3: never stood on the list `callbacks`", lambda f: replace(f, listed={**f.listed, "C3": set()})),
    ("line 4: never stood on the list `reopened`", lambda f: replace(f, listed={**f.listed, "C4": {"callbacks"}})),
    ("line 2: stood on the list", lambda f: replace(f, listed={**f.listed, "C2": {"callbacks"}})),
    ("line 3: their matter was open again", lambda f: replace(f, listed={**f.listed, "C3": {"callbacks", "reopened"}})),
    ("2 customers were not called by anybody", lambda f: replace(f, left=2)),
    ("the list `reopened` was never begun", lambda f: replace(f, rounds={**f.rounds, "reopened": ()})),
    ("the list `reopened` is open, not done", lambda f: replace(f, rounds={**f.rounds, "reopened": ("open",)})),
    ("the result stands 0 times", lambda f: replace(f, results=0)),
    ("shows 4 as `asked`, and it is 5", lambda f: replace(f, counted={**f.counted, "asked": 4})),
    ("shows 0 as `second_complaints`", lambda f: replace(f, counted={**f.counted, "second_complaints": 0})),
    ("line 8: was taken in, and is a bad one", lambda f: replace(f, brought=ImportedCustomers(6, frozenset()))),
    ("line 9: was refused, and is a good one", lambda f: replace(f, brought=ImportedCustomers(6, frozenset({8, 9})))),
    ("5 customers were taken in of 6", lambda f: replace(f, brought=ImportedCustomers(5, frozenset({8})))),
    ("1 of 1 suggestions stand on no agenda", lambda f: replace(f, agenda=MeetingAgenda())),
    ("shows 'be rude', which nobody said", lambda f: replace(f, agenda=MeetingAgenda({"be rude": 1}))),
    ("counts 2 suggestions, and there were 1", lambda f: replace(f, agenda=MeetingAgenda({"answer faster": 2}))),
]  # fmt: skip


@pytest.mark.parametrize(("said", "change"), FAULTS, ids=[said for said, _ in FAULTS])
def test_each_fault_fails_it_and_is_named_by_its_line(
    said: str, change: Callable[[FollowUpEvidence], FollowUpEvidence]
) -> None:
    found = says(change(whole()))
    assert any(said in one for one in found), found


def test_who_answered_about_when_the_reminder_was_due_may_have_got_it_or_not() -> None:
    late = TimeBounds(ASKED_AT + 24 * HOUR, ASKED_AT + 24 * HOUR + 5)
    found = replace(whole(), heard=replace(whole().heard, answered={**whole().heard.answered, "content": late}))
    assert says(found) == []
    assert says(with_(found, survey("content", "reminder", ASKED_AT + 24 * HOUR))) == []


def test_a_message_is_read_by_its_key_and_the_link_by_its_path() -> None:
    message = {
        "document": {"key": "SURVEY/INC-1/1/abc/ask/1"}, "name": "customers/drill", "title": "[DRILL 演练] How?",
        "body": "Tell us: http://127.0.0.1:7700/a/s/ImFiYyI.sig_-x thank you",
    }  # fmt: skip
    found = parse_survey(message, "INC-1", 5.0)
    assert found is not None
    assert (found.customer, found.purpose, found.drill) == ("abc", "ask", True)
    assert found.link == "http://127.0.0.1:7700/a/s/ImFiYyI.sig_-x"
    assert parse_survey(message, "INC-2", 5.0) is None
    assert parse_survey({**message, "document": {"key": "SURVEY/INC-1/alarm/3"}}, "INC-1", 5.0) is None
