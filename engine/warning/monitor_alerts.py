"""Alerts of people's own monitors as warnings: called, joined, held and ended like those of our rules.

An alert's label `tocsin_playbook` names what it starts, and `tocsin_as: incident` has it declared as one.
Without them a critical alert declares an incident with `service-outage`, any other starts
`reallocate-resources` as a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pendulum import DateTime

from domain.text import Text
from domain.warning.alert import AlertStep, MonitorAlert, RecordedAlert, decide_alert_step
from domain.warning.disposition import Disposition, RaisedWarning, WarningContext
from domain.warning.rule import Aggregate, Condition, Rule, RuleStart, SeriesKey, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState
from engine.installation import Installation
from engine.warning.effects import RuleReport, WarningEffects
from storage.incidents import warnings
from storage.samples.sample_store import LIVE_FEED

CRITICAL_SEVERITIES = frozenset(
    {"critical", "disaster", "emergency", "error", "fatal", "high", "page", "p1", "red", "sev1"}
)
_SHOWN = ("service", "job", "instance", "severity")  # beside the fingerprint, which alone is its identity
MOST_AT_ONCE = 25  # alerts of one transaction: some tenth of a second of the lock
OUTAGE_PLAYBOOK, RESOURCES_PLAYBOOK = "service-outage", "reallocate-resources"


@dataclass(frozen=True, slots=True)
class MonitorAlerts:
    """Makes warnings of alerts. Safe to call from several threads."""

    installation: Installation

    def alerts(self, alerts: Sequence[MonitorAlert], now: DateTime) -> None:
        """Commit what these alerts mean, a few at a time, so that no deadline waits for the lock.

        Raises:
            StorageError: the database cannot be written. The monitor sends all of it again; what was taken is a
                repeat.
        """
        for begin in range(0, len(alerts), MOST_AT_ONCE):
            with self.installation.database.write() as connection:
                acting = WarningEffects(connection, self.installation, LIVE_FEED, now)
                silences = warnings.list_silences(connection, now)
                rule_state = {one.id: one for one in warnings.list_open_warnings(connection, LIVE_FEED)}
                for alert in alerts[begin : begin + MOST_AT_ONCE]:
                    said = _said(alert)
                    mine = warnings.find_newest_warning(connection, LIVE_FEED, said.rule.id, said.series)
                    known = RecordedAlert(mine.began_at, ended=mine.ended_at is not None) if mine else None
                    others = [one for one in rule_state.values() if one != mine]
                    scene = WarningContext(open=others, silences=silences, rules={said.rule.id: said.rule})
                    after = _carry_out(
                        acting, decide_alert_step(alert, known)[0], said, mine, scene, alert.ends_at or now
                    )
                    if after is not None and after.ended_at is None:
                        rule_state[after.id] = after
                    elif after is not None:
                        rule_state.pop(after.id, None)


def _carry_out(
    acting: WarningEffects,
    what: AlertStep,
    said: RuleReport,
    mine: RaisedWarning | None,
    scene: WarningContext,
    ends: DateTime,
) -> RaisedWarning | None:
    """The warning as it is then; None where nothing happened."""
    if what is AlertStep.BEGIN:
        return acting.raise_warning(said, scene)
    if mine is not None and what is AlertStep.END:
        return acting.end_warning(mine, said, ends)
    if mine is not None and what is AlertStep.REPEAT and mine.course is Disposition.HELD:
        return acting.reconsider(mine, said, scene)
    return None


def _said(alert: MonitorAlert) -> RuleReport:
    """The alert as a rule's word about one of its series: its labels are its identity."""
    labels = alert.labels
    tier = Tier.RED if labels.get("severity", "").lower() in CRITICAL_SEVERITIES else Tier.YELLOW
    shown = {name: labels[name][:100] for name in _SHOWN if labels.get(name)}
    series: SeriesKey = tuple(sorted({**shown, "fingerprint": alert.fingerprint[:100]}.items()))
    value = next(iter(alert.values.values()), None)
    rule = Rule(
        id=f"{alert.source}:{alert.name}"[:64],
        title=Text(alert.title),
        metric="",
        aggregate=Aggregate.LAST,
        window=timedelta(0),
        condition=Condition.ABOVE,
        levels=(ThresholdLevel(tier, 0, 0),),
        starts=_starts(alert, tier),
    )
    firing = alert.status == "firing"
    phase = RulePhase.FIRING if firing else RulePhase.OK
    rule_state = RuleState(
        phase, alert.starts_at, tier if firing else None, firing_since=alert.starts_at if firing else None, value=value
    )
    return RuleReport(rule, series, rule_state, link=alert.url, words=_words(alert))


def _starts(alert: MonitorAlert, tier: Tier) -> RuleStart:
    playbook = alert.labels.get("tocsin_playbook", "")
    as_: Literal["warning", "incident"] = "incident" if alert.labels.get("tocsin_as") == "incident" else "warning"
    if playbook:
        return RuleStart(playbook, as_)
    return RuleStart(OUTAGE_PLAYBOOK, "incident") if tier is Tier.RED else RuleStart(RESOURCES_PLAYBOOK, as_)


def _words(alert: MonitorAlert) -> dict[str, Any]:
    description = alert.annotations.get("description", "").strip()
    return {"labels": dict(alert.labels), **({"description": description[:400]} if description else {})}
