"""How alike two incidents are, in English and Chinese, and how often is often enough."""

from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.learning.similarity import (
    IncidentFingerprint,
    explain_similarity,
    find_most_similar,
    find_recurring,
    name_problem,
    similarity_score,
)
from domain.learning.text_comparison import common_words, normalize_text, redact_contacts, weigh_words

START = pendulum.datetime(2026, 3, 1)
SAME, SIMILAR = 0.6, 0.4  # as shipped


def incident(title: str, day: float = 0, **fields: str) -> IncidentFingerprint:
    given_ = {"playbook": "four-hour-response", **fields}
    return IncidentFingerprint(f"{title}/{day}", title, START.add(seconds=int(day * 86_400)), **given_)


@pytest.mark.parametrize(
    ("one", "other", "of_a_kind", "why"),
    [
        (incident("Checkout is down"), incident("Checkout fails again"), True, "what is down matters, not that it is"),
        (incident("Checkout is down"), incident("Search is down"), False, "everything is down at some time"),
        (incident("支付页面打不开"), incident("支付页面无法打开"), True, "the same page"),
        (incident("支付失败"), incident("快递丢件"), False, "nothing in common"),
        (incident("支付 payments fail"), incident("PAYMENT fails 支付"), True, "either language, any case"),
        (incident("a", kind="outage", service="pay"), incident("b", kind="outage", service="pay"), True, "its fields"),
        (
            incident("Checkout", kind="outage", service="pay"),
            incident("Search", kind="outage", service="web"),
            False,
            "elsewhere",
        ),
        (incident("Checkout", kind="outage"), incident("Checkout", kind="conduct"), False, "another cause"),
        (incident("", kind=""), incident("", kind=""), False, "a playbook alone says nothing"),
    ],
)
def test_what_is_of_a_kind(one: IncidentFingerprint, other: IncidentFingerprint, of_a_kind: bool, why: str) -> None:
    assert (similarity_score(one, other) >= SAME) is of_a_kind, why
    assert similarity_score(one, other) == similarity_score(other, one)


TITLES = st.text("abc 支付 订单!?的了", max_size=12)
PRINTS = st.builds(
    IncidentFingerprint, st.just("x"), TITLES, st.just(START), st.sampled_from(["", "a", "A", "b"]),
    st.sampled_from(["", "p", "q"]), st.sampled_from(["", "k"]),
)  # fmt: skip


@given(PRINTS, PRINTS)
def test_likeness_is_a_share_the_same_from_either_side(one: IncidentFingerprint, other: IncidentFingerprint) -> None:
    assert 0.0 <= similarity_score(one, other) <= 1.0 + 1e-9
    assert similarity_score(one, other) == pytest.approx(similarity_score(other, one))
    if one.title.strip() and weigh_words(one.title):
        assert similarity_score(one, one) == pytest.approx(1.0)


def test_it_says_why() -> None:
    one = incident("Checkout is down", service="orders", kind="outage")
    other = incident("The checkout fails", service="Orders", kind="conduct")
    assert [str(reason) for reason in explain_similarity(one, other).reasons] == [
        "same service: orders", "same playbook: four-hour-response", "words in common: checkout"
    ]  # fmt: skip
    assert common_words("支付页面打不开", "用户的支付页面空白", 3) == ["支付页面"]


def test_the_most_alike_come_first_and_of_those_the_newest() -> None:
    mine = incident("Checkout is down", 9, service="orders")
    others = [
        incident("Checkout is down", 1, service="orders"),
        incident("Checkout is down", 2, service="orders"),
        incident("Coupons fail", 3, service="orders"),
        incident("A courier is rude", 4, service="delivery"),
    ]
    found = find_most_similar(mine, [*others, mine], at_least=SIMILAR, most=2)
    assert [other.at.day for other, _ in found] == [3, 2]


@pytest.mark.parametrize(
    ("days", "at", "count"),
    [
        ([0, 40], 80, 3),
        ([0, 40], 90, 3),
        ([0, 40], 91, 0),  # the first one is too long ago
        ([0, 80], 100, 0),  # each is near, but not all within 90 days
        ([50, 60], 0, 3),  # back-dated: the others came later
        ([0], 10, 0),
        ([0, 10, 20, 30], 40, 5),
        ([-300, -200, 0, 10], 20, 3),
    ],
)
def test_often_enough_is_so_many_within_one_window(days: list[float], at: float, count: int) -> None:
    others = [incident("x", day) for day in days]
    found = find_recurring(START.add(days=int(at)), others, timedelta(days=90), 3)
    assert len(found) + bool(found) == count
    assert found == sorted(found, key=lambda one: one.at)


def test_a_kind_is_named_by_what_its_cases_share() -> None:
    assert name_problem([incident("a", kind="outage", service="pay"), incident("b", kind="outage", service="pay")]) == (
        "outage pay"
    )
    assert name_problem([incident("Checkout is down"), incident("The checkout fails")]) == "checkout"
    assert name_problem([incident("x y"), incident("z")]) == "x y"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Call 138 0013 8000 or +86 (138) 0013-8000", "Call […] or […]"),
        ("mail lin.yue+x@example.com.cn now", "mail […] now"),
        ("微信 @linyue_88 联系，电话１３８００１３８０００", "微信 […] 联系,电话[…]"),
        ("see https://x.example/?token=abc please", "see […] please"),
        ("order 123456 of 2026", "order 123456 of 2026"),
        ("a\nb\x07c", "a b c"),
        ("x" * 400, "x" * 299 + "…"),
        ("", ""),
    ],
)
def test_what_others_may_read_has_no_address_and_no_long_number(said: str, shown: str) -> None:
    assert redact_contacts(said) == shown


def test_texts_are_compared_without_case_width_and_punctuation() -> None:
    assert normalize_text("  Ｒefund, FASTER!! 退款。") == "refund faster 退款"
