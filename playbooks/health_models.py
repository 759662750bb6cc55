"""The schema of `health.yaml`: each key, its values, an example."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from domain.health.plan import CoreFigureName, IndexName
from domain.health.staffing import AgentShift
from playbooks.field_types import Duration, FileForm, TimeZone, value_error
from playbooks.rule_models import LabelValue, MetricId, Number

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d) ?- ?(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
MOST_PEOPLE = 20_000


def _days(value: object) -> object:
    """The days of the week of `mon-fri`, `sat`, `mon, wed`, as numbers from Monday 0."""
    found: set[int] = set()
    for piece in str(value).lower().replace(" ", "").split(","):
        first, _, last = piece.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise value_error(f"{str(value)[:40]!r} are no days", "mon-fri, or sat, sun")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found)


def _hours(value: object) -> object:
    """The minutes of the day of `08:00-20:00`."""
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise value_error(
            f"{str(value)[:40]!r} are no hours", 'in quotes: "08:00-20:00", or "22:00-06:00" past midnight'
        )
    start = int(match[1]) * 60 + int(match[2])
    return start, 1440 if match[3] is None else int(match[3]) * 60 + int(match[4])


Days = Annotated[Any, BeforeValidator(_days)]
Hours = Annotated[Any, BeforeValidator(_hours)]
People = Annotated[int, Field(ge=0, le=MOST_PEOPLE)]


class ObjectiveForm(FileForm):
    """The service-level objective."""

    share: Number = Field(description="The share of contacts that is answered in time.", examples=["80%"])
    within: Duration = Field(description="What is in time.", examples=["30s"])


class ShiftForm(FileForm):
    """So many agents on these days and hours."""

    days: Days = Field(description="Days of the week.", examples=["mon-fri"])
    hours: Hours = Field(description="Clock times of the zone.", examples=["08:00-20:00"])
    agents: People = Field(description="At their desks.", examples=[40])

    def built(self) -> AgentShift:
        """Build the shift of the domain."""
        starts, ends = self.hours
        return AgentShift(self.days, starts, ends, self.agents)


class CrewForm(FileForm):
    """The people of a service."""

    agents: People | None = Field(None, description="Agents at their desks, where no figure says it.", examples=[40])
    shifts: list[ShiftForm] | None = Field(
        None, max_length=200, description="Agents by the week.", examples=["[{days: mon-fri, ...}]"]
    )
    standby: People | None = Field(None, description="How many can be called in.", examples=[20])
    handle_time: Duration | None = Field(
        None, description="Of one contact, where there are no figures of aht.", examples=["5m"]
    )


class ComplaintsForm(FileForm):
    """The limits of complaints."""

    rise: Number | None = Field(None, description="Over what is usual for the hour.", examples=["50%"])
    an_hour: Number | None = Field(None, description="A fixed limit of complaints an hour.", examples=[60])


class MeasureForm(FileForm):
    """One way to measure a core figure."""

    metric: MetricId = Field(description="The figure.", examples=["response_time"])
    per: MetricId | None = Field(None, description="Divided by this figure.", examples=["agents"])
    target: Number | None = Field(None, description="What is wanted.", examples=["30s"])
    window: Duration = Field("15m", description="Over how long `now` is.", examples=["5m"])


class ComponentForm(FileForm):
    """A part of an index."""

    metric: MetricId = Field(description="The figure.", examples=["csat"])
    per: MetricId | None = Field(None, description="Divided by this figure.", examples=["contacts"])
    weight: Number = Field(description="How much it counts beside the others.", examples=[30])
    zero: Number = Field(description="The value that scores nothing.", examples=["60%"])
    full: Number = Field(description="The value that scores everything.", examples=["95%"])


class HealthForm(CrewForm):
    """The health board's plan; a missing key is as in the shipped file."""

    timezone: TimeZone | None = Field(None, description="Whose hours.", examples=["Asia/Shanghai"])
    slot: Literal["15m", "30m", "1h"] | None = Field(None, description="Of the forecast.", examples=["30m"])
    objective: ObjectiveForm | None = Field(
        None, description="The service-level objective.", examples=["{share: 80%, within: 30s}"]
    )
    shrinkage: Number | None = Field(None, description="Of paid time not spent at the desk.", examples=["30%"])
    reserve: Number | None = Field(None, description="Standby agents, of those on shift.", examples=["50%"])
    agents_metric: MetricId | None = Field(None, description="Who says how many are on shift.", examples=["agents"])
    standby_metric: MetricId | None = Field(
        None, description="Who says how many can be called in.", examples=["standby_agents"]
    )
    services: dict[LabelValue, CrewForm] | None = Field(
        None, description="Services with people of their own.", examples=["{orders: {agents: 25}}"]
    )
    complaints: ComplaintsForm | None = Field(
        None, description="What of complaints can be borne.", examples=["{rise: 50%}"]
    )
    core: dict[Annotated[CoreFigureName, Field(strict=False)], list[MeasureForm]] | None = Field(
        None, description="The six core figures.", examples=["{satisfaction: [{metric: csat, target: 85%}]}"]
    )
    indices: dict[Annotated[IndexName, Field(strict=False)], list[ComponentForm]] | None = Field(
        None, description="The indices.", examples=["{mood: [{metric: csat, weight: 40, ...}]}"]
    )
