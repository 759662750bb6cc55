"""The three questions and what they add up to: the table is the specification."""

from __future__ import annotations

from itertools import pairwise

import pytest

from domain.customers.care import (
    Care,
    CareAnswers,
    CareCombination,
    Thresholds,
    answer_questions,
    choose_care,
    customer_rank,
    uncovered_answers,
)
from domain.customers.import_row import AffectedCustomer, CustomerContact
from playbooks.followup_file import shipped_followup_plan

COMPENSATION, UPGRADED, NAMED = Care.COMPENSATION, Care.UPGRADED, Care.NAMED


def customer(order: int = 0, poor: int = 0, given: int = 0, *, public: bool = False) -> AffectedCustomer:
    return AffectedCustomer(
        "C", CustomerContact(), order_value=order, poor_service=poor, compensation=given, public=public
    )


@pytest.mark.parametrize(
    ("order", "poor", "given", "found"),
    [
        (0, 0, 0, (False, False, False)),
        (50_000, 0, 0, (False, False, False)),  # 500 is not over 500
        (50_001, 0, 0, (False, True, False)),
        (0, 1, 0, (True, False, False)),
        (0, 0, 1, (False, False, True)),
        (50_001, 3, 2_000, (True, True, True)),
    ],
)
def test_the_three_questions(order: int, poor: int, given: int, found: tuple[bool, bool, bool]) -> None:
    assert answer_questions(customer(order, poor, given), Thresholds()) == CareAnswers(*found)


def test_thresholds_are_data() -> None:
    strict = Thresholds(poor_service=3, order_over=100)
    assert answer_questions(customer(101, 2), strict) == CareAnswers(poor_history=False, harmed=True, compensated=False)


@pytest.mark.parametrize(
    ("history", "harmed", "compensated", "give"),
    [
        (False, False, False, (COMPENSATION,)),
        (False, False, True, ()),
        (False, True, False, (COMPENSATION, NAMED)),
        (False, True, True, (NAMED,)),
        (True, False, False, (COMPENSATION, UPGRADED)),
        (True, False, True, (UPGRADED,)),
        (True, True, False, (COMPENSATION, UPGRADED, NAMED)),
        (True, True, True, (UPGRADED, NAMED)),
    ],
)
def test_what_ships(history: bool, harmed: bool, compensated: bool, give: tuple[Care, ...]) -> None:
    assert choose_care(CareAnswers(history, harmed, compensated), shipped_followup_plan().combinations) == give


def test_a_table_with_holes_is_found_and_says_which() -> None:
    table = (CareCombination((COMPENSATION,), compensated=False),)
    assert uncovered_answers(table) == [
        CareAnswers(history, harmed, compensated=True) for history in (False, True) for harmed in (False, True)
    ]
    assert uncovered_answers((*table, CareCombination(()))) == []
    with pytest.raises(LookupError):
        choose_care(CareAnswers(True, True, True), table)


def test_harm_comes_before_the_brand_and_that_before_cost() -> None:
    t = Thresholds()
    order = [
        customer(50_001, 1, public=True), customer(90_000_000, 1), customer(60_000, 1), customer(90_000, public=True),
        customer(99_000_000), customer(50_001), customer(500, 1, public=True), customer(50_000, 1),
        customer(1, public=True), customer(49_999), customer(1),
    ]  # fmt: skip
    ranks = [customer_rank(one, answer_questions(one, t)) for one in order]
    assert all(one < other for one, other in pairwise(ranks)), ranks
