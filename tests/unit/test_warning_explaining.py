"""Why a rule is in its state: the sentence that people read, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import Text
from domain.warning.explanation import explain_state
from domain.warning.metrics import METRICS, MetricKind, aggregate_kind, format_metric
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState

AT = pendulum.datetime(2026, 3, 2, 10)
SLOW = Rule(
    "tier-1", Text("T"), "response_time", Aggregate.MEAN, timedelta(minutes=2), Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 30, 25), ThresholdLevel(Tier.RED, 60, 50)),
    min_samples=20, for_=timedelta(minutes=1), keep_firing=timedelta(minutes=2),
)  # fmt: skip
SURGE = Rule(
    "surge",
    Text("S"),
    "complaints",
    Aggregate.SUM,
    timedelta(minutes=10),
    Condition.CHANGE_ABOVE,
    (ThresholdLevel(Tier.YELLOW, 0.5, 0.25), ThresholdLevel(Tier.RED, 1.0, 0.75)),
    baseline=Baseline(),
    significance=0.05,
)
CSAT = Rule(
    "tier-2", Text("C"), "csat", Aggregate.SHARE, timedelta(minutes=30), Condition.BELOW,
    (ThresholdLevel(Tier.YELLOW, 0.85, 0.87),), at_least=4,
)  # fmt: skip
POINTS = replace(
    SURGE, metric="attainment", aggregate=Aggregate.MEAN, condition=Condition.CHANGE_BELOW, points=True,
    levels=(ThresholdLevel(Tier.YELLOW, 0.1, 0.05),), significance=None,
)  # fmt: skip


def ago(**span: int) -> pendulum.DateTime:
    return AT.subtract(**span)


def reading(value: float | None, events: float = 100, baseline: float | None = None, behind: float = 0) -> RuleReading:
    return RuleReading(AT, value, events, baseline, behind, AT if value is not None else ago(minutes=7))


FIRING = RuleState(RulePhase.FIRING, ago(minutes=5), Tier.YELLOW, ago(minutes=5))
TABLE: list[tuple[str, Rule, RuleState, RuleReading, str, str]] = [
    ("ok", SLOW, RuleState(), reading(22.44),
     "ok: Response time is 22.4 s in 2m, bad above 30 s.", "正常：2m内响应时长为22.4 s，高于30 s为异常。"),
    ("pending", SLOW, RuleState(RulePhase.PENDING, ago(seconds=40), Tier.YELLOW), reading(33),
     "pending for 40s, fires yellow in 20s if it stays so: Response time is 33 s in 2m, bad above 30 s.",
     "待定40s，若不好转20s后触发黄色预警：2m内响应时长为33 s，高于30 s为异常。"),
    ("firing", SLOW, FIRING, reading(28),
     "firing yellow for 5m: Response time is 28 s in 2m, good again at 25 s or less.",
     "黄色预警已持续5m：2m内响应时长为28 s，不高于25 s为恢复。"),
    ("worsening", SLOW, replace(FIRING, worse=Tier.RED, worse_since=ago(seconds=20)), reading(61),
     "firing yellow for 5m, red in 40s if it stays so: Response time is 61 s in 2m, good again at 25 s or less.",
     "黄色预警已持续5m，若不好转40s后升级为红色：2m内响应时长为61 s，不高于25 s为恢复。"),
    ("recovering", SLOW, RuleState(RulePhase.RECOVERING, ago(seconds=30), Tier.RED, ago(minutes=9)), reading(20),
     "recovering for 30s, over in 1m30s if it stays good: Response time is 20 s in 2m, good again at 50 s or less.",
     "已恢复30s，若保持1m30s后解除：2m内响应时长为20 s，不高于50 s为恢复。"),
    ("silent", SLOW, replace(FIRING, silent=True), reading(None),
     "firing yellow for 5m; its figures have stopped, and silence ends nothing: no sample for 7m.",
     "黄色预警已持续5m；数据中断，预警不因此解除：已有7m未收到数据。"),
    ("no data", SLOW, RuleState(RulePhase.NO_DATA, ago(minutes=2)), RuleReading(AT, None),
     "no data, so nobody knows how it stands: there has never been a sample.", "无数据，状态未知：从未收到数据。"),
    ("few", SLOW, RuleState(), reading(90, 3),
     "ok: Response time is 90 s in 2m, but only 3 events stand behind it where 20 are wanted.",
     "正常：2m内响应时长为90 s，但样本只有3个，至少需要20个。"),
    ("chance", SURGE, RuleState(), reading(3, 3, 2, 2),
     "ok: Complaints is 3 in 10m against 2 (+50 %), but so much comes by chance 50 % of the time.",
     "正常：10m内投诉量为3，基线2（+50 %），但偶然出现的概率为50 %。"),
    ("a change", SURGE, replace(FIRING, tier=Tier.RED), reading(90, 90, 40, 40),
     "firing red for 5m: Complaints is 90 in 10m against 40 (+125 %), good again under 75 % up.",
     "红色预警已持续5m：10m内投诉量为90，基线40（+125 %），上升不足75 %为恢复。"),
    ("out of nothing", SURGE, FIRING, reading(9, 9, 0, 0),
     "firing yellow for 5m: Complaints is 9 in 10m against 0 (+∞), good again under 25 % up.",
     "黄色预警已持续5m：10m内投诉量为9，基线0（+∞），上升不足25 %为恢复。"),
    ("no baseline", SURGE, RuleState(), reading(9),
     "ok: Complaints is 9 in 10m, and there is no baseline to compare with.", "正常：10m内投诉量为9，暂无可比基线。"),
    ("points", POINTS, FIRING, reading(0.68, 100, 0.8, 100),
     "firing yellow for 5m: Service-level attainment is 68 % in 10m against 80 % (-12 points), "
     "good again under 5 points down.",
     "黄色预警已持续5m：10m内服务水平达成率为68 %，基线80 %（-12 个百分点），下降不足5 个百分点为恢复。"),
    ("a share of scores", CSAT, RuleState(), reading(0.912),
     "ok: Satisfaction (CSAT), of 5 is 91.2 % in 30m, bad below 85 %.",
     "正常：30m内客户满意度为91.2 %，低于85 %为异常。"),
    ("days", replace(SLOW, consecutive_days=3, levels=SLOW.levels[:1]),
     RuleState(RulePhase.PENDING, ago(hours=30), Tier.YELLOW, bad_days=2, last_day="2026-03-01"), reading(33),
     "2 of 3 bad days in a row: Response time is 33 s in 1d, bad above 30 s.",
     "已连续2天超标，满3天触发：1d内响应时长为33 s，高于30 s为异常。"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "rule", "standing", "seen", "english", "chinese"), TABLE, ids=[row[0] for row in TABLE]
)
def test_the_sentence(
    says: str, rule: Rule, standing: RuleState, seen: RuleReading, english: str, chinese: str
) -> None:
    assert explain_state(rule, standing, seen, METRICS[rule.metric]) == Text(english, chinese)


@pytest.mark.parametrize(
    ("figure", "kind", "shown"),
    [
        (30, MetricKind.DURATION, "30 s"), (0.25, MetricKind.DURATION, "250 ms"), (0, MetricKind.DURATION, "0 s"),
        (0.012, MetricKind.SHARE, "1.2 %"), (1, MetricKind.SHARE, "100 %"), (0.9995, MetricKind.SHARE, "99.95 %"),
        (1250000, MetricKind.VOLUME, "1,250,000"), (100, MetricKind.VOLUME, "100"), (-4.25, MetricKind.SCORE, "-4.25"),
    ],
)  # fmt: skip
def test_figures_are_short(figure: float, kind: MetricKind, shown: str) -> None:
    assert format_metric(figure, kind) == shown


def test_what_an_aggregate_makes_of_a_figure() -> None:
    assert aggregate_kind(METRICS["csat"], Aggregate.SHARE) is MetricKind.SHARE
    assert aggregate_kind(METRICS["complaints"], Aggregate.SHARE, per=True) is MetricKind.SHARE
    assert aggregate_kind(METRICS["aht"], Aggregate.COUNT) is MetricKind.VOLUME
    assert aggregate_kind(METRICS["aht"], Aggregate.P95) is MetricKind.DURATION


def test_every_metric_has_both_titles() -> None:
    for metric in METRICS.values():
        assert metric.title.en.isascii()
        assert any("\u4e00" <= char <= "\u9fff" for char in metric.title.zh), metric.id


values = st.none() | st.floats(-1e9, 1e9)


@given(st.sampled_from([SLOW, SURGE, CSAT, POINTS]), st.sampled_from(list(RulePhase)), values, values, st.booleans())
def test_every_state_has_a_sentence(rule: Rule, phase: RulePhase, value: Any, baseline: Any, silent: bool) -> None:
    standing = RuleState(phase, ago(minutes=1), Tier.RED, ago(minutes=2), silent=silent)
    said = explain_state(rule, standing, RuleReading(AT, value, 10, baseline, 10, None), METRICS[rule.metric])
    assert said.en.endswith(".")
    assert said.zh.endswith("。")
    assert "{" not in said.en + said.zh
