"""Explanation of a rule's state: one sentence with its numbers, in both languages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isinf

from pendulum import DateTime

from domain.durations import elapsed, format_duration
from domain.text import Text
from domain.warning.judgement import Judgement, MissingEvidence, judge_reading, passes_limit
from domain.warning.metrics import Metric, MetricKind, aggregate_kind, format_metric
from domain.warning.reading import RuleReading
from domain.warning.rule import Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState

_TIERS = {Tier.YELLOW: Text("yellow", "黄色"), Tier.RED: Text("red", "红色")}
_OK = Text("ok", "正常")
_NO_DATA = Text("no data, so nobody knows how it stands", "无数据，状态未知")
_FIRING_NO_DATA = Text(
    "firing {tier} for {firing}; its figures have stopped, and silence ends nothing",
    "{tier}预警已持续{firing}；数据中断，预警不因此解除",
)
_FIRING = Text("firing {tier} for {firing}", "{tier}预警已持续{firing}")
_WORSENING = Text(
    "firing {tier} for {firing}, {worse} in {left} if it stays so",
    "{tier}预警已持续{firing}，若不好转{left}后升级为{worse}",
)
_RECOVERING = Text("recovering for {span}, over in {left} if it stays good", "已恢复{span}，若保持{left}后解除")
_PENDING = Text(
    "pending for {span}, fires {tier} in {left} if it stays so", "待定{span}，若不好转{left}后触发{tier}预警"
)
_DAYS = Text("{bad} of {wanted_days} bad days in a row", "已连续{bad}天超标，满{wanted_days}天触发")

_NEVER = Text("there has never been a sample", "从未收到数据")
_GAP = Text("no sample for {gap}", "已有{gap}未收到数据")
_NO_BASELINE = Text(
    "{metric} is {value} in {window}, and there is no baseline to compare with",
    "{window}内{metric}为{value}，暂无可比基线",
)
_FEW = Text(
    "{metric} is {value} in {window}, but only {events} events stand behind it where {wanted} are wanted",
    "{window}内{metric}为{value}，但样本只有{events}个，至少需要{wanted}个",
)
_CHANCE = Text(
    "{metric} is {value} in {window}{against}, but so much comes by chance {chance} of the time",
    "{window}内{metric}为{value}{against}，但偶然出现的概率为{chance}",
)
_FIGURE = Text("{metric} is {value} in {window}{against}, {limit}", "{window}内{metric}为{value}{against}，{limit}")
_AGAINST = Text(" against {baseline} ({change})", "，基线{baseline}（{change}）")

# What the figure is measured against: the threshold of what is not yet a warning, the recovery of what is one.
_BAD: Mapping[Condition, Text] = {
    Condition.ABOVE: Text("bad above {limit}", "高于{limit}为异常"),
    Condition.BELOW: Text("bad below {limit}", "低于{limit}为异常"),
    Condition.CHANGE_ABOVE: Text("bad from {limit} up", "上升{limit}及以上为异常"),
    Condition.CHANGE_BELOW: Text("bad from {limit} down", "下降{limit}及以上为异常"),
    Condition.CHANGE_EITHER: Text("bad from {limit} up or down", "上升或下降{limit}及以上为异常"),
}
_GOOD: Mapping[Condition, Text] = {
    Condition.ABOVE: Text("good again at {limit} or less", "不高于{limit}为恢复"),
    Condition.BELOW: Text("good again at {limit} or more", "不低于{limit}为恢复"),
    Condition.CHANGE_ABOVE: Text("good again under {limit} up", "上升不足{limit}为恢复"),
    Condition.CHANGE_BELOW: Text("good again under {limit} down", "下降不足{limit}为恢复"),
    Condition.CHANGE_EITHER: Text("good again within {limit}", "变化不足{limit}为恢复"),
}
_POINTS = Text("points", "个百分点")


def explain_state(rule: Rule, rule_state: RuleState, reading: RuleReading, metric: Metric) -> Text:
    """Explain why the rule is in this state at `reading.at`, on the series that was read.

    The state and for how long; the figure, its window, its baseline; what it is measured against, or what is
    missing.
    """
    judgement = judge_reading(rule, reading)
    return Text(*(_sentence(rule, rule_state, reading, metric, judgement, language) for language in ("en", "zh_CN")))


def _sentence(
    rule: Rule, rule_state: RuleState, reading: RuleReading, metric: Metric, judgement: Judgement, language: str
) -> str:
    state = _state(rule, rule_state).in_(language).format(**_times(rule, rule_state, reading, language))
    if reading.value is None:
        template = _GAP if reading.newest is not None else _NEVER
        figures = template.in_(language).format(gap=_span(reading.newest, reading.at))
    else:
        figures = _figures(rule, rule_state, reading, metric, judgement, language)
    return f"{state}：{figures}。" if language == "zh_CN" else f"{state}: {figures}."


def _state(rule: Rule, rule_state: RuleState) -> Text:
    if rule_state.silent:
        return _FIRING_NO_DATA
    if rule_state.phase is RulePhase.FIRING:
        return _WORSENING if rule_state.worse is not None else _FIRING
    if rule_state.phase is RulePhase.PENDING:
        return _DAYS if rule.daily else _PENDING
    return {RulePhase.RECOVERING: _RECOVERING, RulePhase.NO_DATA: _NO_DATA}.get(rule_state.phase, _OK)


def _times(rule: Rule, rule_state: RuleState, reading: RuleReading, language: str) -> dict[str, str]:
    at = reading.at
    since = rule_state.worse_since if rule_state.worse is not None else rule_state.since
    wanted = rule.keep_firing if rule_state.phase is RulePhase.RECOVERING else rule.for_
    return {
        "tier": _TIERS[rule_state.tier].in_(language) if rule_state.tier else "",
        "worse": _TIERS[rule_state.worse].in_(language) if rule_state.worse else "",
        "firing": _span(rule_state.firing_since, at),
        "span": _span(rule_state.since, at),
        "left": format_duration(max(wanted - _gone(since, at), timedelta(0))),
        "bad": str(rule_state.bad_days),
        "wanted_days": str(rule.consecutive_days),
    }


def _figures(
    rule: Rule, rule_state: RuleState, reading: RuleReading, metric: Metric, judgement: Judgement, language: str
) -> str:
    kind = aggregate_kind(metric, rule.aggregate, per=rule.per is not None)
    limit = _limit(rule, rule_state, judgement)
    side = _GOOD if rule_state.warns else _BAD
    values = {
        "metric": metric.title.in_(language),
        "value": format_metric(reading.value or 0.0, kind),
        "window": "1d" if rule.daily else format_duration(rule.window),
        "events": format_metric(reading.events, MetricKind.VOLUME),
        "wanted": format_metric(rule.min_samples, MetricKind.VOLUME),
        "chance": format_metric(judgement.probability or 0.0, MetricKind.SHARE),
        "against": "",
        "limit": side[rule.condition].in_(language).format(limit=_size(rule, limit, kind, language)),
    }
    if reading.baseline is not None and judgement.measure is not None:
        shown = format_change(rule, judgement.measure, kind, language)
        values["against"] = _AGAINST.in_(language).format(baseline=format_metric(reading.baseline, kind), change=shown)
    template = {
        MissingEvidence.NO_BASELINE: _NO_BASELINE,
        MissingEvidence.FEW: _FEW,
        MissingEvidence.CHANCE: _CHANCE,
    }.get(judgement.want, _FIGURE)
    return template.in_(language).format(**values)


def _limit(rule: Rule, rule_state: RuleState, judgement: Judgement) -> float:
    """The recovery of the level that holds; else the threshold of the worst level that is passed, or of the mildest."""
    if rule_state.warns:
        return next((one.recover for one in rule.levels if one.tier is rule_state.tier), rule.levels[0].recover)
    figure = judgement.measure
    passed: list[ThresholdLevel] = []
    if figure is not None:
        passed = [one for one in rule.levels if passes_limit(rule.condition, figure, one.threshold)]
    return (passed or list(rule.levels[:1]))[-1].threshold


def _size(rule: Rule, limit: float, kind: MetricKind, language: str) -> str:
    return (
        format_change(rule, limit, kind, language).lstrip("+")
        if rule.condition.compares
        else format_metric(limit, kind)
    )


def format_change(rule: Rule, measure: float, kind: MetricKind, language: str) -> str:
    """Format a change for people: `+50 %`, `-10 points`, `+12 s`; out of nothing it is `+∞`."""
    sign = "+" if measure > 0 else ""
    if isinf(measure):
        return f"{sign or '-'}∞"
    if not rule.points:
        return f"{sign}{format_metric(measure, MetricKind.SHARE)}"
    if kind is MetricKind.SHARE:
        return f"{sign}{format_metric(measure * 100, MetricKind.SCORE)} {_POINTS.in_(language)}"
    return f"{sign}{format_metric(measure, kind)}"


def _gone(since: DateTime | None, at: DateTime) -> timedelta:
    return max(elapsed(since, at), timedelta(0)) if since is not None else timedelta(0)


def _span(since: DateTime | None, at: DateTime) -> str:
    return format_duration(_gone(since, at))
