"""Vocabulary of rules: `metrics.yaml` (metrics, labels) and `campaigns.yaml` (times with own thresholds)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from domain.durations import parse_duration
from domain.warning.calendar import Campaign, CampaignCalendar, CampaignOverride
from domain.warning.metrics import LABELS, METRICS, Metric, MetricKind
from domain.warning.rule import Aggregate, Rule, Tier
from domain.warning.rule_checks import check_rule
from playbooks.errors import quote_value
from playbooks.rule_amounts import RuleAmount
from playbooks.rule_document import DocumentPath as Place
from playbooks.rule_document import RuleMistakes, build_levels, build_text, rule_scale
from playbooks.rule_loader import parse_rule_moment, raise_mistakes
from playbooks.rule_models import CalendarForm, CampaignForm, MetricForm, MetricsForm, OverrideForm
from playbooks.validation_messages import suggest_choice, validate_form
from playbooks.yaml_source import read_text, read_yaml

_USUAL = {MetricKind.VOLUME: Aggregate.SUM, MetricKind.GAUGE: Aggregate.LAST}


@dataclass(frozen=True, slots=True)
class MetricVocabulary:
    """Metrics and labels that rules may name: the common ones and the installation's own."""

    metrics: Mapping[str, Metric]
    labels: frozenset[str]


COMMON_VOCABULARY = MetricVocabulary(METRICS, LABELS)


def parse_metrics(text: str, source: str) -> MetricVocabulary:
    """Parse the metrics that `text` declares, beside the common ones; one of the same id takes its place.

    Raises:
        BadFile: broken YAML, unknown keys, wrong values.
    """
    found = read_yaml(text, source)
    form = validate_form(MetricsForm, found)
    mistakes = RuleMistakes()
    own = {name: _metric(name, one, mistakes) for name, one in form.metrics.items()}
    raise_mistakes(mistakes, found)
    return MetricVocabulary({**METRICS, **own}, LABELS | frozenset(form.labels))


def load_metrics(path: Path) -> MetricVocabulary:
    """Load the metrics of a file, with the common ones.

    Raises:
        BadFile: as `parse_metrics`, or the file cannot be read.
    """
    return parse_metrics(read_text(path), str(path))


def _metric(name: str, form: MetricForm, mistakes: RuleMistakes) -> Metric:
    for key in ("most", "at_least"):
        amount: RuleAmount | None = getattr(form, key)
        if amount is not None and amount.unit:
            mistakes.add(("metrics", name, key), f"{quote_value(amount.text)} has a unit", "the number alone")
    most = form.most.number if form.most else 1.0 if form.kind is MetricKind.SHARE else None
    return Metric(
        name,
        build_text(form.title),
        form.kind,
        form.better,
        form.aggregate or _USUAL.get(form.kind, Aggregate.MEAN),
        form.unit or {MetricKind.DURATION: "s", MetricKind.SHARE: "%"}.get(form.kind, ""),
        most,
        form.at_least.number if form.at_least else None,
    )


def parse_calendar(
    text: str, source: str, rules: Mapping[str, Rule], metrics: Mapping[str, Metric] = METRICS
) -> CampaignCalendar:
    """Parse the campaigns and holidays that `text` describes, for these rules.

    Raises:
        BadFile: broken YAML, unknown keys, an unknown rule, a threshold that the rule could not have.
    """
    found = read_yaml(text, source)
    form = validate_form(CalendarForm, found)
    mistakes = RuleMistakes()
    campaigns = tuple(_campaign(one, n, rules, metrics, mistakes) for n, one in enumerate(form.campaigns))
    names = [one.id for one in campaigns]
    for place, name in enumerate(names):
        if name in names[:place]:
            mistakes.add(("campaigns", place, "id"), f"campaign {name} is there twice", "give each its own id")
    raise_mistakes(mistakes, found)
    return CampaignCalendar(campaigns, frozenset(form.holidays))


def _campaign(
    form: CampaignForm, place: int, rules: Mapping[str, Rule], metrics: Mapping[str, Metric], mistakes: RuleMistakes
) -> Campaign:
    at = ("campaigns", place)
    start, end = (parse_rule_moment(getattr(form, key), (*at, key), mistakes) for key in ("start", "end"))
    if end <= start:
        mistakes.add((*at, "end"), "ends before it starts", "end: later than start")
    changes = {}
    for name, one in form.rules.items():
        if name not in rules:
            mistakes.add((*at, "rules", name), f"no rule {quote_value(name)}", suggest_choice(name, rules))
        else:
            changes[name] = _override(one, (*at, "rules", name), rules[name], metrics, mistakes)
    return Campaign(form.id, build_text(form.title), start, end, changes, form.task_group or "", form.lock_drills)


def _override(
    form: OverrideForm, at: Place, rule: Rule, metrics: Mapping[str, Metric], mistakes: RuleMistakes
) -> CampaignOverride:
    """Build the change of one rule; the changed rule must pass the same checks as the rule itself."""
    mine = RuleMistakes()
    levels = None
    if form.threshold is not None:
        single = None if isinstance(form.threshold, dict) else rule.levels[0].tier
        scale = rule_scale(rule, metrics[rule.metric])
        levels = build_levels("threshold", form.threshold, form.recover, single, scale, mine)
        if not mine.found and [one.tier for one in levels] != [one.tier for one in rule.levels]:
            have = ", ".join(str(Tier(one.tier)) for one in rule.levels)
            mine.add(("threshold",), "has other levels than the rule", f"a threshold for {have}")
    elif form.recover is not None:
        mine.add(("recover",), "means nothing without a threshold", "add threshold")
    change = CampaignOverride(
        levels if not mine.found else None,
        form.min_samples.number if form.min_samples else None,
        parse_duration(form.for_) if form.for_ else None,
    )
    if change.levels:
        condition = str(rule.condition)
        for problem in check_rule(replace(rule, levels=change.levels), metrics[rule.metric]):
            path = ("threshold", *problem.path[1:]) if problem.path[0] == condition else problem.path
            mine.add(path, problem.reason, problem.remedy)
    mistakes.found += [((*at, *path), reason, remedy) for path, reason, remedy in mine.found]
    return change


def load_calendar(path: Path, rules: Mapping[str, Rule], metrics: Mapping[str, Metric] = METRICS) -> CampaignCalendar:
    """Load the calendar of a file.

    Raises:
        BadFile: as `parse_calendar`, or the file cannot be read.
    """
    return parse_calendar(read_text(path), str(path), rules, metrics)
