"""Answers, whom they have called back, and what they come to."""

from __future__ import annotations

import pytest

from domain.customers.survey import (
    BadSurveyAnswer,
    CallbackReason,
    SurveyAnswer,
    SurveyResult,
    callback_reason,
    parse_answer,
    score_nps,
    weightier_reason,
)
from playbooks.followup_file import shipped_followup_plan


def test_a_whole_answer_and_the_least_one() -> None:
    given = {"csat": "4", "nps": "10", "solved": "yes", "suggestion": " faster\r\nplease "}
    assert parse_answer(given) == SurveyAnswer(4, True, 10, "faster\nplease")
    assert parse_answer({"csat": "1", "solved": "no", "nps": ""}) == SurveyAnswer(1, False)


@pytest.mark.parametrize("csat", ["", "0", "6", "4.5", "-1", "five", "５", "999"])
def test_no_satisfaction(csat: str) -> None:
    with pytest.raises(BadSurveyAnswer, match="from 1 to 5"):
        parse_answer({"csat": csat, "solved": "yes"})


@pytest.mark.parametrize(
    ("csat", "solved", "because"),
    [
        (5, True, None),
        (3, True, None),
        (2, True, CallbackReason.UNHAPPY),
        (1, True, CallbackReason.UNHAPPY),
        (5, False, CallbackReason.NOT_SOLVED),
        (1, False, CallbackReason.NOT_SOLVED),
    ],
)
def test_who_is_called(csat: int, solved: bool, because: CallbackReason | None) -> None:
    assert callback_reason(SurveyAnswer(csat, solved), shipped_followup_plan().unhappy_at_most) is because


def test_the_weightier_reason_stays() -> None:
    order = [
        "",
        *map(
            str,
            (
                CallbackReason.NO_CHANNEL,
                CallbackReason.UNREACHED,
                CallbackReason.HIGH_VALUE,
                CallbackReason.UNHAPPY,
                CallbackReason.NOT_SOLVED,
                CallbackReason.AGAIN,
            ),
        ),
    ]
    for place, low in enumerate(order):
        for high in order[place:]:
            assert weightier_reason(low, high) == weightier_reason(high, low) == high


def test_figures_worked_out_by_hand() -> None:
    """40 asked of 50; 20 answer, 15 of them 4 or 5; of 16 with a number 8 promote and 4 detract; 2 complain again."""
    result = SurveyResult(
        customers=50, asked=40, answered=20, satisfied=15, rated=16, promoters=8, detractors=4, second_complaints=2
    )
    assert (result.response_share, result.csat, result.nps, result.second_share) == (0.5, 0.75, 25.0, 0.04)


def test_nobody_said_anything() -> None:
    nothing = SurveyResult()
    assert (nothing.response_share, nothing.csat, nothing.nps, nothing.second_share) == (None, None, None, None)


@pytest.mark.parametrize(("score", "points"), [(10, 100), (9, 100), (8, 0), (7, 0), (6, -100), (0, -100)])
def test_one_answer_as_a_figure(score: int, points: int) -> None:
    assert score_nps(score) == points
