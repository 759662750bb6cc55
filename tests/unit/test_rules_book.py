"""Rules, figures of the installation and campaigns come into force as they are saved; a broken file changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pendulum
import pytest

from domain.warning.calendar import Campaign, CampaignOverride, rule_at
from domain.warning.metrics import METRICS, MetricKind
from domain.warning.rule import Aggregate, ThresholdLevel, Tier
from playbooks.errors import BadFile, FileFinding
from playbooks.rule_loader import RuleVocabulary, parse_rule
from playbooks.rule_vocabulary import parse_calendar, parse_metrics
from playbooks.rulebook import Rulebook, UnknownRule

MINE = "id: {id}\ntitle: Mine\nmetric: {metric}\nwindow: 5m\nabove: {above}\nprofile: {profile}\n"


class Seconds:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self) -> None:
        self.now += 1.0


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def book(tmp_path: Path, seconds: Seconds) -> Rulebook:
    (tmp_path / "rules").mkdir()
    return Rulebook(tmp_path, clock=seconds)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, text: str = "", **values: str) -> Path:
        path = tmp_path / name
        known = {"id": "mine", "metric": "backlog", "above": "5", "profile": "every", **values}
        path.write_text(text or MINE.format(**known), encoding="utf-8")
        return path

    return write


def threshold(book: Rulebook, name: str = "mine") -> float:
    return book.get(name).levels[0].threshold


def said(book: Rulebook) -> list[str]:
    return [f"{Path(finding.file).name}:{finding.line}: {finding.field}" for finding in book.findings()]


def test_a_file_of_the_home_adds_or_replaces_and_gives_way_when_removed(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    shipped = len(Rulebook().all())
    save("rules/mine.yaml")
    path = save("rules/other.yml", id="tier-1-response-time", metric="response_time", above="40s")
    seconds.pass_()
    assert len(book.all()) == shipped + 1
    assert threshold(book, "tier-1-response-time") == 40
    path.unlink()
    seconds.pass_()
    assert threshold(book, "tier-1-response-time") == 30


def test_a_broken_file_leaves_the_good_version_in_force_and_is_told(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    save("rules/mine.yaml")
    assert threshold(book) == 5
    save("rules/mine.yaml", above="__import__('os')")
    seconds.pass_()
    assert threshold(book) == 5
    assert said(book) == ["mine.yaml:5: above"]
    save("rules/mine.yaml", above="7")
    seconds.pass_()
    assert threshold(book) == 7
    assert said(book) == []


def test_one_id_in_two_files_is_told_and_the_first_counts(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    save("rules/a.yaml")
    save("rules/b.yaml", above="9")
    seconds.pass_()
    assert threshold(book) == 5
    assert said(book) == ["b.yaml:None: id"]


def test_the_disk_is_looked_at_once_a_second(book: Rulebook, save: Callable[..., Path], seconds: Seconds) -> None:
    book.all()
    save("rules/mine.yaml")
    with pytest.raises(UnknownRule, match="no rule 'mine'"):
        book.get("mine")
    seconds.pass_()
    assert threshold(book) == 5


def test_an_unknown_rule_suggests_what_was_meant() -> None:
    with pytest.raises(UnknownRule) as caught:
        Rulebook().get("tier-1-respons-time")
    assert str(caught.value) == "no rule 'tier-1-respons-time': did you mean tier-1-response-time?"


def test_a_profile_takes_its_own_rules_and_those_of_every_profile(book: Rulebook) -> None:
    standard, strict = ({rule.id for rule in book.rules(name)} for name in ("standard", "strict"))
    assert {"tier-3-complaints", "complaint-surge"} <= standard - strict
    assert {"strict-complaints", "strict-attainment"} <= strict - standard
    assert {"tier-1-response-time", "tier-2-satisfaction", "slow-first-response"} <= standard & strict


def test_a_metric_is_known_from_when_it_is_declared_and_the_rule_is_read_anew(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    save("rules/mine.yaml", metric="dock", above="70%")
    seconds.pass_()
    assert said(book) == ["mine.yaml:3: metric"]
    save("metrics.yaml", "metrics: {dock: {title: Dock, kind: share, better: down}}\nlabels: [gate]\n")
    seconds.pass_()
    assert said(book) == []
    assert threshold(book) == 0.7
    assert book.metrics()["dock"].kind is MetricKind.SHARE
    assert "gate" in book.labels()
    metrics = save("metrics.yaml", "metrics: {dock: {title: Dock, kind: weight, better: down}}\n")
    seconds.pass_()
    assert threshold(book) == 0.7
    assert said(book) == ["metrics.yaml:1: metrics.dock.kind"]
    metrics.unlink()
    seconds.pass_()
    assert "dock" not in book.metrics()
    assert said(book) == ["mine.yaml:3: metric"]
    assert threshold(book) == 0.7  # the last good version


def test_a_playbook_that_is_gone_is_told(tmp_path: Path, save: Callable[..., Path], seconds: Seconds) -> None:
    (tmp_path / "rules").mkdir()
    save("rules/mine.yaml", MINE.format(id="mine", metric="backlog", above=5, profile="every") + "starts: mend\n")
    known = ["mend", "standby-agents", "process-retrospective", "executive-intervention", "reallocate-resources"]
    known += ["public-opinion", "complaint-surge", "supervisor-word", "service-review"]
    book = Rulebook(tmp_path, playbooks=lambda: known, clock=seconds)
    assert said(book) == []
    known.remove("mend")
    seconds.pass_()
    assert said(book) == ["mine.yaml:7: starts"]
    assert threshold(book) == 5


def test_a_rule_that_quiets_one_that_nobody_has_is_in_force_and_told(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    save("rules/mine.yaml", MINE.format(id="mine", metric="backlog", above=5, profile="every") + "inhibits: [tier-9]\n")
    seconds.pass_()
    assert threshold(book) == 5
    assert said(book) == ["mine.yaml:None: inhibits"]


# --- metrics.yaml


def test_a_declared_figure_has_its_usual_aggregate_and_largest_value() -> None:
    text = """
metrics:
  parcels: {title: {en: Parcels, zh: 包裹}, kind: volume, better: up}
  dock: {title: Dock, kind: gauge, better: down, unit: parcels}
  late: {title: Late, kind: share, better: down}
  smile: {title: Smile, kind: score, better: up, aggregate: share, most: 10, at_least: 8}
  pick_time: {title: Pick, kind: duration, better: down}
"""
    known = parse_metrics(text, "metrics.yaml")
    metrics = known.metrics
    found = {name: (metrics[name].aggregate, metrics[name].most) for name in metrics if name not in METRICS}
    assert found == {
        "parcels": (Aggregate.SUM, None),
        "dock": (Aggregate.LAST, None),
        "late": (Aggregate.MEAN, 1),
        "smile": (Aggregate.SHARE, 10),
        "pick_time": (Aggregate.MEAN, None),
    }
    text = "id: a\ntitle: A\nmetric: pick_time\nwindow: 5m\nabove: 2m\n"
    assert parse_rule(text, "a.yaml", RuleVocabulary(known.metrics, known.labels)).rule.levels[0].threshold == 120


def findings_of(read: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(BadFile) as caught:
        read()
    found: tuple[FileFinding, ...] = caught.value.findings
    return [(finding.field, finding.reason) for finding in found]


# --- campaigns.yaml

TIER_1 = Rulebook().get("tier-1-response-time")
SURGE = Rulebook().get("complaint-surge")
RULES = {rule.id: rule for rule in (TIER_1, SURGE)}
CAMPAIGN = """\
holidays: [2026-10-01]
campaigns:
  - id: double-eleven
    title: {en: Double Eleven, zh: 双十一}
    start: 2026-11-10T20:00:00+08:00
    end: 2026-11-12T00:00:00+08:00
    task_group: task-group
    rules:
      tier-1-response-time: {threshold: 60s, recover: 50s, for: 5m, min_samples: 100}
      complaint-surge: {threshold: {yellow: 80%, red: 150%}}
"""


def test_a_campaign_brings_its_thresholds_from_its_first_moment_until_before_its_end() -> None:
    calendar = parse_calendar(CAMPAIGN, "campaigns.yaml", RULES)
    (campaign,) = calendar.campaigns
    assert calendar.holidays == {"2026-10-01"}
    assert campaign.lock_drills
    assert campaign.task_group == "task-group"
    start = pendulum.datetime(2026, 11, 10, 12)
    changed = rule_at(TIER_1, calendar.campaigns, start)
    assert changed.levels == (ThresholdLevel(Tier.YELLOW, 60, 50),)
    assert (changed.min_samples, changed.for_.total_seconds()) == (100, 300)
    assert changed.window == TIER_1.window
    surge = rule_at(SURGE, calendar.campaigns, start)
    assert surge.levels == (ThresholdLevel(Tier.YELLOW, 0.8, 0.8), ThresholdLevel(Tier.RED, 1.5, 1.5))
    assert surge.min_samples == SURGE.min_samples
    for outside in (start.subtract(seconds=1), campaign.end):
        assert rule_at(TIER_1, calendar.campaigns, outside) is TIER_1
        assert calendar.running(outside) == []
    assert calendar.running(start) == [campaign]


def test_of_two_campaigns_the_one_begun_last_wins() -> None:
    early, late = (
        Campaign(name, TIER_1.title, pendulum.datetime(2026, 11, day), pendulum.datetime(2026, 12, 1),
                 {TIER_1.id: CampaignOverride(min_samples=samples)})
        for name, day, samples in (("a", 1, 1), ("b", 11, 2))
    )  # fmt: skip
    assert rule_at(TIER_1, (late, early), pendulum.datetime(2026, 11, 20)).min_samples == 2
    assert rule_at(TIER_1, (late, early), pendulum.datetime(2026, 11, 5)).min_samples == 1


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        ("tier-1-response-time:", "tier-1:", "rules.tier-1", "no rule 'tier-1'"),
        ("end: 2026-11-12", "end: 2026-11-02", "end", "ends before it starts"),
        ("+08:00\n    end", "\n    end", "start", "is no moment with its offset"),
        ("start: 2026-11-10", "start: 2026-13-10", "start", "is no moment"),
        ("recover: 50s", "recover: 70s", "rules.tier-1-response-time.recover", "recovers on the wrong side"),
        ("threshold: 60s", "threshold: 60%", "rules.tier-1-response-time.threshold", "does not fit"),
        ("threshold: 60s, ", "", "rules.tier-1-response-time.recover", "means nothing without a threshold"),
        ("red: 150%", "red: 50%", "rules.complaint-surge.threshold", "out of order"),
        ("yellow: 80%", "yellow: 0%", "rules.complaint-surge.threshold.yellow", "every reading changes"),
        ("{yellow: 80%, red: 150%}", "{red: 150%}", "rules.complaint-surge.threshold", "other levels than the rule"),
    ],
)
def test_a_broken_campaign_says(old: str, new: str, field: str, reason: str) -> None:
    assert old in CAMPAIGN
    found = findings_of(lambda: parse_calendar(CAMPAIGN.replace(old, new), "campaigns.yaml", RULES))
    assert [one for one in found if one[0] == f"campaigns[0].{field}" and reason in one[1]], found


def test_a_campaign_of_a_rule_that_is_gone_keeps_its_last_good_version(
    book: Rulebook, save: Callable[..., Path], seconds: Seconds
) -> None:
    path = save("rules/mine.yaml")
    save(
        "campaigns.yaml", CAMPAIGN.replace("complaint-surge: {threshold: {yellow: 80%, red: 150%}}", "mine: {for: 9m}")
    )
    seconds.pass_()
    assert said(book) == []
    assert set(book.calendar().campaigns[0].rules) == {"tier-1-response-time", "mine"}
    path.unlink()
    seconds.pass_()
    assert said(book) == ["campaigns.yaml:10: campaigns[0].rules.mine"]
    assert set(book.calendar().campaigns[0].rules) == {"tier-1-response-time", "mine"}
