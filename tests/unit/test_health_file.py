"""health.yaml: what is left out is as shipped; what is wrong is named, and changes nothing that is in force."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from domain.health.erlang import Objective
from domain.health.plan import CoreFigureName, IndexName
from domain.health.staffing import AgentShift
from domain.warning.metrics import METRICS
from playbooks.errors import BadFile
from playbooks.health_file import SHIPPED, HealthFile, parse_health, shipped_health_plan
from playbooks.health_models import (
    ComplaintsForm,
    ComponentForm,
    CrewForm,
    HealthForm,
    MeasureForm,
    ObjectiveForm,
    ShiftForm,
)


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 2
        return self.now


def test_the_shipped_plan_is_what_the_mission_says() -> None:
    plan = shipped_health_plan()
    assert plan.objective == Objective(0.8, 30)
    assert (plan.reserve, plan.shrinkage, plan.complaints_rise, plan.complaints_limit) == (0.5, 0.3, 0.5, None)
    assert (plan.crew.agents, plan.crew.standby, plan.crew.handle_time) == (None, None, 300)
    assert set(plan.core) == set(CoreFigureName)
    assert set(plan.indices) == set(IndexName)
    assert plan.core[CoreFigureName.LATENCY][0].target == 30
    assert plan.core[CoreFigureName.SATISFACTION][0].target == 0.85
    assert plan.core[CoreFigureName.SATISFACTION][0].side == "at_least"
    for parts in plan.indices.values():
        assert sum(part.weight for part in parts) == 100


def test_the_shipped_file_names_only_known_figures() -> None:
    plan = shipped_health_plan()
    named = {one.metric for measures in plan.core.values() for one in measures}
    named |= {one.metric for parts in plan.indices.values() for one in parts} | {plan.crew.agents_metric}
    assert named <= set(METRICS)


def test_every_commented_line_of_the_shipped_file_reads() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    first, last = (
        next(at for at, line in enumerate(lines) if line.startswith(start)) for start in ("# agents:", "# --- risk")
    )
    block = [line.removeprefix("# ") for line in lines[first:last]]
    block.remove(next(line for line in block if line.startswith("agents:")))  # stands beside shifts there
    plan = parse_health("\n".join(block), "health.yaml")
    assert plan.crew.shifts[0] == AgentShift(frozenset(range(5)), 480, 1200, 40)
    assert (plan.crew.standby, plan.crew.standby_metric) == (20, "standby_agents")
    orders = plan.crew_of("orders")
    assert (orders.agents, orders.standby, orders.handle_time, orders.shifts) == (25, 12, 240, ())
    assert plan.crew_of("returns").handle_time == 300
    assert plan.crew_of("") is plan.crew
    other = plan.crew_of("other")  # the people of all are not its own
    assert (other.agents, other.shifts, other.standby, other.handle_time) == (None, (), None, 300)


def test_the_shipped_file_shows_every_key() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    for form in (HealthForm, CrewForm, ShiftForm, ObjectiveForm, ComplaintsForm, MeasureForm, ComponentForm):
        for key in form.model_fields:
            assert f"{key}:" in text, key


def test_what_is_left_out_is_as_shipped() -> None:
    plan = parse_health("core:\n  error-rate:\n    - {metric: error_rate, target: 2%}\n", "health.yaml")
    assert plan.core[CoreFigureName.ERRORS][0].target == 0.02
    assert plan.core[CoreFigureName.ERRORS][0].window == timedelta(minutes=15)
    assert plan.core[CoreFigureName.LATENCY] == shipped_health_plan().core[CoreFigureName.LATENCY]
    assert plan.indices == shipped_health_plan().indices
    assert plan.zone == shipped_health_plan().zone


def test_days_and_hours() -> None:
    text = 'shifts:\n  - {days: fri-mon, hours: "22:00-06:00", agents: 3}\n'
    text += '  - {days: wed, hours: "08:00-24:00", agents: 1}\n'
    night, day = parse_health(text, "h").crew.shifts
    assert night == AgentShift(frozenset({4, 5, 6, 0}), 1320, 360, 3)
    assert day == AgentShift(frozenset({2}), 480, 1440, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("agent: 3", "h.yaml:1: agent: unknown key; did you mean agents?"),
        ("agents: many", "agents: is a text, not a whole number"),
        ("agents: -1", "agents: is too small; 0 or more"),
        ("agents: 3\nshifts: []", "h.yaml:1: agents: stands beside shifts; one of the two"),
        ("shrinkage: 100%", "shrinkage: '100%' cannot be; from 0% until below 100%"),
        ("shrinkage: 30", "shrinkage: '30' would be 3000 %; write 30%"),
        ("reserve: half", "'half' is not a number"),
        ("objective: {share: 80%}", "objective.within: is missing; add within: 30s"),
        ("objective: {share: 100%, within: 30s}", "objective.share: '100%' cannot be"),
        ("objective: {share: 0%, within: 30s}", "objective.share: asks for nothing"),
        ("timezone: Mars/Olympus", "timezone: no time zone 'Mars/Olympus'; for example Asia/Shanghai"),
        ("slot: 20m", "slot: '20m' is not known; did you mean 30m?"),
        ("handle_time: 0s", "handle_time: is no time for a contact"),
        ("handle_time: 5", "5 has no unit; write 5m"),
        ("agents_metric: agent", "agents_metric: no figure 'agent'; did you mean agents?"),
        ("complaints: {rise: 0%}", "complaints.rise: makes every usual hour a risk"),
        ("complaints: {an_hour: 5%}", "complaints.an_hour: '5%' is no number"),
        ("core:\n  latency: []", "did you mean"),
        ("core:\n  error-rate:\n    - {metric: errors}", "h.yaml:3: core.error-rate[0].metric: no figure 'errors'"),
        ("core:\n  error-rate:\n    - {metric: error_rate, target: 5s}", "error-rate[0].target: '5s' does not fit"),
        ("core:\n  satisfaction:\n    - {metric: csat, target: 85}", "'85' would be 8500 %; write 85%"),
        ("core:\n  satisfaction:\n    - {metric: csat, window: 30s}", "window: 30s cannot be; from 1m to 1d"),
        ("indices:\n  mood: []", "indices.mood: has no part"),
        ("indices:\n  mood:\n    - {metric: csat, weight: 0, zero: 50%, full: 90%}", "weight: '0' is no weight"),
        ("indices:\n  mood:\n    - {metric: csat, weight: 1, zero: 90%, full: 50%}", "worse than zero: of csat more"),
        ("indices:\n  mood:\n    - {metric: csat, weight: 1, zero: 90%, full: 90%}", "full: is the same as zero"),
        ('shifts: [{days: someday, hours: "08:00-20:00", agents: 1}]', "'someday' are no days; mon-fri"),
        ("shifts: [{days: mon, hours: 8-20, agents: 1}]", "'8-20' are no hours; in quotes"),
        ("services: {orders: {agnets: 3}}", "services.orders.agnets: unknown key"),
        ("shrinkage: [", "broken YAML"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(BadFile) as bad:
        parse_health(text, "h.yaml")
    assert says in str(bad.value)


def test_a_broken_file_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    path = tmp_path / "health.yaml"
    file = HealthFile(path, clock=Seconds())
    assert file.current() is shipped_health_plan()
    path.write_text("agents: 40\n")
    assert file.current().crew.agents == 40
    path.write_text("agents: forty\n")
    assert file.current().crew.agents == 40
    (found,) = file.findings()
    assert (found.line, found.field) == (1, "agents")
    path.write_text("agents: 41\n")
    assert file.current().crew.agents == 41
    assert file.findings() == []
    path.unlink()
    assert file.current() is shipped_health_plan()


def test_a_file_that_was_never_good_leaves_the_shipped_plan(tmp_path: Path) -> None:
    path = tmp_path / "health.yaml"
    path.write_text("nonsense: 1\n")
    file = HealthFile(path, clock=Seconds())
    assert file.current() is shipped_health_plan()
    assert [found.field for found in file.findings()] == ["nonsense"]


def test_the_figures_of_the_house_may_be_named(tmp_path: Path) -> None:
    from dataclasses import replace

    own = {**METRICS, "dock": replace(METRICS["backlog"], id="dock")}
    text = "core:\n  saturation:\n    - {metric: dock, per: agents, target: 2}\n"
    assert parse_health(text, "h", own).core[CoreFigureName.SATURATION][0].metric == "dock"
    with pytest.raises(BadFile):
        parse_health(text, "h")
