"""The rules that ship: what was promised, in both languages, each held by the tests in its file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import playbooks
from domain.text import Text
from domain.warning.metrics import METRICS, MetricKind
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, RuleStart, ThresholdLevel, Tier
from domain.warning.rule_checks import check_rule
from domain.warning.rule_trial import RuleTrial, find_trial_failures
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import parse_roster
from playbooks.rule_document import to_document
from playbooks.rule_loader import RuleVocabulary, load_rule, parse_rule, rule_json_schema
from playbooks.rulebook import SHIPPED, Rulebook
from storage.samples.rollups import ROLLUP_RETENTION

BOOK = Rulebook(playbooks=lambda: [playbook.id for playbook in PlaybookLibrary().all()])
FILES = {path.stem: load_rule(path) for path in sorted(SHIPPED.glob("*.yaml"))}
TRIALS = [(name, trial) for name, file in FILES.items() for trial in file.trials]
RULE_SCHEMA = rule_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(RULE_SCHEMA)
SCHEMA = Path(playbooks.__file__).parent / "schema" / "rule.schema.json"
SAMPLE = Path(playbooks.__file__).parent / "sample" / "roster.yaml"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
YELLOW, RED = Tier.YELLOW, Tier.RED


def test_every_file_is_in_force_under_its_own_name() -> None:
    assert BOOK.findings() == []
    assert {rule.id for rule in BOOK.all()} == set(FILES)
    assert all(file.rule.id == name for name, file in FILES.items())


@pytest.mark.parametrize(("name", "trial"), TRIALS, ids=[f"{name}: {trial.name}" for name, trial in TRIALS])
def test_the_tests_of_the_files_pass(name: str, trial: RuleTrial) -> None:
    assert find_trial_failures(FILES[name].rule, trial) == []


@pytest.mark.parametrize("name", FILES)
def test_every_rule_has_a_test_that_fires_and_one_that_does_not(name: str) -> None:
    trials = FILES[name].trials
    assert any(one.phase == "firing" for trial in trials for one in trial.expect)
    assert any(trial.never_fires for trial in trials)


@pytest.mark.parametrize("name", FILES)
def test_a_rule_that_never_fires_or_always_would_fail_its_tests(name: str) -> None:
    """The tests of a file can fail: with its thresholds out of reach, and with them met by anything."""
    rule = FILES[name].rule
    far, near = (1e9, -1e9) if rule.condition is not Condition.BELOW else (-1e9, 1e9)
    deaf = replace(rule, levels=tuple(replace(level, threshold=far, recover=far) for level in rule.levels))
    keen = replace(
        rule, significance=None, min_samples=0, for_=timedelta(0),
        levels=tuple(replace(level, threshold=near, recover=near) for level in rule.levels),
    )  # fmt: skip
    for other in (deaf, keen):
        assert any(find_trial_failures(other, trial) for trial in FILES[name].trials)


@pytest.mark.parametrize("name", FILES)
def test_every_rule_is_told_in_both_languages_and_owned_by_a_role_of_the_sample(name: str) -> None:
    rule = FILES[name].rule
    for text in (rule.title, rule.summary):
        assert text.en.isascii()
        assert any("\u4e00" <= char <= "\u9fff" for char in text.zh)
    assert rule.owner in parse_roster(SAMPLE.read_text(encoding="utf-8"), "roster.yaml").roles


def of(name: str) -> Rule:
    return BOOK.get(name)


def test_the_three_tiers_are_as_promised() -> None:
    one, two, three = of("tier-1-response-time"), of("tier-2-satisfaction"), of("tier-3-complaints")
    assert (one.metric, one.condition, one.levels[0].threshold, one.owner) == (
        "response_time", Condition.ABOVE, 30, "workforce-manager",
    )  # fmt: skip
    assert one.starts == RuleStart("standby-agents")
    assert (two.metric, two.at_least, two.condition, two.levels[0].threshold) == ("csat", 4, Condition.BELOW, 0.85)
    assert two.starts == RuleStart("process-retrospective")
    assert (three.metric, three.condition, three.levels[0].threshold) == ("complaints", Condition.CHANGE_ABOVE, 0.5)
    assert three.starts == RuleStart("executive-intervention", "incident", "critical")
    assert three.baseline is not None
    assert three.baseline.kind == "same-hours"
    assert "tier-1-response-time" in three.inhibits
    assert three.by == one.by == ("service",)
    assert [rule.tier for rule in (one, two, three)] == [1, 2, 3]


def test_surge_and_tier_3_look_at_different_windows() -> None:
    surge = of("complaint-surge")
    assert surge.window == 10 * MINUTE
    assert of("tier-3-complaints").window == HOUR
    assert [(level.tier, level.threshold) for level in surge.levels] == [(YELLOW, 0.5), (RED, 1.0)]


def test_the_strict_profile_is_as_promised() -> None:
    complaints, attainment = of("strict-complaints"), of("strict-attainment")
    assert [(level.tier, level.threshold) for level in complaints.levels] == [(RED, 0.2)]
    assert (attainment.points, attainment.condition) == (True, Condition.CHANGE_BELOW)
    assert [(level.tier, level.threshold) for level in attainment.levels] == [(YELLOW, 0.1)]
    assert attainment.starts == RuleStart("reallocate-resources")
    assert {complaints.profile, attainment.profile} == {"strict"}


def test_slow_first_response_and_the_complaint_rate_are_as_promised() -> None:
    slow, rate = of("slow-first-response"), of("watch-complaint-rate")
    assert (slow.metric, slow.levels[0].threshold, slow.consecutive_days) == ("frt", 45, 3)
    assert (rate.metric, rate.per, rate.levels[0].threshold) == ("complaints", "contacts", 0.012)


def test_eleven_service_figures_are_watched() -> None:
    watched = [rule for rule in BOOK.all() if rule.id.startswith("watch-")]
    assert len(watched) == 11
    assert {rule.owner for rule in watched} == {"service-quality-manager"}
    assert {rule.metric for rule in watched} == {
        "complaints", "aht", "fcr", "csat", "nps", "attainment", "abandonment", "backlog", "availability", "latency",
        "error_rate",
    }  # fmt: skip


def test_topics_words_mentions_and_the_forecast_have_their_rules() -> None:
    assert of("hot-topic").by == ("category",)
    assert of("risk-ahead").metric == "risk_ahead"
    assert of("red-words").levels == (ThresholdLevel(RED, 0, 0),)
    assert of("red-words").for_ == timedelta(0)
    assert {of(name).metric for name in ("sensitive-words", "negative-mood", "public-mentions")} == {
        "sensitive_words", "negative_share", "negative_mentions",
    }  # fmt: skip


def test_no_warning_that_looks_at_evidence_trusts_a_handful() -> None:
    for rule in BOOK.all():
        if rule.aggregate not in (Aggregate.LAST, Aggregate.SUM) and rule.metric != "availability":
            assert rule.min_samples >= 20, rule.id


# --- documents and the schema


def words(rule: Rule) -> str:
    return json.dumps(to_document(rule, METRICS[rule.metric]), ensure_ascii=False)


def read_back(rule: Rule) -> Rule:
    return parse_rule(words(rule), "r.json", RuleVocabulary(playbooks=None)).rule


@pytest.mark.parametrize("name", FILES)
def test_a_rule_written_down_reads_back_as_itself(name: str) -> None:
    assert read_back(FILES[name].rule) == FILES[name].rule


spans = st.sampled_from([timedelta(0), timedelta(seconds=10), 5 * MINUTE, HOUR])
names = st.lists(st.sampled_from(["service", "queue", "category"]), unique=True, max_size=3).map(tuple)


@given(
    st.sampled_from(["complaints", "attainment", "response_time", "backlog", "nps"]),
    st.sampled_from(list(Condition)), st.sampled_from([0.1, 0.25, 0.9, 1.0, 0.333]), st.booleans(), st.booleans(),
    st.tuples(spans, spans), names,
)  # fmt: skip
def test_any_sound_rule_reads_back_as_itself_and_obeys_the_schema(
    metric: str, condition: Condition, limit: float, two: bool, points: bool, spans: tuple[Any, Any], by: Any,
) -> None:  # fmt: skip
    changes = condition.compares
    mild = limit / 2 if condition is not Condition.BELOW else limit * 1.5
    levels = (
        (ThresholdLevel(YELLOW, mild, mild), ThresholdLevel(RED, limit, limit))
        if two
        else (ThresholdLevel(RED, limit, limit),)
    )
    rule = Rule(
        "r", Text("R", "规则"), metric, METRICS[metric].aggregate, HOUR, condition, levels,
        by=by, for_=spans[0], quiet=spans[1], points=points and changes,
        baseline=Baseline("same-hours", min_weeks=1) if changes else None,
    )  # fmt: skip
    if check_rule(rule, METRICS[metric]) or (METRICS[metric].kind is MetricKind.SHARE and mild > 1):
        return
    back = read_back(rule)
    assert [level.threshold for level in back.levels] == pytest.approx([level.threshold for level in levels])
    assert replace(back, levels=levels) == rule
    VALIDATOR.validate(json.loads(words(rule)))


def test_history_reaches_as_far_back_as_the_shipped_rules_look() -> None:
    for path in SHIPPED.glob("*.yaml"):
        rule = of(path.stem)
        if rule.baseline is not None and rule.baseline.kind == "same-hours":
            assert timedelta(weeks=rule.baseline.weeks) + rule.window < ROLLUP_RETENTION, path.stem


def test_the_shipped_schema_is_the_one_of_the_models() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == RULE_SCHEMA, "write it anew: see docs/rules.md"


def test_the_schema_takes_what_ships_and_refuses_what_the_loader_refuses() -> None:
    from playbooks.yaml_source import read_yaml

    for path in SHIPPED.glob("*.yaml"):
        VALIDATOR.validate(read_yaml(path.read_text(encoding="utf-8"), path.name).data)
    good = json.loads(words(of("tier-1-response-time")))
    for broken in ({"above": "2*15"}, {"above": {"orange": 3}}, {"window": "soon"}, {"treshold": 3}, {"tier": 4}):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate({**good, **broken})
