"""Answers, whom they have called back, and what they come to."""

from __future__ import annotations

import pytest

from domain.customers.survey import (
    Answer,
    BadAnswer,
    Because,
    Result,
    calls_back,
    nps_points,
    read_answer,
    weightier,
)
from playbooks.followup import shipped


def test_a_whole_answer_and_the_least_one() -> None:
    given = {"csat": "4", "nps": "10", "solved": "yes", "suggestion": " faster\r\nplease "}
    assert read_answer(given) == Answer(4, True, 10, "faster\nplease")
    assert read_answer({"csat": "1", "solved": "no", "nps": ""}) == Answer(1, False)


@pytest.mark.parametrize("csat", ["", "0", "6", "4.5", "-1", "five", "５", "999"])
def test_no_satisfaction(csat: str) -> None:
    with pytest.raises(BadAnswer, match="from 1 to 5"):
        read_answer({"csat": csat, "solved": "yes"})


@pytest.mark.parametrize(
    ("csat", "solved", "because"),
    [
        (5, True, None),
        (3, True, None),
        (2, True, Because.UNHAPPY),
        (1, True, Because.UNHAPPY),
        (5, False, Because.NOT_SOLVED),
        (1, False, Because.NOT_SOLVED),
    ],
)
def test_who_is_called(csat: int, solved: bool, because: Because | None) -> None:
    assert calls_back(Answer(csat, solved), shipped().unhappy_at_most) is because


def test_the_weightier_reason_stays() -> None:
    order = ["", *map(str, (Because.NO_CHANNEL, Because.UNREACHED, Because.HIGH_VALUE, Because.UNHAPPY,
                            Because.NOT_SOLVED, Because.AGAIN))]  # fmt: skip
    for place, low in enumerate(order):
        for high in order[place:]:
            assert weightier(low, high) == weightier(high, low) == high


def test_figures_worked_out_by_hand() -> None:
    """40 asked of 50; 20 answer, 15 of them 4 or 5; of 16 with a number 8 promote and 4 detract; 2 complain again."""
    result = Result(
        customers=50, asked=40, answered=20, satisfied=15, rated=16, promoters=8, detractors=4, second_complaints=2
    )
    assert (result.response_share, result.csat, result.nps, result.second_share) == (0.5, 0.75, 25.0, 0.04)


def test_nobody_said_anything() -> None:
    nothing = Result()
    assert (nothing.response_share, nothing.csat, nothing.nps, nothing.second_share) == (None, None, None, None)


@pytest.mark.parametrize(("score", "points"), [(10, 100), (9, 100), (8, 0), (7, 0), (6, -100), (0, -100)])
def test_one_answer_as_a_figure(score: int, points: int) -> None:
    assert nps_points(score) == points
