"""Health board of a moment: the state now, the forecast, the findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pendulum import DateTime

from domain.health import finding
from domain.health.erlang import HOUR, agents_needed
from domain.health.finding import HealthFinding, UnderstaffedStretch
from domain.health.forecast import ForecastSlot, VolumeHistory
from domain.health.plan import CoreFigureName, CoreMeasure, HealthPlan, IndexName
from domain.health.risk import SPAN_SECONDS, ExpectedLoad, RiskAhead, capacity_risks, complaint_risks, worst_risk
from domain.health.service_index import ServiceIndex, compute_index
from domain.health.staffing import StaffReserve, StandbyCall, agents_to_roster
from domain.warning.metrics import Metric
from engine.health import metric_values
from engine.health.current_staffing import CONTACTS, CurrentStaffing, StaffingReader
from engine.health.metric_values import MetricValues
from engine.health.volume_history import VolumeCache
from storage.samples.sample_store import LIVE_FEED, SampleStore

FORECAST: Final = timedelta(hours=48)
COMPLAINTS: Final = "complaints"
_LEAST_COMPLAINTS: Final = 40.0  # expected in two hours: of fewer, half as many again is no rare chance


@dataclass(frozen=True, slots=True)
class CoreMetric:
    """Core metric. `measure`: the one that has samples, else the first; None where the plan has none."""

    core: CoreFigureName
    measure: CoreMeasure | None
    value: float | None
    points: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class IndexValue:
    """Index of the last hour, and of the last day."""

    name: IndexName
    hour: ServiceIndex
    day: ServiceIndex


@dataclass(frozen=True, slots=True)
class StaffedSlot:
    """Slot to come: what is expected, and the people it takes; None: not known."""

    expected: ForecastSlot
    needed: int | None
    rostered: int | None
    agents: int | None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Everything that the board shows.

    `begins`: of the points of the core metrics; `days`: of contacts that the forecast goes by.
    """

    at: DateTime
    lane: str
    service: str
    plan: HealthPlan
    begins: DateTime
    core: Sequence[CoreMetric]
    indices: Sequence[IndexValue]
    staffing: CurrentStaffing
    slots: Sequence[StaffedSlot]
    days: float
    level: float
    risk: RiskAhead | None
    findings: Sequence[HealthFinding]


class HealthBoard:
    """Makes health reports of the samples. Threads may share one.

    `plan`, `metrics`, `holidays` (ISO dates) are asked at every report.
    """

    def __init__(
        self,
        figures: SampleStore,
        plan: Callable[[], HealthPlan],
        metrics: Callable[[], Mapping[str, Metric]],
        holidays: Callable[[], Collection[str]],
    ) -> None:
        self._figures = figures
        self._plan = plan
        self._metrics = metrics
        self._holidays = holidays
        self._volumes = VolumeCache(figures)

    def report_at(self, at: DateTime, feed: str = LIVE_FEED, service: str = "") -> HealthReport:
        """Make the report as of `at`.

        Raises:
            StorageError: the samples cannot be read.
        """
        plan = self._plan()
        measurer = MetricValues(self._figures, self._metrics(), feed, at, service)
        people = StaffingReader(plan, plan.crew_of(service), measurer)
        staffing = people.staffing()
        now = int(at.timestamp())
        history = self._history(plan, CONTACTS, at, feed, service)
        slots = [self._slot(one, plan, people) for one in history.forecast_ahead(now, int(FORECAST.total_seconds()))]
        risk = self._risk(plan, people, at, feed, service)
        return HealthReport(
            at, feed, service, plan, measurer.begins,
            core=[self._core(core, plan, measurer) for core in CoreFigureName],
            indices=[self._index(name, plan, measurer) for name in IndexName],
            staffing=staffing, slots=slots, days=history.days(), level=history.recent_level(now), risk=risk,
            findings=list(_findings(plan, plan.crew_of(service).agents_metric, staffing, slots, history, risk)),
        )  # fmt: skip

    def risk_ahead(self, at: DateTime, feed: str = LIVE_FEED, service: str = "") -> RiskAhead | None:
        """The risk of the next two hours; None: it is not known.

        Raises:
            StorageError: the samples cannot be read.
        """
        plan = self._plan()
        measurer = MetricValues(self._figures, self._metrics(), feed, at, service)
        return self._risk(plan, StaffingReader(plan, plan.crew_of(service), measurer), at, feed, service)

    def reserve(self, at: DateTime, feed: str = LIVE_FEED, service: str = "") -> StaffReserve | None:
        """The agents kept for peaks beside those on shift now; None where either is not known.

        Raises:
            StorageError: the samples cannot be read.
        """
        plan = self._plan()
        measurer = MetricValues(self._figures, self._metrics(), feed, at, service)
        return StaffingReader(plan, plan.crew_of(service), measurer).staffing().reserve

    def standby_to_call(self, at: DateTime, feed: str = LIVE_FEED, service: str = "") -> StandbyCall | None:
        """How many standby agents to call now; None where contacts or agents are not known.

        Of a service of which no file and no metric says who serves it: for the whole operation.

        Raises:
            StorageError: the samples cannot be read.
        """
        plan = self._plan()
        measurer = MetricValues(self._figures, self._metrics(), feed, at, service)
        people = StaffingReader(plan, plan.crew_of(service), measurer)
        if service and people.agents is None:
            return self.standby_to_call(at, feed)
        return people.staffing().call

    # --- figures

    def _core(self, core: CoreFigureName, plan: HealthPlan, measurer: MetricValues) -> CoreMetric:
        measures = plan.core.get(core, ())
        chosen = next((one for one in measures if measurer.has_data(one)), measures[0] if measures else None)
        if chosen is None:
            return CoreMetric(core, None, None, [None] * metric_values.POINTS)
        rate = not chosen.per
        value = measurer.now(chosen.metric, chosen.window, chosen.per, rate=rate)
        return CoreMetric(core, chosen, value, measurer.points(chosen.metric, chosen.per, rate=rate))

    def _index(self, name: IndexName, plan: HealthPlan, measurer: MetricValues) -> IndexValue:
        parts = plan.indices.get(name, ())

        def of(span: timedelta) -> ServiceIndex:
            return compute_index(parts, [measurer.last(one.metric, span, one.per) for one in parts], plan.covered)

        return IndexValue(name, of(metric_values.HOUR), of(metric_values.DAY))

    # --- what is coming

    def _history(self, plan: HealthPlan, metric: str, at: DateTime, feed: str, service: str) -> VolumeHistory:
        return self._volumes.history(feed, metric, at, plan.slot, plan.zone, self._holidays(), service)

    def _slot(self, one: ForecastSlot, plan: HealthPlan, people: StaffingReader) -> StaffedSlot:
        needed = None
        if one.value is not None:
            an_hour = one.value * HOUR / plan.slot.total_seconds()
            try:
                needed = agents_needed(an_hour, people.handle_time, plan.objective)
            except ValueError:
                needed = None
        return StaffedSlot(
            one,
            needed,
            None if needed is None else agents_to_roster(needed, plan.shrinkage),
            people.agents_at(one.start),
        )

    def _risk(
        self, plan: HealthPlan, people: StaffingReader, at: DateTime, feed: str, service: str
    ) -> RiskAhead | None:
        now, seconds = int(at.timestamp()), int(plan.slot.total_seconds())
        contacts = self._history(plan, CONTACTS, at, feed, service)
        complaints = self._history(plan, COMPLAINTS, at, feed, service)
        coming = ExpectedLoad(contacts.forecast_ahead(now, SPAN_SECONDS), seconds, contacts.recent_level(now))
        bad = ExpectedLoad(
            complaints.forecast_ahead(now, SPAN_SECONDS), seconds, complaints.recent_level(now, least=_LEAST_COMPLAINTS)
        )

        def risks() -> Iterator[RiskAhead]:
            yield from capacity_risks(coming, people.agents_soon_at, people.handle_time, plan.objective)
            yield from complaint_risks(bad, plan.complaints_limit, plan.complaints_rise)

        return worst_risk(risks())


def _findings(
    plan: HealthPlan,
    agents_metric: str,
    staffing: CurrentStaffing,
    slots: Sequence[StaffedSlot],
    history: VolumeHistory,
    risk: RiskAhead | None,
) -> Iterator[HealthFinding]:
    clock = _Clock(plan.zone)
    found: list[HealthFinding | None] = [
        finding.standby_finding(staffing.call) if staffing.call else None,
        finding.risk_finding(risk.ratio, risk.cause, clock(risk.at)) if risk else None,
        finding.reserve_finding(staffing.reserve, plan.reserve) if staffing.reserve else None,
        _understaffed(plan, slots, clock),
        finding.agents_unknown_finding(agents_metric) if staffing.agents is None else None,
        finding.no_forecast_finding(history.days()) if all(slot.expected.value is None for slot in slots) else None,
    ]
    yield from (one for one in found if one is not None)


def _understaffed(plan: HealthPlan, slots: Sequence[StaffedSlot], clock: _Clock) -> HealthFinding | None:
    """Slots in a row with too few agents are one stretch, told by its worst slot."""
    stretches: list[list[StaffedSlot]] = []
    before: StaffedSlot | None = None
    for slot in slots:
        if slot.needed is not None and slot.agents is not None and slot.needed > slot.agents:
            if before is None:
                stretches.append([])
            stretches[-1].append(slot)
            before = slot
        else:
            before = None
    shorts = []
    for stretch in stretches:
        peak = max(stretch, key=lambda slot: (slot.needed or 0) - (slot.agents or 0))
        end = stretch[-1].expected.start + int(plan.slot.total_seconds())
        shorts.append(
            UnderstaffedStretch(clock(stretch[0].expected.start), clock(end), peak.needed or 0, peak.agents or 0)
        )
    most = max((one.needed - one.agents for one in shorts), default=0)
    return finding.understaffed_finding(shorts, agents_to_roster(most, plan.shrinkage))


class _Clock:
    """Times as people of the operation read them: the date and the clock of its zone."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def __call__(self, at: int) -> str:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(self._zone):%m-%d %H:%M}"
