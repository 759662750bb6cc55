"""Metrics of customer service by name: unit, which way is better, the usual aggregate.

Values are kept in base units: seconds, shares from 0 to 1, counts of events. People read and write `30s`,
`85%`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from domain.text import Text
from domain.warning.rule import Aggregate


class MetricKind(StrEnum):
    """The kind of a metric: which thresholds and aggregates apply to it."""

    DURATION = "duration"  # seconds
    SHARE = "share"  # 0 to 1, written and read in percent
    VOLUME = "volume"  # events since the last sample; adding up makes sense
    SCORE = "score"  # points of a scale
    GAUGE = "gauge"  # how much there is at a moment


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric.

    `most` is the largest value that makes sense (1 for a true share), for catching `85` where `85%` was meant.
    `at_least` belongs to the aggregate `share`: the values that count.
    """

    id: str
    title: Text
    kind: MetricKind
    better: Literal["up", "down"]
    aggregate: Aggregate
    unit: str = ""  # for people: s, %, contacts, points
    most: float | None = None
    at_least: float | None = None


def _metric(  # noqa: PLR0913, PLR0917 - a table's columns
    name: str, en: str, zh: str, kind: MetricKind, better: Literal["up", "down"], aggregate: Aggregate, unit: str = "",
    most: float | None = None, at_least: float | None = None,
) -> Metric:  # fmt: skip
    units = {MetricKind.DURATION: "s", MetricKind.SHARE: "%"}
    return Metric(name, Text(en, zh), kind, better, aggregate, unit or units.get(kind, ""), most, at_least)


_D, _S, _V, _P, _G = MetricKind.DURATION, MetricKind.SHARE, MetricKind.VOLUME, MetricKind.SCORE, MetricKind.GAUGE
_MEAN, _SUM, _LAST = Aggregate.MEAN, Aggregate.SUM, Aggregate.LAST
_ALL = (
    _metric("response_time", "Response time", "响应时长", _D, "down", _MEAN),
    _metric("frt", "First response time (FRT)", "首次响应时长", _D, "down", _MEAN),
    _metric("aht", "Average handle time (AHT)", "平均处理时长", _D, "down", _MEAN),
    _metric("resolution_time", "Time to resolve", "解决时长", _D, "down", _MEAN),
    _metric("wait_time", "Waiting time in the queue", "排队等待时长", _D, "down", _MEAN),
    _metric("latency", "Latency of the service", "系统延迟", _D, "down", Aggregate.P95),
    _metric("fcr", "First contact resolution (FCR)", "首次解决率", _S, "up", _MEAN, most=1),
    _metric("csat", "Satisfaction (CSAT), of 5", "客户满意度", _P, "up", Aggregate.SHARE, "of 5", 5, 4),
    _metric("nps", "Net promoter score (NPS)", "净推荐值", _P, "up", _MEAN, "points", 100),
    _metric("complaints", "Complaints", "投诉量", _V, "down", _SUM, "complaints"),
    _metric("contacts", "Contacts", "咨询量", _V, "up", _SUM, "contacts"),
    _metric("complaint_rate", "Complaint rate", "投诉率", _S, "down", _MEAN, most=1),
    _metric("second_complaints", "Second complaints", "重复投诉量", _V, "down", _SUM, "complaints"),
    _metric("attainment", "Service-level attainment", "服务水平达成率", _S, "up", _MEAN, most=1),
    _metric("abandonment", "Abandonment", "放弃率", _S, "down", _MEAN, most=1),
    _metric("backlog", "Backlog", "积压量", _G, "down", _LAST, "contacts"),
    _metric("availability", "Availability", "可用率", _S, "up", _MEAN, most=1),
    _metric("error_rate", "Error rate", "错误率", _S, "down", _MEAN, most=1),
    _metric("throughput", "Throughput", "吞吐量", _V, "up", Aggregate.RATE, "a minute"),
    _metric("saturation", "Saturation", "饱和度", _S, "down", _LAST),
    _metric("agents", "Agents on duty", "在岗坐席数", _G, "up", _LAST, "agents"),
    _metric("repeat_enquiries", "Repeat enquiries", "重复咨询率", _S, "down", _MEAN, most=1),
    _metric("self_service", "Self-service share", "自助解决率", _S, "up", _MEAN, most=1),
    # By level of handling (label `level`): the share closed within its time, 90 % of level 1 in 15 minutes.
    _metric("level_attainment", "Closed within the time of its level", "分级处理及时率", _S, "up", _MEAN, most=1),
    _metric("conversion", "Enquiry conversion", "咨询转化率", _S, "up", _MEAN, most=1),
    _metric("churn", "Customers lost", "流失客户量", _V, "down", _SUM, "customers"),
    _metric("mentions", "Public mentions", "舆情提及量", _V, "down", _SUM, "mentions"),
    _metric("negative_mentions", "Negative public mentions", "负面舆情量", _V, "down", _SUM, "mentions"),
    _metric("conversations", "Conversations read", "已分析会话量", _V, "up", _SUM, "conversations"),
    _metric("negative_share", "Share of negative conversations", "负面情绪占比", _S, "down", _MEAN, most=1),
    _metric("sensitive_words", "Conversations, sensitive word", "敏感词会话量", _V, "down", _SUM, "conversations"),
    _metric("red_words", "Conversations, red word", "红色敏感词会话量", _V, "down", _SUM, "conversations"),
    # The forecast's worst of the next two hours, as a share of what capacity or the complaint threshold allows.
    _metric("risk_ahead", "Risk ahead, of what can be borne", "前瞻风险", _S, "down", _LAST),
)  # fmt: skip
METRICS: Mapping[str, Metric] = {metric.id: metric for metric in _ALL}

# Labels that figures of customer service commonly carry. Others are declared beside the installation's own metrics.
LABELS = frozenset({
    "agent", "carrier", "category", "channel", "city", "country", "endpoint", "host", "instance", "job", "language",
    "level", "mood", "platform", "product", "queue", "region", "service", "site", "skill", "source", "store", "team",
    "tier", "word",
})  # fmt: skip


def aggregate_kind(metric: Metric, aggregate: Aggregate, *, per: bool = False) -> MetricKind:
    """Return the kind of a metric's aggregate: a share of scores is a share, a count of durations a volume."""
    if aggregate is Aggregate.SHARE or per:
        return MetricKind.SHARE
    if aggregate in (Aggregate.COUNT, Aggregate.RATE):
        return MetricKind.VOLUME
    return metric.kind


def format_metric(figure: float, kind: MetricKind) -> str:
    """Format a figure for people: `30 s`, `250 ms`, `85 %`, `1,250`."""
    if kind is MetricKind.SHARE:
        return f"{_short(figure * 100, 2)} %"  # 99.95 % is not 100 %
    if kind is MetricKind.DURATION:
        return f"{_short(figure * 1000)} ms" if 0 < abs(figure) < 1 else f"{_short(figure)} s"
    return _short(figure)


def _short(number: float, decimals: int | None = None) -> str:
    """Two decimals below ten, one below a thousand, none above; no zeros at the end."""
    if decimals is None:
        decimals = 2 if abs(number) < 10 else 1 if abs(number) < 1000 else 0  # noqa: PLR2004 - said above
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
