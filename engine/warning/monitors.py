"""Alerts of monitors that people already have, as warnings: called, joined, held and ended like those of our own rules.

An alert's label `tocsin_playbook` names what it starts, and `tocsin_as: incident` has it declared as one. Without them
a critical alert declares an incident with `service-outage`, any other starts `reallocate-resources` as a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pendulum import DateTime

from domain.text import Text
from domain.warning.alert import Alert, Known, Step, step
from domain.warning.raised import Course, Raised, Scene
from domain.warning.rule import Aggregate, Condition, Level, Rule, SeriesKey, Starts, Tier
from domain.warning.standing import Phase, Standing
from engine.house import House
from engine.warning.acting import Acting, Said
from storage import warnings
from storage.warnings import LIVE

CRITICAL = frozenset({"critical", "disaster", "emergency", "error", "fatal", "high", "page", "p1", "red", "sev1"})
_SHOWN = ("service", "job", "instance", "severity")  # beside the fingerprint, which alone is its identity
MOST = 25  # alerts of one transaction: some tenth of a second of the lock
OUTAGE, RESOURCES = "service-outage", "reallocate-resources"


@dataclass(frozen=True, slots=True)
class MonitorAlerts:
    """Makes warnings of alerts. Safe to call from several threads."""

    house: House

    def alerts(self, alerts: Sequence[Alert], now: DateTime) -> None:
        """Commit what these words mean, a few at a time, so that no deadline waits for the lock.

        Raises:
            StorageError: the database cannot be written. The monitor says all of it again; what was taken is a repeat.
        """
        for begin in range(0, len(alerts), MOST):
            with self.house.database.write() as connection:
                acting = Acting(connection, self.house, LIVE, now)
                silences = warnings.silences(connection, now)
                standing = {one.id: one for one in warnings.open_warnings(connection, LIVE)}
                for alert in alerts[begin : begin + MOST]:
                    said = _said(alert)
                    mine = warnings.newest(connection, LIVE, said.rule.id, said.series)
                    known = Known(mine.began_at, ended=mine.ended_at is not None) if mine else None
                    others = [one for one in standing.values() if one != mine]
                    scene = Scene(open=others, silences=silences, rules={said.rule.id: said.rule})
                    after = _carry_out(acting, step(alert, known)[0], said, mine, scene, alert.ends_at or now)
                    if after is not None and after.ended_at is None:
                        standing[after.id] = after
                    elif after is not None:
                        standing.pop(after.id, None)


def _carry_out(
    acting: Acting, what: Step, said: Said, mine: Raised | None, scene: Scene, ends: DateTime
) -> Raised | None:
    """The warning as it is then; None where nothing happened."""
    if what is Step.BEGIN:
        return acting.raise_(said, scene)
    if mine is not None and what is Step.END:
        return acting.end(mine, said, ends)
    if mine is not None and what is Step.REPEAT and mine.course is Course.HELD:
        return acting.again(mine, said, scene)
    return None


def _said(alert: Alert) -> Said:
    """The alert as a rule's word about one of its series: its labels are its identity."""
    labels = alert.labels
    tier = Tier.RED if labels.get("severity", "").lower() in CRITICAL else Tier.YELLOW
    shown = {name: labels[name][:100] for name in _SHOWN if labels.get(name)}
    series: SeriesKey = tuple(sorted({**shown, "fingerprint": alert.fingerprint[:100]}.items()))
    value = next(iter(alert.values.values()), None)
    rule = Rule(
        id=f"{alert.source}:{alert.name}"[:64], title=Text(alert.title), metric="", aggregate=Aggregate.LAST,
        window=timedelta(0), condition=Condition.ABOVE, levels=(Level(tier, 0, 0),), starts=_starts(alert, tier),
    )  # fmt: skip
    firing = alert.status == "firing"
    phase = Phase.FIRING if firing else Phase.OK
    standing = Standing(
        phase, alert.starts_at, tier if firing else None, firing_since=alert.starts_at if firing else None, value=value
    )
    return Said(rule, series, standing, link=alert.url, words=_words(alert))


def _starts(alert: Alert, tier: Tier) -> Starts:
    playbook = alert.labels.get("tocsin_playbook", "")
    as_: Literal["warning", "incident"] = "incident" if alert.labels.get("tocsin_as") == "incident" else "warning"
    if playbook:
        return Starts(playbook, as_)
    return Starts(OUTAGE, "incident") if tier is Tier.RED else Starts(RESOURCES, as_)


def _words(alert: Alert) -> dict[str, Any]:
    description = alert.annotations.get("description", "").strip()
    return {"labels": dict(alert.labels), **({"description": description[:400]} if description else {})}
