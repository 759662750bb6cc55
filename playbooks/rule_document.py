"""Rule documents: a rule built from the checked form of its file, and written back as an equal document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from domain.durations import format_duration, parse_duration
from domain.text import Text
from domain.warning.metrics import Metric, MetricKind, aggregate_kind
from domain.warning.rule import (
    EVERY_PROFILE,
    Aggregate,
    Baseline,
    Condition,
    Rule,
    RuleStart,
    ThresholdLevel,
    Tier,
    tier_rank,
)
from playbooks.field_types import TextForm
from playbooks.rule_amounts import NotAnAmount, RuleAmount, format_threshold, to_figure, to_points, to_relative_change
from playbooks.rule_models import CONDITIONS, RuleForm

DocumentPath = tuple[str | int, ...]
DAY = timedelta(days=1)


@dataclass
class RuleMistakes:
    """Mistakes of a document: where, what, and what would be right."""

    found: list[tuple[DocumentPath, str, str]] = field(default_factory=list)

    def add(self, path: DocumentPath, reason: str, remedy: str) -> None:
        """Add one mistake."""
        self.found.append((path, reason, remedy))

    def tried(self, path: DocumentPath, convert: Callable[[], float]) -> float | None:
        """Return a converted figure, or add a mistake."""
        try:
            return convert()
        except NotAnAmount as error:
            reason, _, remedy = str(error).partition("; ")
            self.add(path, reason, remedy)
            return None


@dataclass(frozen=True, slots=True)
class ThresholdScale:
    """The unit of a rule's thresholds."""

    kind: MetricKind
    most: float | None
    change: bool
    points: bool

    def figure(self, amount: RuleAmount) -> float:
        """Convert the amount to that unit; NotAnAmount where it does not fit."""
        if not self.change:
            return to_figure(amount, self.kind, self.most)
        return to_points(amount, self.kind) if self.points else to_relative_change(amount)

    def text(self, figure: float) -> str:
        """Format the figure as a file has it."""
        return format_threshold(figure, self.kind, change=self.change, points=self.points)


def aggregate_scale(metric: Metric, aggregate: Aggregate, *, per: bool, change: bool, points: bool) -> ThresholdScale:
    """Return the unit of the figure that a metric's aggregate is compared with."""
    kind = aggregate_kind(metric, aggregate, per=per)
    most = 1.0 if aggregate is Aggregate.SHARE or per else metric.most if kind is metric.kind else None
    return ThresholdScale(kind, most, change, points)


def rule_scale(rule: Rule, metric: Metric) -> ThresholdScale:
    """The unit of a rule's thresholds."""
    per = rule.per is not None
    return aggregate_scale(metric, rule.aggregate, per=per, change=rule.condition.compares, points=rule.points)


def build_rule(form: RuleForm, metrics: Mapping[str, Metric], mistakes: RuleMistakes) -> Rule | None:
    """Build the rule of a form, or None with the mistakes. Relations between its parts are not checked here."""
    before = len(mistakes.found)
    metric = _known(form, metrics, mistakes)
    condition = _condition(form, mistakes)
    window = _window(form, mistakes)
    if metric is None or condition is None:
        return None
    aggregate = form.aggregate or (Aggregate.SHARE if form.per else metric.aggregate)
    wanted = getattr(form, condition)
    points = condition.compares and any(one.unit == "points" for one in _each(wanted).values())
    scale = aggregate_scale(metric, aggregate, per=form.per is not None, change=condition.compares, points=points)
    levels = build_levels(str(condition), wanted, form.recover, form.level, scale, mistakes)
    at_least = _plain(form.at_least, ("at_least",), mistakes)
    if at_least is None and aggregate is Aggregate.SHARE and form.per is None:
        at_least = metric.at_least
    min_samples = _plain(form.min_samples, ("min_samples",), mistakes)
    significance = _significance(form, mistakes)
    if len(mistakes.found) > before:
        return None
    return Rule(
        id=form.id,
        title=build_text(form.title),
        metric=form.metric,
        aggregate=aggregate,
        window=window,
        condition=condition,
        levels=levels,
        labels=dict(form.labels),
        by=tuple(form.by),
        at_least=at_least,
        per=form.per,
        baseline=_baseline(form),
        points=points,
        min_samples=min_samples or 0.0,
        significance=significance,
        for_=parse_duration(form.for_),
        keep_firing=parse_duration(form.keep_firing),
        no_data=form.no_data,
        no_data_after=parse_duration(form.no_data_after),
        consecutive_days=form.consecutive_days,
        zone=form.zone,
        quiet=parse_duration(form.quiet),
        starts=RuleStart(form.starts.playbook, form.starts.as_, form.starts.severity) if form.starts else None,
        inhibits=tuple(form.inhibits),
        profile=form.profile,
        owner=form.owner or "",
        tier=form.tier,
        summary=build_text(form.summary),
        version=form.version,
    )


def build_text(form: TextForm | None) -> Text:
    """Build a text from its form."""
    return Text(form.en, form.zh) if form else Text("")


def _known(form: RuleForm, metrics: Mapping[str, Metric], mistakes: RuleMistakes) -> Metric | None:
    from playbooks.validation_messages import nearest_word  # noqa: PLC0415 - explain reads the models, which this module serves

    for key in ("metric", "per"):
        name = getattr(form, key)
        if name is not None and name not in metrics:
            near = nearest_word(name, metrics)
            remedy = f"did you mean {near}?" if near else "declare it in metrics.yaml"
            mistakes.add((key,), f"no metric {name!r}", remedy)
    return metrics.get(form.metric)


def _condition(form: RuleForm, mistakes: RuleMistakes) -> Condition | None:
    given = [name for name in CONDITIONS if getattr(form, name) is not None]
    if not given:
        mistakes.add(("above",), "says not when it is bad", f"one of {', '.join(CONDITIONS)}")
    for more in given[1:]:
        mistakes.add((more,), f"there is {given[0]} already", "one condition a rule; write a second rule")
    return Condition(given[0]) if len(given) == 1 else None


def _window(form: RuleForm, mistakes: RuleMistakes) -> timedelta:
    if form.window is not None:
        return parse_duration(form.window)
    if not form.consecutive_days:
        mistakes.add(("window",), "is missing", "add window: 10m")
    return DAY


def _each(limits: Any) -> dict[Tier | None, RuleAmount]:
    return limits if isinstance(limits, dict) else {None: limits}


def build_levels(
    key: str, limits: Any, recover: Any, level: Tier | None, scale: ThresholdScale, mistakes: RuleMistakes
) -> tuple[ThresholdLevel, ...]:
    """Build the levels of a threshold and its recovery as they were written, mildest first."""
    thresholds = {tier or level or Tier.YELLOW: amount for tier, amount in _each(limits).items()}
    single = not isinstance(limits, dict)
    if not single and level is not None:
        mistakes.add(("level",), "means nothing where each level has its threshold", "remove level")
    if isinstance(recover, RuleAmount) and len(thresholds) > 1:
        names = ", ".join(f"{tier}: ..." for tier in thresholds)
        mistakes.add(("recover",), "is one for several levels", f"recover: {{{names}}}")
        return ()
    recovers = recover if isinstance(recover, dict) else dict.fromkeys(thresholds, recover) if recover else {}
    for tier in recovers:
        if tier not in thresholds:
            mistakes.add(("recover", str(tier)), f"there is no level {tier}", f"one of {', '.join(thresholds)}")
    levels = []
    for tier in sorted(thresholds, key=tier_rank):
        path = (key,) if single else (key, str(tier))
        back = ("recover", str(tier)) if isinstance(recover, dict) else ("recover",)
        threshold = mistakes.tried(path, lambda amount=thresholds[tier]: scale.figure(amount))  # type: ignore[misc]
        good = threshold
        if tier in recovers:
            good = mistakes.tried(back, lambda amount=recovers[tier]: scale.figure(amount))  # type: ignore[misc]
        if threshold is not None and good is not None:
            levels.append(ThresholdLevel(tier, threshold, good))
    return tuple(levels)


def _plain(amount: RuleAmount | None, path: DocumentPath, mistakes: RuleMistakes) -> float | None:
    if amount is None:
        return None
    if amount.unit:
        mistakes.add(
            path, f"{amount.text!r} has a unit", f"the number alone, for example {path[-1]}: {amount.number:g}"
        )
    return amount.number


def _significance(form: RuleForm, mistakes: RuleMistakes) -> float | None:
    amount = form.significance
    if amount is None:
        return None
    if amount.unit not in ("", "%"):
        mistakes.add(("significance",), f"{amount.text!r} is no share", "for example 5%")
    number: float = amount.number
    return number / 100 if amount.unit == "%" else number


def _baseline(form: RuleForm) -> Baseline | None:
    base = form.baseline
    if base is None:
        return None
    offset = parse_duration(base.offset) if base.offset else None
    return Baseline(base.kind, offset, base.weeks, base.min_weeks, base.zone)


def to_document(rule: Rule, metric: Metric) -> dict[str, Any]:
    """Write the rule as a file would; defaults are left out.

    Read back with the same metric it is the same rule.
    """
    scale = rule_scale(rule, metric)
    found: dict[str, Any] = {"id": rule.id, "title": _words(rule.title), "version": rule.version}
    found |= {"summary": _words(rule.summary)} if rule.summary else {}
    found |= {"metric": rule.metric, "aggregate": str(rule.aggregate)}
    if not rule.daily:
        found["window"] = format_duration(rule.window)
    if len(rule.levels) == 1:
        (only,) = rule.levels
        found |= {str(rule.condition): scale.text(only.threshold), "level": str(only.tier)}
        found["recover"] = scale.text(only.recover)
    else:
        found[str(rule.condition)] = {str(one.tier): scale.text(one.threshold) for one in rule.levels}
        found["recover"] = {str(one.tier): scale.text(one.recover) for one in rule.levels}
    plain = {
        "tier": rule.tier, "owner": rule.owner, "per": rule.per, "labels": dict(rule.labels), "by": list(rule.by),
        "at_least": _number(rule.at_least), "min_samples": _number(rule.min_samples),
        "consecutive_days": rule.consecutive_days, "inhibits": list(rule.inhibits),
        "significance": f"{_number(round(rule.significance * 100, 9))}%" if rule.significance else None,
    }  # fmt: skip
    found |= {key: value for key, value in plain.items() if value not in (None, 0, "", [], {})}
    found |= _unlike(rule, {"profile": EVERY_PROFILE, "no_data": "keep", "zone": "UTC"})
    spans = {"for": rule.for_, "keep_firing": rule.keep_firing, "quiet": rule.quiet}
    found |= {key: format_duration(span) for key, span in spans.items() if span}
    found["no_data_after"] = format_duration(rule.no_data_after)
    if rule.baseline:
        found["baseline"] = _base_document(rule.baseline)
    if rule.starts:
        starts = {"playbook": rule.starts.playbook, "as": rule.starts.as_, "severity": rule.starts.severity}
        found["starts"] = {key: value for key, value in starts.items() if value is not None}
    return found


def _unlike(rule: Rule, defaults: Mapping[str, str]) -> dict[str, str]:
    return {key: getattr(rule, key) for key, default in defaults.items() if getattr(rule, key) != default}


def _base_document(base: Baseline) -> dict[str, Any]:
    if base.kind == "previous":
        return {"kind": "previous", **({"offset": format_duration(base.offset)} if base.offset else {})}
    return {"kind": base.kind, "weeks": base.weeks, "min_weeks": base.min_weeks, "zone": base.zone}


def _words(text: Text) -> dict[str, str] | str:
    return {"en": text.en, "zh": text.zh} if text.zh else text.en


def _number(number: float | None) -> int | str | None:
    if number is None:
        return None
    return int(number) if number == int(number) else f"{number:.9f}".rstrip("0")
