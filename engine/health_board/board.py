"""The health board of a moment: what is so, what is coming, what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pendulum import DateTime

from domain.health import finding
from domain.health.erlang import HOUR, agents_needed
from domain.health.finding import HealthFinding, Short
from domain.health.forecast import Expected, VolumeHistory
from domain.health.index import Index, index
from domain.health.plan import Core, IndexName, Measure, Plan
from domain.health.risk import SPAN, Ahead, Risk, of_capacity, of_complaints, worst
from domain.health.staffing import Reserve, StandbyCall, rostered
from domain.warning.figures import Metric
from engine.health_board import measuring
from engine.health_board.measuring import Measurer
from engine.health_board.people import CONTACTS, People, Staffing
from engine.health_board.volumes import Volumes
from storage.figures import LIVE, Figures

FORECAST: Final = timedelta(hours=48)
COMPLAINTS: Final = "complaints"
_LEAST_COMPLAINTS: Final = 40.0  # expected in two hours: of fewer, half as many again is no rare chance


@dataclass(frozen=True, slots=True)
class CoreFigure:
    """A core figure. `measure`: the one that has figures, else the first; None where the plan has none."""

    core: Core
    measure: Measure | None
    value: float | None
    points: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class IndexFigure:
    """An index of the last hour, and of the last day."""

    name: IndexName
    hour: Index
    day: Index


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot to come: what is expected, and the people it takes; None: not known."""

    expected: Expected
    needed: int | None
    rostered: int | None
    agents: int | None


@dataclass(frozen=True, slots=True)
class Board:
    """Everything. `begins`: of the points of the core figures; `days`: of contacts that the forecast goes by."""

    at: DateTime
    lane: str
    service: str
    plan: Plan
    begins: DateTime
    core: Sequence[CoreFigure]
    indices: Sequence[IndexFigure]
    staffing: Staffing
    slots: Sequence[Slot]
    days: float
    level: float
    risk: Risk | None
    findings: Sequence[HealthFinding]


class HealthBoard:
    """Makes boards of the figures. Threads may share one.

    `plan`, `metrics`, `holidays` (ISO dates) are asked at every look.
    """

    def __init__(
        self,
        figures: Figures,
        plan: Callable[[], Plan],
        metrics: Callable[[], Mapping[str, Metric]],
        holidays: Callable[[], Collection[str]],
    ) -> None:
        self._figures = figures
        self._plan = plan
        self._metrics = metrics
        self._holidays = holidays
        self._volumes = Volumes(figures)

    def look(self, at: DateTime, lane: str = LIVE, service: str = "") -> Board:
        """The board as of `at`.

        Raises:
            StorageError: the figures cannot be read.
        """
        plan = self._plan()
        measurer = Measurer(self._figures, self._metrics(), lane, at, service)
        people = People(plan, plan.crew_of(service), measurer)
        staffing = people.staffing()
        now = int(at.timestamp())
        history = self._history(plan, CONTACTS, at, lane, service)
        slots = [self._slot(one, plan, people) for one in history.ahead(now, int(FORECAST.total_seconds()))]
        risk = self._risk(plan, people, at, lane, service)
        return Board(
            at, lane, service, plan, measurer.begins,
            core=[self._core(core, plan, measurer) for core in Core],
            indices=[self._index(name, plan, measurer) for name in IndexName],
            staffing=staffing, slots=slots, days=history.days(), level=history.level(now), risk=risk,
            findings=list(_findings(plan, plan.crew_of(service).agents_metric, staffing, slots, history, risk)),
        )  # fmt: skip

    def risk_ahead(self, at: DateTime, lane: str = LIVE, service: str = "") -> Risk | None:
        """The risk of the next two hours; None: it cannot be told.

        Raises:
            StorageError: the figures cannot be read.
        """
        plan = self._plan()
        measurer = Measurer(self._figures, self._metrics(), lane, at, service)
        return self._risk(plan, People(plan, plan.crew_of(service), measurer), at, lane, service)

    def reserve(self, at: DateTime, lane: str = LIVE, service: str = "") -> Reserve | None:
        """The agents kept for peaks beside those on shift now; None where either is not known.

        Raises:
            StorageError: the figures cannot be read.
        """
        plan = self._plan()
        measurer = Measurer(self._figures, self._metrics(), lane, at, service)
        return People(plan, plan.crew_of(service), measurer).staffing().reserve

    def standby_to_call(self, at: DateTime, lane: str = LIVE, service: str = "") -> StandbyCall | None:
        """How many standby agents to call now; None where contacts or agents are not known.

        Of a service of which no file and no figure says who serves it: for the whole operation.

        Raises:
            StorageError: the figures cannot be read.
        """
        plan = self._plan()
        measurer = Measurer(self._figures, self._metrics(), lane, at, service)
        people = People(plan, plan.crew_of(service), measurer)
        if service and people.agents is None:
            return self.standby_to_call(at, lane)
        return people.staffing().call

    # --- figures

    def _core(self, core: Core, plan: Plan, measurer: Measurer) -> CoreFigure:
        measures = plan.core.get(core, ())
        chosen = next((one for one in measures if measurer.heard(one)), measures[0] if measures else None)
        if chosen is None:
            return CoreFigure(core, None, None, [None] * measuring.POINTS)
        rate = not chosen.per
        value = measurer.now(chosen.metric, chosen.window, chosen.per, rate=rate)
        return CoreFigure(core, chosen, value, measurer.points(chosen.metric, chosen.per, rate=rate))

    def _index(self, name: IndexName, plan: Plan, measurer: Measurer) -> IndexFigure:
        parts = plan.indices.get(name, ())

        def of(span: timedelta) -> Index:
            return index(parts, [measurer.last(one.metric, span, one.per) for one in parts], plan.covered)

        return IndexFigure(name, of(measuring.HOUR), of(measuring.DAY))

    # --- what is coming

    def _history(self, plan: Plan, metric: str, at: DateTime, lane: str, service: str) -> VolumeHistory:
        return self._volumes.history(lane, metric, at, plan.slot, plan.zone, self._holidays(), service)

    def _slot(self, one: Expected, plan: Plan, people: People) -> Slot:
        needed = None
        if one.value is not None:
            an_hour = one.value * HOUR / plan.slot.total_seconds()
            try:
                needed = agents_needed(an_hour, people.handle_time, plan.objective)
            except ValueError:
                needed = None
        return Slot(one, needed, None if needed is None else rostered(needed, plan.shrinkage), people.at(one.start))

    def _risk(self, plan: Plan, people: People, at: DateTime, lane: str, service: str) -> Risk | None:
        now, seconds = int(at.timestamp()), int(plan.slot.total_seconds())
        contacts = self._history(plan, CONTACTS, at, lane, service)
        complaints = self._history(plan, COMPLAINTS, at, lane, service)
        coming = Ahead(contacts.ahead(now, SPAN), seconds, contacts.level(now))
        bad = Ahead(complaints.ahead(now, SPAN), seconds, complaints.level(now, least=_LEAST_COMPLAINTS))

        def risks() -> Iterator[Risk]:
            yield from of_capacity(coming, people.soon, people.handle_time, plan.objective)
            yield from of_complaints(bad, plan.complaints_limit, plan.complaints_rise)

        return worst(risks())


def _findings(
    plan: Plan, agents_metric: str, staffing: Staffing, slots: Sequence[Slot], history: VolumeHistory, risk: Risk | None
) -> Iterator[HealthFinding]:
    clock = _Clock(plan.zone)
    found: list[HealthFinding | None] = [
        finding.of_standby(staffing.call) if staffing.call else None,
        finding.of_risk(risk.ratio, risk.cause, clock(risk.at)) if risk else None,
        finding.of_reserve(staffing.reserve, plan.reserve) if staffing.reserve else None,
        _understaffed(plan, slots, clock),
        finding.of_unknown_agents(agents_metric) if staffing.agents is None else None,
        finding.of_no_forecast(history.days()) if all(slot.expected.value is None for slot in slots) else None,
    ]
    yield from (one for one in found if one is not None)


def _understaffed(plan: Plan, slots: Sequence[Slot], clock: _Clock) -> HealthFinding | None:
    """Slots in a row with too few agents are one stretch, told by its worst slot."""
    stretches: list[list[Slot]] = []
    before: Slot | None = None
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
        shorts.append(Short(clock(stretch[0].expected.start), clock(end), peak.needed or 0, peak.agents or 0))
    most = max((one.needed - one.agents for one in shorts), default=0)
    return finding.of_hours(shorts, rostered(most, plan.shrinkage))


class _Clock:
    """Times as people of the operation read them: the date and the clock of its zone."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def __call__(self, at: int) -> str:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(self._zone):%m-%d %H:%M}"
