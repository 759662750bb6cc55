"""The health board's file, health.yaml: targets, staffing, weights.

Missing keys are taken from the shipped file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from domain.durations import parse_duration
from domain.health.erlang import Objective
from domain.health.plan import CoreMeasure, Crew, HealthPlan, IndexComponent
from domain.warning.metrics import METRICS, Metric, MetricKind, aggregate_kind
from playbooks.errors import quote_value
from playbooks.health_models import ComponentForm, CrewForm, HealthForm, MeasureForm
from playbooks.rule_amounts import RuleAmount, to_figure, to_relative_change
from playbooks.rule_document import DocumentPath as Place
from playbooks.rule_document import RuleMistakes
from playbooks.rule_loader import raise_mistakes
from playbooks.validation_messages import suggest_choice, validate_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import read_text, read_yaml

SHIPPED = Path(__file__).resolve().parent / "sample" / "health.yaml"
SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=1), timedelta(days=1)
_LEAST_HANDLE_SECONDS = 1
_BARE = HealthPlan("UTC", timedelta(minutes=30), Objective(0.8, 30), 0, 0, None, None, Crew())
Metrics = Mapping[str, Metric]
F = TypeVar("F")


def parse_health(text: str, file: str, metrics: Metrics = METRICS, base: HealthPlan | None = None) -> HealthPlan:
    """Parse the plan that `text` describes; a missing key is as in `base` (default: the shipped plan).

    Raises:
        BadFile: broken YAML, unknown keys or figures, values that cannot be.
    """
    found = read_yaml(text, file)
    form = validate_form(HealthForm, found)
    mistakes = RuleMistakes()
    plan = _Builder(metrics, mistakes).plan(form, base or shipped_health_plan())
    raise_mistakes(mistakes, found)
    return plan


@lru_cache(maxsize=1)
def shipped_health_plan() -> HealthPlan:
    """Return the shipped plan."""
    return parse_health(read_text(SHIPPED), str(SHIPPED), METRICS, _BARE)


class _Builder:
    """From the checked form to the plan, noting what is wrong."""

    def __init__(self, metrics: Metrics, mistakes: RuleMistakes) -> None:
        self._metrics = metrics
        self._mistakes = mistakes

    def plan(self, form: HealthForm, base: HealthPlan) -> HealthPlan:
        crew = self._crew(form, base.crew, ())
        crew = replace(
            crew,
            agents_metric=self._known(form.agents_metric, ("agents_metric",)) or crew.agents_metric,
            standby_metric=form.standby_metric or crew.standby_metric,  # any name: few have such a figure
        )
        return replace(
            base,
            zone=form.timezone or base.zone,
            slot=parse_duration(form.slot) if form.slot else base.slot,
            objective=self._objective(form) or base.objective,
            shrinkage=_or(self._share(form.shrinkage, ("shrinkage",), below_one=True), base.shrinkage),
            reserve=_or(self._share(form.reserve, ("reserve",)), base.reserve),
            complaints_rise=_or(self._rise(form), base.complaints_rise),
            complaints_limit=_or(self._limit(form), base.complaints_limit),
            crew=crew,
            services=base.services if form.services is None else {
                name: self._crew(one, replace(crew, agents=None, shifts=(), standby=None), ("services", name))
                for name, one in form.services.items()
            },
            core={**base.core, **{
                name: tuple(self._measure(one, ("core", name, place)) for place, one in enumerate(measures))
                for name, measures in (form.core or {}).items()
            }},
            indices={**base.indices, **{
                name: self._parts(parts, ("indices", name)) for name, parts in (form.indices or {}).items()
            }},
        )  # fmt: skip

    # --- people

    def _crew(self, form: CrewForm, base: Crew, at: Place) -> Crew:
        if form.agents is not None and form.shifts is not None:
            self._mistakes.add((*at, "agents"), "stands beside shifts", "one of the two: a number, or shifts")
        handle = parse_duration(form.handle_time).total_seconds() if form.handle_time else base.handle_time
        if handle < _LEAST_HANDLE_SECONDS:
            self._mistakes.add((*at, "handle_time"), "is no time for a contact", "handle_time: 5m")
        new = form.agents is not None or form.shifts is not None
        return replace(
            base,
            agents=form.agents if new else base.agents,
            shifts=tuple(one.built() for one in form.shifts or ()) if new else base.shifts,
            standby=_or(form.standby, base.standby),
            handle_time=handle,
        )

    def _objective(self, form: HealthForm) -> Objective | None:
        if form.objective is None:
            return None
        share = self._share(form.objective.share, ("objective", "share"), below_one=True)
        if share == 0:
            self._mistakes.add(("objective", "share"), "asks for nothing", "share: 80%")
        return Objective(share or 0.8, parse_duration(form.objective.within).total_seconds())

    # --- numbers

    def _share(self, amount: RuleAmount | None, at: Place, *, below_one: bool = False) -> float | None:
        """A share from 0 to 1; `below_one`: 1 itself cannot be."""
        if amount is None:
            return None
        share = self._mistakes.tried(at, lambda: to_figure(amount, MetricKind.SHARE, 1))
        if share is not None and (share < 0 or (below_one and share >= 1)):
            self._mistakes.add(at, f"{quote_value(amount.text)} cannot be", "from 0% until below 100%")
        return share

    def _rise(self, form: HealthForm) -> float | None:
        amount: RuleAmount | None = form.complaints.rise if form.complaints else None
        rise = (
            None if amount is None else self._mistakes.tried(("complaints", "rise"), lambda: to_relative_change(amount))
        )
        if rise == 0:
            self._mistakes.add(("complaints", "rise"), "makes every usual hour a risk", "rise: 50%")
        return rise

    def _limit(self, form: HealthForm) -> float | None:
        amount: RuleAmount | None = form.complaints.an_hour if form.complaints else None
        if amount is not None and (amount.unit or amount.number <= 0):
            self._mistakes.add(("complaints", "an_hour"), f"{quote_value(amount.text)} is no number", "an_hour: 60")
        return amount.number if amount else None

    # --- figures

    def _known(self, name: str | None, at: Place) -> str:
        if name is not None and name not in self._metrics:
            self._mistakes.add(at, f"no figure {quote_value(name)}", suggest_choice(name, self._metrics))
        return name or ""

    def _figure(self, metric: str, per: str | None, at: Place) -> Callable[[RuleAmount, str], float | None]:
        """How amounts of this measure are read."""
        self._known(metric, (*at, "metric"))
        self._known(per, (*at, "per"))
        kind, most = measure_scale(self._metrics, metric, per or "")
        return lambda amount, key: self._mistakes.tried((*at, key), lambda: to_figure(amount, kind, most))

    def _measure(self, form: MeasureForm, at: Place) -> CoreMeasure:
        read = self._figure(form.metric, form.per, at)
        window = parse_duration(form.window)
        if not SHORTEST_WINDOW <= window <= LONGEST_WINDOW:
            self._mistakes.add((*at, "window"), f"{form.window} cannot be", "from 1m to 1d")
        metric = self._metrics.get(form.metric)
        up = metric is not None and metric.better == "up"
        target = read(form.target, "target") if form.target is not None else None
        return CoreMeasure(form.metric, window, form.per or "", target, "at_least" if up else "at_most")

    def _parts(self, forms: list[ComponentForm], at: Place) -> tuple[IndexComponent, ...]:
        if not forms:
            self._mistakes.add(at, "has no part", "one line a figure, or leave the index out")
        return tuple(self._component(one, (*at, place)) for place, one in enumerate(forms))

    def _component(self, form: ComponentForm, at: Place) -> IndexComponent:
        read = self._figure(form.metric, form.per, at)
        zero, full = read(form.zero, "zero"), read(form.full, "full")
        if zero is not None and zero == full:
            self._mistakes.add((*at, "full"), "is the same as zero", "two different values")
        metric = self._metrics.get(form.metric)
        if metric and zero is not None and full is not None and (full < zero) == (metric.better == "up"):
            way = "more" if metric.better == "up" else "less"
            self._mistakes.add((*at, "full"), f"is worse than zero: of {form.metric} {way} is better", "change the two")
        if form.weight.unit or form.weight.number <= 0:
            self._mistakes.add((*at, "weight"), f"{quote_value(form.weight.text)} is no weight", "weight: 30")
        return IndexComponent(form.metric, form.weight.number, zero or 0.0, full or 0.0, form.per or "")


def measure_scale(metrics: Metrics, metric: str, per: str = "") -> tuple[MetricKind, float | None]:
    """Return a measure's unit and largest sensible value: volumes of volumes are shares, else plain ratios."""
    found, of = metrics.get(metric), metrics.get(per)
    if found is None:
        return MetricKind.GAUGE, None
    if per:
        both = found.kind is MetricKind.VOLUME and of is not None and of.kind is MetricKind.VOLUME
        return (MetricKind.SHARE if both else MetricKind.GAUGE), None
    kind = aggregate_kind(found, found.aggregate)
    return kind, 1.0 if kind is MetricKind.SHARE and found.kind is not MetricKind.SHARE else found.most


def _or(value: F | None, otherwise: F) -> F:
    return otherwise if value is None else value


class HealthFile(OptionalFile[HealthPlan]):
    """The plan in force; without a file of the home the shipped one.

    `metrics` gives the figures that it may name; they are asked again whenever the file is read.
    """

    def __init__(
        self, path: Path, metrics: Callable[[], Metrics] = lambda: METRICS, *, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(
            path, lambda file: parse_health(read_text(file), str(file), metrics()), shipped_health_plan, clock=clock
        )
