"""A drill's plan as a file: the shipped one is sound, and each mistake is one line that says what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.drill.plan import DrillFigure, build_segments
from playbooks.drill_file import parse_drill_plan, read_drill_plan
from playbooks.errors import BadFile

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "examples" / "drill.yaml"


def changed(path: str, value: Any) -> str:
    """The shipped plan with one thing else."""
    data = yaml.safe_load(SHIPPED.read_text())
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = data
    for part in parents:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return yaml.safe_dump(data, allow_unicode=True)


def test_the_shipped_plan_says_what_its_file_says() -> None:
    plan = read_drill_plan(SHIPPED)
    assert plan.bands[DrillFigure.LATENCY] == 1_000
    assert plan.bands[DrillFigure.ERROR_RATE] == pytest.approx(0.02)
    assert plan.bands[DrillFigure.RECOVERY] == 900
    course = build_segments(plan, 6.0)
    assert [one.percent for one in course] == [10, 10, 50, 100, 150, 200, 300, 400]
    assert course[5].rate == pytest.approx(12.0)
    assert all(one.rate <= plan.caps.rate for one in build_segments(plan, 1_000.0))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("targets", ["nowhere"], "is not host:port"),
        ("journeys.0.steps.1.url", "http://10.0.0.1/x", "10.0.0.1:80 is not among the targets"),
        ("journeys.0.steps.1.url", "ftp://127.0.0.1:7790/x", "is no http address"),
        ("journeys.0.steps.1.url", "http://me:secret@127.0.0.1:7790/x", "carries credentials"),
        ("journeys.0.steps.1.url", "http://127.0.0.1:7790/{nobody}", "nothing before extracts {nobody}"),
        ("journeys.0.steps.0.extract", {}, "the answer gives no chat"),
        ("journeys.0.steps.0.writes", False, "it makes something"),
        ("cleanup", {}, "would be left behind"),
        ("echo", None, "is missing, and steps write"),
        ("bands.latency", "95%", "does not fit latency"),
        ("bands.throughput", "2s", "does not fit throughput"),
        ("bands.availability", "99", "does not fit availability"),
        ("guards.0.figure", "recovery", "recovery is known only at the end"),
        ("peak", {}, "needs a rate or a metric"),
        ("fault.revert", None, "is missing"),
        ("fault.inject", None, "needs either proxy or inject"),
        ("levels.0.percent", 0, "levels[0].percent"),
        ("levels.0.hold", "soon", "is not a duration"),
        ("journeys.0.steps.1.think", "a while", "is not a number"),
        ("windows", [{"days": ["sat"], "from": "02:00", "to": "05:00", "timezone": "Mars"}], "no time zone"),
        ("colour", "red", "unknown key"),
    ],
)
def test_each_mistake_is_named_with_its_line(path: str, value: Any, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_drill_plan(changed(path, value), "plan.yaml")
    text = str(caught.value)
    assert said in text
    assert "plan.yaml:" in text
    assert "secret" not in text
