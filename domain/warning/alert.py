"""An alert of an external monitor, and what each further message about it means. Pure.

An alert is known by where it comes from and its fingerprint, the hash of its labels: the same alert said
again is the same warning. Monitors repeat what they said, say it late, and say that an alert is over more
than once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pendulum import DateTime

from domain.text import N_, Reason


@dataclass(frozen=True, slots=True)
class MonitorAlert:
    """One alert as a monitor sends it.

    Attributes:
        source: the kind of monitor, `alertmanager` or `grafana`.
        fingerprint: the same for every message about the same labels.
        starts_at: when this firing of it began; another one begins later.
        ends_at: when it was over; None while it fires.
        url: where a person sees it; empty where the monitor gave none.
    """

    source: str
    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: DateTime
    ends_at: DateTime | None = None
    url: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its identity."""
        return f"{self.source}/{self.fingerprint}"

    @property
    def name(self) -> str:
        """The monitor's name for the alert."""
        return self.labels.get("alertname", "") or self.fingerprint

    @property
    def title(self) -> str:
        """The alert's title for people: its summary, else its name."""
        return self.annotations.get("summary", "").strip() or self.name


@dataclass(frozen=True, slots=True)
class RecordedAlert:
    """The newest recorded firing under an alert's key."""

    starts_at: DateTime
    ended: bool = False


class AlertStep(StrEnum):
    """What a message about an alert does."""

    BEGIN = "begin"  # a new warning
    REPEAT = "repeat"  # the same warning still stands
    END = "end"
    NOTHING = "nothing"  # late, or about what nobody knows


def decide_alert_step(alert: MonitorAlert, known: RecordedAlert | None) -> tuple[AlertStep, Reason]:
    """Decide what a message about an alert does, given the recorded firing, and why."""
    found, template = _meant(alert, known)
    return found, Reason(template, {"name": alert.name})


def _meant(alert: MonitorAlert, known: RecordedAlert | None) -> tuple[AlertStep, str]:
    firing = alert.status == "firing"
    if known is None and firing:
        return AlertStep.BEGIN, N_("{name} fires")
    if known is None:
        return AlertStep.NOTHING, N_("{name} is over, but nobody heard of it before")
    if alert.starts_at < known.starts_at:
        return AlertStep.NOTHING, N_("{name}: late word about an earlier firing")
    if not known.ended:
        return (AlertStep.REPEAT, N_("{name} still fires")) if firing else (AlertStep.END, N_("{name} is over"))
    if firing and alert.starts_at > known.starts_at:
        return AlertStep.BEGIN, N_("{name} fires again")
    return AlertStep.NOTHING, N_("{name}: late word about a firing that is over")
