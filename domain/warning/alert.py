"""An alert of a monitor that people already have, and what the next word about it means. Pure.

An alert is known by where it comes from and its fingerprint, the hash of its labels: the same alert said again is the
same warning. Monitors repeat what they said, say it late, and say that an alert is over more than once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pendulum import DateTime

from domain.text import N_, Reason


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as a monitor says it.

    Attributes:
        source: the kind of monitor, `alertmanager` or `grafana`.
        fingerprint: the same for every word about the same labels.
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
        """What the monitor calls it."""
        return self.labels.get("alertname", "") or self.fingerprint

    @property
    def title(self) -> str:
        """What people read first: its summary, else its name."""
        return self.annotations.get("summary", "").strip() or self.name


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record under an alert's key: its newest firing."""

    starts_at: DateTime
    ended: bool = False


class Step(StrEnum):
    """What a word about an alert does."""

    BEGIN = "begin"  # a new warning
    REPEAT = "repeat"  # the same warning still stands
    END = "end"
    NOTHING = "nothing"  # late, or about what nobody knows


def step(alert: Alert, known: Known | None) -> tuple[Step, Reason]:
    """What this word means beside what is on record, and why."""
    found, template = _meant(alert, known)
    return found, Reason(template, {"name": alert.name})


def _meant(alert: Alert, known: Known | None) -> tuple[Step, str]:
    firing = alert.status == "firing"
    if known is None and firing:
        return Step.BEGIN, N_("{name} fires")
    if known is None:
        return Step.NOTHING, N_("{name} is over, but nobody heard of it before")
    if alert.starts_at < known.starts_at:
        return Step.NOTHING, N_("{name}: late word about an earlier firing")
    if not known.ended:
        return (Step.REPEAT, N_("{name} still fires")) if firing else (Step.END, N_("{name} is over"))
    if firing and alert.starts_at > known.starts_at:
        return Step.BEGIN, N_("{name} fires again")
    return Step.NOTHING, N_("{name}: late word about a firing that is over")


def after(alert: Alert, known: Known | None) -> Known | None:
    """What is on record once this word was heard."""
    found, _ = step(alert, known)
    return known if found is Step.NOTHING else Known(alert.starts_at, ended=found is Step.END)
