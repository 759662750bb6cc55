"""Why a rule is in its state: one sentence with its numbers, in both languages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isinf

from pendulum import DateTime

from domain.durations import elapsed, format_duration
from domain.text import Text
from domain.warning.figures import Kind, Metric, kind_of, show
from domain.warning.judging import Judgement, Want, judge, passes
from domain.warning.reading import Reading
from domain.warning.rule import Condition, Level, Rule, Tier
from domain.warning.standing import Phase, Standing

_TIERS = {Tier.YELLOW: Text("yellow", "黄色"), Tier.RED: Text("red", "红色")}
_OK = Text("ok", "正常")
_NO_DATA = Text("no data, so nobody knows how it stands", "无数据，状态未知")
_SILENT = Text(
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


def explain(rule: Rule, standing: Standing, reading: Reading, metric: Metric) -> Text:
    """Why the rule is in this state at `reading.at`, on the series that was read.

    The state and for how long; the figure, its window, its baseline; what it is measured against, or what is wanting.
    """
    judgement = judge(rule, reading)
    return Text(*(_sentence(rule, standing, reading, metric, judgement, language) for language in ("en", "zh_CN")))


def _sentence(
    rule: Rule, standing: Standing, reading: Reading, metric: Metric, judgement: Judgement, language: str
) -> str:
    state = _state(rule, standing).in_(language).format(**_times(rule, standing, reading, language))
    if reading.value is None:
        template = _GAP if reading.newest is not None else _NEVER
        figures = template.in_(language).format(gap=_span(reading.newest, reading.at))
    else:
        figures = _figures(rule, standing, reading, metric, judgement, language)
    return f"{state}：{figures}。" if language == "zh_CN" else f"{state}: {figures}."


def _state(rule: Rule, standing: Standing) -> Text:
    if standing.silent:
        return _SILENT
    if standing.phase is Phase.FIRING:
        return _WORSENING if standing.worse is not None else _FIRING
    if standing.phase is Phase.PENDING:
        return _DAYS if rule.daily else _PENDING
    return {Phase.RECOVERING: _RECOVERING, Phase.NO_DATA: _NO_DATA}.get(standing.phase, _OK)


def _times(rule: Rule, standing: Standing, reading: Reading, language: str) -> dict[str, str]:
    at = reading.at
    since = standing.worse_since if standing.worse is not None else standing.since
    wanted = rule.keep_firing if standing.phase is Phase.RECOVERING else rule.for_
    return {
        "tier": _TIERS[standing.tier].in_(language) if standing.tier else "",
        "worse": _TIERS[standing.worse].in_(language) if standing.worse else "",
        "firing": _span(standing.firing_since, at),
        "span": _span(standing.since, at),
        "left": format_duration(max(wanted - _gone(since, at), timedelta(0))),
        "bad": str(standing.bad_days),
        "wanted_days": str(rule.consecutive_days),
    }


def _figures(
    rule: Rule, standing: Standing, reading: Reading, metric: Metric, judgement: Judgement, language: str
) -> str:
    kind = kind_of(metric, rule.aggregate, per=rule.per is not None)
    limit = _limit(rule, standing, judgement)
    side = _GOOD if standing.warns else _BAD
    values = {
        "metric": metric.title.in_(language),
        "value": show(reading.value or 0.0, kind),
        "window": "1d" if rule.daily else format_duration(rule.window),
        "events": show(reading.events, Kind.VOLUME),
        "wanted": show(rule.min_samples, Kind.VOLUME),
        "chance": show(judgement.probability or 0.0, Kind.SHARE),
        "against": "",
        "limit": side[rule.condition].in_(language).format(limit=_size(rule, limit, kind, language)),
    }
    if reading.baseline is not None and judgement.measure is not None:
        shown = size_of_change(rule, judgement.measure, kind, language)
        values["against"] = _AGAINST.in_(language).format(baseline=show(reading.baseline, kind), change=shown)
    template = {Want.NO_BASELINE: _NO_BASELINE, Want.FEW: _FEW, Want.CHANCE: _CHANCE}.get(judgement.want, _FIGURE)
    return template.in_(language).format(**values)


def _limit(rule: Rule, standing: Standing, judgement: Judgement) -> float:
    """The recovery of the level that holds; else the threshold of the worst level that is passed, or of the mildest."""
    if standing.warns:
        return next((one.recover for one in rule.levels if one.tier is standing.tier), rule.levels[0].recover)
    figure = judgement.measure
    passed: list[Level] = []
    if figure is not None:
        passed = [one for one in rule.levels if passes(rule.condition, figure, one.threshold)]
    return (passed or list(rule.levels[:1]))[-1].threshold


def _size(rule: Rule, limit: float, kind: Kind, language: str) -> str:
    return size_of_change(rule, limit, kind, language).lstrip("+") if rule.condition.compares else show(limit, kind)


def size_of_change(rule: Rule, measure: float, kind: Kind, language: str) -> str:
    """A change as people read it: `+50 %`, `-10 points`, `+12 s`; out of nothing it is `+∞`."""
    sign = "+" if measure > 0 else ""
    if isinf(measure):
        return f"{sign or '-'}∞"
    if not rule.points:
        return f"{sign}{show(measure, Kind.SHARE)}"
    if kind is Kind.SHARE:
        return f"{sign}{show(measure * 100, Kind.SCORE)} {_POINTS.in_(language)}"
    return f"{sign}{show(measure, kind)}"


def _gone(since: DateTime | None, at: DateTime) -> timedelta:
    return max(elapsed(since, at), timedelta(0)) if since is not None else timedelta(0)


def _span(since: DateTime | None, at: DateTime) -> str:
    return format_duration(_gone(since, at))
