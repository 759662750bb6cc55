"""What a message looks like when it reaches a service."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.message import Message
from channels.rendering import DRILL_MARK, MessageLimits, fits_limits, render, shorten, utf8_size

ROOMY = MessageLimits(body_bytes=10_000)
TITLELESS = MessageLimits(body_bytes=10_000, title_bytes=0)
LINK = "https://tocsin.example/ack/abc"
CHINESE = "客服系统无法下单,请立即处理。" * 40


@pytest.mark.parametrize(
    ("message", "limits", "title", "body"),
    [
        (Message("T", "b"), ROOMY, "T", "b"),
        (Message("T", "b", drill=True), ROOMY, f"{DRILL_MARK}T", "b"),
        (Message("T", "b", possible_duplicate=True), ROOMY, "[possible duplicate] T", "b"),
        (Message("T", "b", possible_duplicate=True, language="zh_CN"), ROOMY, "[可能重复] T", "b"),
        (Message("T", "b", possible_duplicate=True, language="fr"), ROOMY, "[possible duplicate] T", "b"),
        (
            Message("T", "b", drill=True, possible_duplicate=True, language="zh_CN"),
            ROOMY,
            f"{DRILL_MARK}[可能重复] T",
            "b",
        ),
        (Message("T", "b", drill=True), TITLELESS, "", f"{DRILL_MARK}T\nb"),
        (Message("", "b", drill=True), ROOMY, "", f"{DRILL_MARK}b"),
        (Message("a\r\nBcc: x", "b\x00c\x1b[0m"), ROOMY, "a Bcc: x", "bc[0m"),
        (Message("T", "half \ud83d of one"), ROOMY, "T", "half ? of one"),
        (Message("T", "b", link=LINK), ROOMY, "T", f"b\n{LINK}"),
        (Message("T", f"b {LINK}", link=LINK), ROOMY, "T", f"b {LINK}"),
        (Message("", " exact \n\n", public=True), ROOMY, "", " exact \n\n"),
        (Message("", "exact", public=True, drill=True), ROOMY, "", f"{DRILL_MARK}exact"),
        (Message("", "exact", public=True, possible_duplicate=True), ROOMY, "", "exact"),
    ],
)
def test_marks_and_shape(message: Message, limits: MessageLimits, title: str, body: str) -> None:
    text = render(message, limits)
    assert (text.title, text.body) == (title, body)


@given(
    body=st.text(st.characters(codec="utf-8"), max_size=300),
    room=st.integers(0, 400),
    lines=st.integers(0, 6),
    link=st.sampled_from(["", LINK]),
)
@example(body=CHINESE, room=100, lines=0, link=LINK)
@example(body="a\nb\nc\nd", room=1000, lines=2, link=LINK)
def test_shortened_text_fits_and_keeps_the_link(body: str, room: int, lines: int, link: str) -> None:
    body = f"{body}\n{link}" if link else body
    short = shorten(body, room, lines, link)
    assert utf8_size(short) <= room
    assert not lines or short.count("\n") < lines
    if link and utf8_size(link) <= room:
        assert link in short
    if utf8_size(body) <= room and (not lines or body.count("\n") < lines):
        assert short == body


def test_cut_comes_at_a_line_with_the_link_on_its_own() -> None:
    body = f"first line\nsecond line\nthird line\n{LINK}"
    assert shorten(body, utf8_size("first line\n…\n") + utf8_size(LINK), 0, LINK) == f"first line\n…\n{LINK}"


def test_chinese_is_counted_in_bytes_not_characters() -> None:
    text = render(Message("标题", CHINESE, link=LINK), MessageLimits(body_bytes=200)).body
    assert len(CHINESE) < 1_000
    assert utf8_size(text) <= 200
    assert text.endswith(f"…\n{LINK}")
    assert text.startswith("客服系统")


def test_title_shares_the_room_where_the_service_says_so() -> None:
    text = render(Message("T" * 60, "b" * 300), MessageLimits(body_bytes=200, title_bytes=100, shared=True))
    assert utf8_size(text.title) + utf8_size(text.body) <= 200


@pytest.mark.parametrize(
    ("text", "drill", "limits", "whole"),
    [
        ("a" * 10, False, MessageLimits(body_bytes=10), True),
        ("a" * 11, False, MessageLimits(body_bytes=10), False),
        ("演" * 4, False, MessageLimits(body_bytes=10), False),
        ("a" * 10, True, MessageLimits(body_bytes=10), False),
        ("a\nb", False, MessageLimits(body_bytes=10, lines=2), True),
        ("a\nb\nc", False, MessageLimits(body_bytes=10, lines=2), False),
    ],
)
def test_a_publication_fits_whole_or_not_at_all(text: str, drill: bool, limits: MessageLimits, whole: bool) -> None:
    assert fits_limits(text, limits, drill=drill) is whole
