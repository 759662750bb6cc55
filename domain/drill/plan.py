"""A drill's plan as data: targets, journeys, stages of load, the fault, the figures that must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

from domain.text import Text

DRILL_HEADER = "X-Tocsin-Drill"  # header of every request; a target that takes part says it back


class DrillFigure(StrEnum):
    """The six figures that a drill is judged by."""

    LATENCY = "latency"  # 95th percentile of steps, milliseconds from when each was due
    ERROR_RATE = "error_rate"  # share of steps that failed: status, check, time-out, connection
    THROUGHPUT = "throughput"  # journeys completed well, as a share of those offered
    AVAILABILITY = "availability"  # share of steps that were answered at all, and not by a 5xx
    SATURATION = "saturation"  # journeys under way, as seconds of what is offered, of peak at least (Little's law)
    RECOVERY = "recovery"  # seconds from the fault to all figures in band again


LOW_IS_GOOD = frozenset({DrillFigure.LATENCY, DrillFigure.ERROR_RATE, DrillFigure.SATURATION, DrillFigure.RECOVERY})


@dataclass(frozen=True, slots=True)
class ResponseCheck:
    """What a response must be: its status, words in its body, values in its JSON."""

    status: tuple[int, ...] = (200, 201, 202, 204)
    contains: str = ""
    equals: Mapping[str, str] = field(default_factory=dict)  # dotted path -> the value as text


@dataclass(frozen=True, slots=True)
class HttpStep:
    """One request of a journey. `{name}` in url, headers and json stands for what an earlier step extracted.

    Attributes:
        think: how long the customer waits before it; drawn evenly between the two.
        writes: it changes something at the target: refused unless the target echoes the mark.
        creates: the kind of thing it makes, to be removed afterwards; an extracted value of that name identifies it.
        repeat_until: ask again after each `think`, at most `most` times, until this check holds.
    """

    id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    think: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0))
    timeout: timedelta = timedelta(seconds=10)
    check: ResponseCheck = field(default_factory=ResponseCheck)
    extract: Mapping[str, str] = field(default_factory=dict)  # name -> dotted path in the JSON answer
    writes: bool = False
    creates: str = ""
    repeat_until: ResponseCheck | None = None
    most: int = 1


@dataclass(frozen=True, slots=True)
class Journey:
    """What one customer does, step by step; `weight` is how often, beside the others."""

    id: str
    steps: tuple[HttpStep, ...]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """One stage of load: a share of measured peak, held for a time."""

    percent: int
    hold: timedelta


@dataclass(frozen=True, slots=True)
class GuardRail:
    """A guard-rail: stops the drill when a figure is beyond its limit for so many seconds on end."""

    figure: DrillFigure
    limit: float
    seconds: int = 5


@dataclass(frozen=True, slots=True)
class FaultHook:
    """A command or a request that injects or reverts a fault."""

    command: tuple[str, ...] = ()
    method: str = "POST"
    url: str = ""
    json: Any = None
    timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A planned fault: what is broken, for how long, and how it is reverted in every case.

    Attributes:
        percent: the load meanwhile, as a share of peak.
        hold: how long it stays unless detected and reverted earlier.
        proxy: fault settings of the fault proxy, by name; or `inject` and `revert`.
        horizon: not recovered so long after it is reverted reads "> horizon".
    """

    id: str
    title: Text
    percent: int
    hold: timedelta
    horizon: timedelta
    proxy: Mapping[str, float] = field(default_factory=dict)
    upstream: str = ""  # host:port behind the proxy
    listen: str = ""  # host:port of the proxy
    inject: FaultHook | None = None
    revert: FaultHook | None = None


CallReach = Literal["nobody", "sandbox", "owners"]


@dataclass(frozen=True, slots=True)
class DrillCall:
    """Who is called when a rule detects the fault.

    Attributes:
        reach: `sandbox`: the people that the rule's playbook names, as long as every channel of theirs stays on
            this machine; `owners`: on their real channels, marked DRILL; `nobody`.
        wait: how long after the call an acknowledgement is waited for, though the chain has recovered.
    """

    reach: CallReach = "sandbox"
    wait: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class LoadCaps:
    """Upper limits of every drill, for all of its stages."""

    rate: float = 500.0  # journeys a second
    requests: int = 1_000_000
    time: timedelta = timedelta(hours=2)
    in_flight: int = 5_000


@dataclass(frozen=True, slots=True)
class DrillWindow:
    """When a drill may run: weekdays (0 Monday), from and to in minutes of the day, in a zone."""

    days: frozenset[int]
    begins: int
    ends: int
    zone: str


@dataclass(frozen=True, slots=True)
class MeasuredPeak:
    """The measured peak: journeys a second, or the metric whose highest hour of 28 days gives it."""

    rate: float = 0.0
    metric: str = ""


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """A drill's plan. `bands`: what each figure must be at or better than for a PASS (fractions, ms, seconds)."""

    id: str
    title: Text
    owner: str
    targets: tuple[str, ...]  # host:port, nothing else is ever asked
    journeys: tuple[Journey, ...]
    peak: MeasuredPeak
    levels: tuple[LoadLevel, ...]
    bands: Mapping[DrillFigure, float]
    carry: int = 200  # percent of peak that must be in band; stages beyond it look for the knee
    tell: tuple[str, ...] = ()
    guards: tuple[GuardRail, ...] = ()
    baseline: timedelta = timedelta(seconds=10)
    fault: PlannedFault | None = None
    call: DrillCall = field(default_factory=DrillCall)
    caps: LoadCaps = field(default_factory=LoadCaps)
    windows: tuple[DrillWindow, ...] = ()
    blackout: tuple[tuple[str, str], ...] = ()  # ISO dates, from and to
    echo: str = ""  # URL that says the mark back; needed where a step writes
    cleanup: Mapping[str, HttpStep] = field(default_factory=dict)  # kind -> how one is removed
    gone: Mapping[str, HttpStep] = field(default_factory=dict)  # kind -> how it is proved
    rules: tuple[str, ...] = ()  # files of warning rules beside the plan, one of which must see the fault
    seed: int = 1

    def steps(self) -> Iterator[tuple[Journey, HttpStep]]:
        """Every step with its journey."""
        for journey in self.journeys:
            for step in journey.steps:
                yield journey, step

    def urls(self) -> Iterator[str]:
        """Every URL that the plan names, templates included."""
        yield from (step.url for _, step in self.steps())
        yield from (step.url for step in (*self.cleanup.values(), *self.gone.values()))
        yield from filter(None, (self.echo, *self._hooks()))

    def _hooks(self) -> Iterator[str]:
        if self.fault:
            yield from (hook.url for hook in (self.fault.inject, self.fault.revert) if hook)


SegmentMode = Literal["baseline", "level", "fault"]


@dataclass(frozen=True, slots=True)
class LoadSegment:
    """One stretch of constant load, as the load engine receives it. `rate`: journeys a second."""

    name: str
    mode: SegmentMode
    rate: float
    seconds: float
    percent: int


def build_segments(plan: DrillPlan, peak: float) -> list[LoadSegment]:
    """Build the segments of load: a baseline at the lowest stage, then every stage."""
    lowest = min(level.percent for level in plan.levels)
    found = [LoadSegment("baseline", "baseline", _rate(plan, peak, lowest), plan.baseline.total_seconds(), lowest)]
    for level in plan.levels:
        rate = _rate(plan, peak, level.percent)
        found.append(LoadSegment(f"{level.percent} %", "level", rate, level.hold.total_seconds(), level.percent))
    return found


def build_fault_segment(plan: DrillPlan, fault: PlannedFault, peak: float) -> LoadSegment:
    """Build the load during the fault: steady until it is over and the chain has recovered, or the horizon."""
    seconds = plan.baseline.total_seconds() + fault.hold.total_seconds() + fault.horizon.total_seconds()
    return LoadSegment(f"fault {fault.id}", "fault", _rate(plan, peak, fault.percent), seconds, fault.percent)


def _rate(plan: DrillPlan, peak: float, percent: int) -> float:
    return min(peak * percent / 100, plan.caps.rate)
