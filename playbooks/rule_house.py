"""`metrics.yaml` (figures and labels of the house) and `campaigns.yaml` (times with thresholds of their own)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from domain.durations import parse_duration
from domain.warning.calendar import Calendar, Campaign, Override
from domain.warning.figures import LABELS, METRICS, Kind, Metric
from domain.warning.rule import Aggregate, Rule, Tier
from domain.warning.soundness import problems
from playbooks.errors import quoted
from playbooks.explain import checked, choose
from playbooks.rule_amounts import Amount
from playbooks.rule_document import Mistakes, levels_of, rule_scale, text_of
from playbooks.rule_document import Path as Place
from playbooks.rule_loader import moment, refuse
from playbooks.rule_models import CalendarForm, CampaignForm, MetricForm, MetricsForm, OverrideForm
from playbooks.source import read_text, read_yaml

_USUAL = {Kind.VOLUME: Aggregate.SUM, Kind.GAUGE: Aggregate.LAST}


@dataclass(frozen=True, slots=True)
class Known:
    """Figures and labels that rules may name: the common ones and those of the house."""

    metrics: Mapping[str, Metric]
    labels: frozenset[str]


COMMON = Known(METRICS, LABELS)


def parse_metrics(text: str, source: str) -> Known:
    """The figures that `text` declares, beside the common ones; one of the same id takes its place.

    Raises:
        BadFile: broken YAML, unknown keys, wrong values.
    """
    found = read_yaml(text, source)
    form = checked(MetricsForm, found)
    mistakes = Mistakes()
    own = {name: _metric(name, one, mistakes) for name, one in form.metrics.items()}
    refuse(mistakes, found)
    return Known({**METRICS, **own}, LABELS | frozenset(form.labels))


def load_metrics(path: Path) -> Known:
    """The figures of a file, with the common ones.

    Raises:
        BadFile: as `parse_metrics`, or the file cannot be read.
    """
    return parse_metrics(read_text(path), str(path))


def _metric(name: str, form: MetricForm, mistakes: Mistakes) -> Metric:
    for key in ("most", "at_least"):
        amount: Amount | None = getattr(form, key)
        if amount is not None and amount.unit:
            mistakes.add(("metrics", name, key), f"{quoted(amount.text)} has a unit", "the number alone")
    most = form.most.number if form.most else 1.0 if form.kind is Kind.SHARE else None
    return Metric(
        name,
        text_of(form.title),
        form.kind,
        form.better,
        form.aggregate or _USUAL.get(form.kind, Aggregate.MEAN),
        form.unit or {Kind.DURATION: "s", Kind.SHARE: "%"}.get(form.kind, ""),
        most,
        form.at_least.number if form.at_least else None,
    )


def parse_calendar(
    text: str, source: str, rules: Mapping[str, Rule], metrics: Mapping[str, Metric] = METRICS
) -> Calendar:
    """The campaigns and holidays that `text` describes, for these rules.

    Raises:
        BadFile: broken YAML, unknown keys, an unknown rule, a threshold that the rule could not have.
    """
    found = read_yaml(text, source)
    form = checked(CalendarForm, found)
    mistakes = Mistakes()
    campaigns = tuple(_campaign(one, n, rules, metrics, mistakes) for n, one in enumerate(form.campaigns))
    names = [one.id for one in campaigns]
    for place, name in enumerate(names):
        if name in names[:place]:
            mistakes.add(("campaigns", place, "id"), f"campaign {name} is there twice", "give each its own id")
    refuse(mistakes, found)
    return Calendar(campaigns, frozenset(form.holidays))


def _campaign(
    form: CampaignForm, place: int, rules: Mapping[str, Rule], metrics: Mapping[str, Metric], mistakes: Mistakes
) -> Campaign:
    at = ("campaigns", place)
    start, end = (moment(getattr(form, key), (*at, key), mistakes) for key in ("start", "end"))
    if end <= start:
        mistakes.add((*at, "end"), "ends before it starts", "end: later than start")
    changes = {}
    for name, one in form.rules.items():
        if name not in rules:
            mistakes.add((*at, "rules", name), f"no rule {quoted(name)}", choose(name, rules))
        else:
            changes[name] = _override(one, (*at, "rules", name), rules[name], metrics, mistakes)
    return Campaign(form.id, text_of(form.title), start, end, changes, form.task_group or "", form.lock_drills)


def _override(form: OverrideForm, at: Place, rule: Rule, metrics: Mapping[str, Metric], mistakes: Mistakes) -> Override:
    """The change of one rule; the changed rule must be as sound as the rule itself."""
    mine = Mistakes()
    levels = None
    if form.threshold is not None:
        single = None if isinstance(form.threshold, dict) else rule.levels[0].tier
        scale = rule_scale(rule, metrics[rule.metric])
        levels = levels_of("threshold", form.threshold, form.recover, single, scale, mine)
        if not mine.found and [one.tier for one in levels] != [one.tier for one in rule.levels]:
            have = ", ".join(str(Tier(one.tier)) for one in rule.levels)
            mine.add(("threshold",), "has other levels than the rule", f"a threshold for {have}")
    elif form.recover is not None:
        mine.add(("recover",), "means nothing without a threshold", "add threshold")
    change = Override(
        levels if not mine.found else None,
        form.min_samples.number if form.min_samples else None,
        parse_duration(form.for_) if form.for_ else None,
    )
    if change.levels:
        condition = str(rule.condition)
        for problem in problems(replace(rule, levels=change.levels), metrics[rule.metric]):
            path = ("threshold", *problem.path[1:]) if problem.path[0] == condition else problem.path
            mine.add(path, problem.reason, problem.remedy)
    mistakes.found += [((*at, *path), reason, remedy) for path, reason, remedy in mine.found]
    return change


def load_calendar(path: Path, rules: Mapping[str, Rule], metrics: Mapping[str, Metric] = METRICS) -> Calendar:
    """The calendar of a file.

    Raises:
        BadFile: as `parse_calendar`, or the file cannot be read.
    """
    return parse_calendar(read_text(path), str(path), rules, metrics)
