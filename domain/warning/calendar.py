"""Campaign calendar: times with thresholds of their own (big promotions), and holidays. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pendulum import DateTime

from domain.text import Text
from domain.warning.rule import Rule, ThresholdLevel


@dataclass(frozen=True, slots=True)
class CampaignOverride:
    """A campaign's changes to a rule; None: unchanged."""

    levels: tuple[ThresholdLevel, ...] | None = None
    min_samples: float | None = None
    for_: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign from `start` until before `end`. `task_group`: the role that is told beside the owners."""

    id: str
    title: Text
    start: DateTime
    end: DateTime
    rules: Mapping[str, CampaignOverride] = field(default_factory=dict)
    task_group: str = ""
    lock_drills: bool = True

    def runs(self, at: DateTime) -> bool:
        """Whether `at` lies in the campaign."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class CampaignCalendar:
    """Campaigns and holidays (ISO dates)."""

    campaigns: tuple[Campaign, ...] = ()
    holidays: frozenset[str] = frozenset()

    def running(self, at: DateTime) -> list[Campaign]:
        """List the campaigns that run at that moment, the one begun last at the end."""
        return sorted((one for one in self.campaigns if one.runs(at)), key=lambda one: one.start)


def rule_at(rule: Rule, campaigns: Iterable[Campaign], now: DateTime) -> Rule:
    """Return the rule as in force at `now`; the same object outside campaigns. Of two, the one begun last wins."""
    running = sorted((one for one in campaigns if one.runs(now)), key=lambda one: one.start)
    for campaign in running:
        change = campaign.rules.get(rule.id)
        if change is not None:
            rule = replace(
                rule,
                levels=rule.levels if change.levels is None else change.levels,
                min_samples=rule.min_samples if change.min_samples is None else change.min_samples,
                for_=rule.for_ if change.for_ is None else change.for_,
            )
    return rule
