"""Current staffing: agents on shift, handle time, contacts; from samples where there are any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from domain.health.erlang import Objective, average_speed_of_answer, occupancy, offered_load, service_level
from domain.health.plan import Crew, HealthPlan
from domain.health.staffing import (
    StaffReserve,
    StandbyCall,
    agents_to_roster,
    compute_reserve,
    compute_standby_call,
    count_on_shift,
)
from engine.health.metric_values import DAY, HOUR, MetricValues

ARRIVALS: Final = timedelta(minutes=15)  # over which contacts are counted
GAUGE_LASTS: Final = timedelta(minutes=15)  # a gauge that was silent for longer says nothing about now
CONTACTS: Final = "contacts"
_HANDLE: Final = "aht"
StaffingOrigin = Literal["figures", "shifts", "plan"]


@dataclass(frozen=True, slots=True)
class CurrentStaffing:
    """Staffing now; None: not known.

    Attributes:
        handle_time: seconds; `handle_from`: of samples, or of the plan. needed: agents at their desks for the
            objective at the present arrivals; `rostered`: with shrinkage. level, answer, busy: expected share
            in time, seconds until an answer (inf: ever longer), occupancy (Erlang C).
    """

    objective: Objective
    shrinkage: float
    contacts_an_hour: float | None
    handle_time: float
    handle_from: StaffingOrigin
    agents: int | None
    agents_from: StaffingOrigin | None
    standby: int | None
    needed: int | None = None
    rostered: int | None = None
    level: float | None = None
    answer: float | None = None
    busy: float | None = None
    reserve: StaffReserve | None = None
    call: StandbyCall | None = None


class StaffingReader:
    """Reads the staffing of an operation or a service, as it is known at a moment."""

    def __init__(self, plan: HealthPlan, crew: Crew, figures: MetricValues) -> None:
        self._crew = crew
        self._figures = figures
        self._zone = ZoneInfo(plan.zone)
        self._plan = plan
        self.handle_time, self.handle_from = self._handle()
        self.agents, self.agents_from = self._agents()

    def agents_at(self, start: int) -> int | None:
        """Agents on shift at a moment to come (epoch seconds), by the shifts or the plan; None: unknown."""
        if self._crew.shifts:
            local = datetime.fromtimestamp(start, UTC).astimezone(self._zone)
            return count_on_shift(self._crew.shifts, local.weekday(), local.hour * 60 + local.minute)
        return self._crew.agents

    def agents_soon_at(self, start: int) -> int | None:
        """Agents on shift within the next two hours: without shifts, those who are on shift now stay."""
        return self.agents_at(start) if self._crew.shifts else self.agents

    def staffing(self) -> CurrentStaffing:
        """Read the staffing now."""
        contacts = self._figures.now(CONTACTS, ARRIVALS)
        an_hour = None if contacts is None else contacts * (HOUR / ARRIVALS)
        agents, standby, plan = self.agents, self._standby(), self._plan
        found = CurrentStaffing(
            plan.objective,
            plan.shrinkage,
            an_hour,
            self.handle_time,
            self.handle_from,
            agents,
            self.agents_from,
            standby,
        )
        values: dict[str, Any] = {}
        if agents is not None and standby is not None:
            values["reserve"] = compute_reserve(standby, agents, plan.reserve)
        if an_hour is not None:
            values |= self._expected(an_hour, standby)
        return replace(found, **values)

    def _expected(self, an_hour: float, standby: int | None) -> dict[str, Any]:
        plan, agents = self._plan, self.agents
        load = offered_load(an_hour, self.handle_time)
        call = agents_to_call(an_hour, self.handle_time, plan.objective, agents or 0, standby)
        values: dict[str, Any] = {}
        if call is not None:
            values = {"needed": call.needed, "rostered": agents_to_roster(call.needed, plan.shrinkage)}
        if agents is not None:
            values |= {
                "level": service_level(agents, load, self.handle_time, plan.objective.within),
                "answer": average_speed_of_answer(agents, load, self.handle_time),
                "busy": occupancy(agents, load),
                "call": call,
            }
        return values

    def _handle(self) -> tuple[float, StaffingOrigin]:
        """The mean of the last hour, else of the day, else as planned."""
        for span in (HOUR, DAY):
            found = self._figures.last(_HANDLE, span)
            if found is not None and found > 0:
                return found, "figures"
        return self._crew.handle_time, "plan"

    def _agents(self) -> tuple[int | None, StaffingOrigin | None]:
        seen = self._figures.now(self._crew.agents_metric, GAUGE_LASTS)
        if seen is not None:
            return max(0, round(seen)), "figures"
        planned = self.agents_at(int(self._figures.at.timestamp()))
        return planned, None if planned is None else "shifts" if self._crew.shifts else "plan"

    def _standby(self) -> int | None:
        seen = self._figures.now(self._crew.standby_metric, GAUGE_LASTS) if self._crew.standby_metric else None
        return self._crew.standby if seen is None else max(0, round(seen))


def agents_to_call(
    an_hour: float, handle_time: float, objective: Objective, agents: int, standby: int | None
) -> StandbyCall | None:
    """How many agents to call; None where the figures are beyond any number of agents."""
    try:
        return compute_standby_call(an_hour, handle_time, objective, agents, standby)
    except ValueError:
        return None
