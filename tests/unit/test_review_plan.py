"""reviews.yaml: what ships, what may be written, what is refused and how; and that each review has its schedule."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.review.period import REVIEW_LENGTHS, PeriodLength, ReviewKind
from domain.warning.metrics import METRICS
from playbooks.errors import BadFile
from playbooks.playbook_library import PlaybookLibrary
from playbooks.reviews_file import SHIPPED, ReviewsFile, parse_reviews, shipped_review_plan

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
TEXT = SHIPPED.read_text(encoding="utf-8")


def test_what_ships() -> None:
    plan = shipped_review_plan()
    (simple, experts, product) = plan.levels
    assert (simple.within, simple.objective) == (timedelta(minutes=15), 0.9)  # 90 % of simple contacts in 15 min
    assert (experts.objective, product.objective) == (None, None)
    assert PlaybookLibrary().get("retrospective").stage("retrospective").ends == timedelta(days=3)
    assert plan.trace_for == timedelta(days=30)
    assert (plan.improvements, plan.situations) == (0.8, 0.8)
    assert plan.five == ("conversion", "repeat_enquiries", "self_service", "resolution_time", "csat")
    assert plan.aims == {"csat": 0.85, "complaint_rate": pytest.approx(0.012), "response_time": 30.0, "frt": 45.0}
    assert {*plan.five, *plan.traced, *plan.aims} <= set(METRICS)
    assert all(value is None for value in (plan.inputs.labour_cost_per_hour, plan.inputs.investment))


def test_every_clock_is_a_step_of_its_playbook() -> None:
    library = PlaybookLibrary()
    for clock in shipped_review_plan().clocks:
        stage, step = clock.step.split("/")
        assert library.get(clock.playbook).step(stage, step)
        assert clock.title.zh


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("timezone: Asia/Shanghai", "timezone: Mars/Olympus", 4, "no time zone 'Mars/Olympus'"),
        ("csat: 85%", "csat: good", 16, "is not a number"),
        ("trace_for: 30d", "trace_for: 30", 8, "has no unit"),
        ("level: 2,", "level: 1,", 24, "level 1 is there twice"),
        ("improvements: 80%", "improvements: 180%", 33, "is more than all"),
        ("value: {}", "value: {labour: 60}", 38, "labour"),
        ("value: {}", "value: {investment: -5}", 38, "investment"),
        ("step: apology/publish", "step: apology", 29, "step"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in TEXT
    with pytest.raises(BadFile) as bad:
        parse_reviews(TEXT.replace(old, new, 1), "reviews.yaml")
    assert words in str(bad.value)
    assert f"reviews.yaml:{line}:" in str(bad.value)


def test_a_broken_file_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    clock = iter(range(100))
    file = ReviewsFile(tmp_path / "reviews.yaml", clock=lambda: float(next(clock)))
    assert file.current() == shipped_review_plan()
    (tmp_path / "reviews.yaml").write_text(TEXT.replace("value: {}", "value: {investment: 1.5}"), encoding="utf-8")
    assert file.current().inputs.investment == 1.5
    (tmp_path / "reviews.yaml").write_text("value: [", encoding="utf-8")
    assert file.current().inputs.investment == 1.5
    assert file.findings()


# Cron's day of month, month and weekday, for a period of each length.
_FITS = {
    PeriodLength.DAY: ("*", "*", "*"),
    PeriodLength.WEEK: ("*", "*", "1"),
    PeriodLength.MONTH: ("1", "*", "*"),
    PeriodLength.QUARTER: ("2", "1,4,7,10", "*"),
    PeriodLength.HALF: ("2", "1,7", "*"),
    PeriodLength.YEAR: ("2", "1", "*"),
}


@pytest.mark.parametrize("kind", list(ReviewKind))
def test_each_review_has_a_schedule_after_its_period_ends(kind: ReviewKind) -> None:
    (one,) = [one for one in DEPLOYMENTS if (one.get("parameters") or {}).get("kind") == str(kind)]
    assert one["entrypoint"] == "flows/review_period.py:review_period"
    (schedule,) = one["schedules"]
    assert schedule["timezone"] == shipped_review_plan().zone
    assert tuple(schedule["cron"].split()[2:]) == _FITS[REVIEW_LENGTHS[kind]]
    assert PlaybookLibrary().get(str(kind)).flow == "hold_review"
