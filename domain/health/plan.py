"""The health board's plan: targets, staffing, weights. Data of `health.yaml`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal

from domain.health.erlang import Objective
from domain.health.staffing import AgentShift
from domain.text import Text


class CoreFigureName(StrEnum):
    """The six core figures, the same on the live board and in a drill (there recovery, not satisfaction)."""

    LATENCY = "response-latency"
    ERRORS = "error-rate"
    THROUGHPUT = "throughput"
    AVAILABILITY = "availability"
    SATURATION = "saturation"
    SATISFACTION = "satisfaction"


class IndexName(StrEnum):
    """The three indices, 0 to 100."""

    EFFICIENCY = "efficiency"
    RESOLUTION = "resolution"
    MOOD = "mood"


TITLES: Final[Mapping[CoreFigureName | IndexName, Text]] = {
    CoreFigureName.LATENCY: Text("Response latency", "响应时延"),
    CoreFigureName.ERRORS: Text("Error rate", "错误率"),
    CoreFigureName.THROUGHPUT: Text("Throughput", "吞吐量"),
    CoreFigureName.AVAILABILITY: Text("Availability", "可用率"),
    CoreFigureName.SATURATION: Text("Saturation", "饱和度"),
    CoreFigureName.SATISFACTION: Text("Satisfaction", "满意度"),
    IndexName.EFFICIENCY: Text("Service efficiency", "服务效率指数"),
    IndexName.RESOLUTION: Text("Resolution", "问题解决指数"),
    IndexName.MOOD: Text("Customer mood", "客户情绪指数"),
}


@dataclass(frozen=True, slots=True)
class CoreMeasure:
    """A measure of a figure: a metric by its usual aggregate.

    With `per`, divided by that metric (backlog per agent).

    Of several measures that could stand for a core figure the first one that has figures does.
    """

    metric: str
    window: timedelta = timedelta(minutes=15)
    per: str = ""
    target: float | None = None
    side: Literal["at_most", "at_least"] = "at_most"

    def meets(self, value: float) -> bool | None:
        """Whether a value is on the right side of the target; None where there is no target."""
        if self.target is None:
            return None
        slack = 1e-9 * max(1.0, abs(self.target))  # 99.9 % of a file is no binary fraction
        return value <= self.target + slack if self.side == "at_most" else value >= self.target - slack


@dataclass(frozen=True, slots=True)
class IndexComponent:
    """A component of an index: scores 0 at `zero` or worse, its weight at `full` or better, linear between."""

    metric: str
    weight: float
    zero: float
    full: float
    per: str = ""


@dataclass(frozen=True, slots=True)
class Crew:
    """The people of the whole operation, or of one service.

    Attributes:
        agents: at their desks, where neither shifts nor figures of `agents_metric` say it; None: not known.
        standby: who can be called in; None: not known.
        handle_time: seconds, where there are no figures of `aht`.
    """

    agents: int | None = None
    agents_metric: str = "agents"
    shifts: tuple[AgentShift, ...] = ()
    standby: int | None = None
    standby_metric: str = ""
    handle_time: float = 300.0


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """The content of `health.yaml`.

    Attributes:
        slot: of the forecast.
        shrinkage: share of paid time not spent at the desk.
        reserve: standby agents wanted, as a share of the agents on shift.
        complaints_limit: complaints an hour that can be borne; None: no such limit.
        complaints_rise: and the rise over what is usual (0.5: half as many again).
        services: with crews of their own; each has its own risk ahead. None: the operation has one.
        covered: the share of an index's weights that must have figures, else there is no index.
    """

    zone: str
    slot: timedelta
    objective: Objective
    shrinkage: float
    reserve: float
    complaints_rise: float | None
    complaints_limit: float | None
    crew: Crew
    services: Mapping[str, Crew] = field(default_factory=dict)
    core: Mapping[CoreFigureName, tuple[CoreMeasure, ...]] = field(default_factory=dict)
    indices: Mapping[IndexName, tuple[IndexComponent, ...]] = field(default_factory=dict)
    covered: float = 0.5

    def crew_of(self, service: str) -> Crew:
        """Return the crew of a service; without a crew of its own only figures can say how many agents it has."""
        if not service or service in self.services:
            return self.services.get(service, self.crew)
        return replace(self.crew, agents=None, shifts=(), standby=None, standby_metric="")
