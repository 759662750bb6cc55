"""Notices and publications that are due to be received, each with its window."""

from __future__ import annotations

from dataclasses import dataclass

from domain.notifications import NotificationPurpose
from engine.rehearsal.time_bounds import NEVER, TimeBounds


@dataclass(frozen=True, slots=True)
class ExpectedNotice:
    """Notice that someone must get (`least` 1 or more) or may get (`least` 0)."""

    step: str  # empty: about the incident as a whole
    purpose: NotificationPurpose
    person: str
    window: TimeBounds  # of the first of them: not before `lo`, by `hi` at the latest
    least: int = 1
    most: int = 1
    cannot: str = ""  # why nobody can get it, as the roster stands

    @property
    def key(self) -> tuple[str, str, str]:
        """Key by which a received message is matched."""
        return self.step, str(self.purpose), self.person

    def __str__(self) -> str:
        """As a person reads it: `apology/draft: backup to dora, due by 00:06`."""
        whom = self.person or "nobody"
        return f"{self.step or 'silence'}: {self.purpose} to {whom}, due by {format_clock(self.window.hi)}"


@dataclass(frozen=True, slots=True)
class ExpectedPublication:
    """Publication that must stand on an official channel once."""

    step: str
    channel: str
    window: TimeBounds
    sure: bool = True  # False: the close may have cut it off

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.step}: publication on {self.channel}, due by {format_clock(self.window.hi)}"


def format_clock(seconds: float) -> str:
    """Format a moment of the rehearsed clock as hours, minutes and seconds since the declaration."""
    if seconds == NEVER:
        return "-"
    sign, whole = ("-", -seconds) if seconds < 0 else ("", seconds)
    minutes, rest = divmod(round(whole), 60)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"
