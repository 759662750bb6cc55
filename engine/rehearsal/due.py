"""What is due to be received: notices and publications, each with its window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.durations import format_duration
from domain.notices import Purpose
from engine.rehearsal.span import NEVER, Span


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that someone must get (`least` 1 or more) or may get (`least` 0)."""

    step: str  # empty: about the incident as a whole
    purpose: Purpose
    person: str
    window: Span  # of the first of them: not before `lo`, by `hi` at the latest
    least: int = 1
    most: int = 1
    cannot: str = ""  # why nobody can get it, as the roster stands

    @property
    def key(self) -> tuple[str, str, str]:
        """By which a received message is matched."""
        return self.step, str(self.purpose), self.person

    def __str__(self) -> str:
        """As a person reads it: `apology/draft: backup to dora, due by 00:06`."""
        whom = self.person or "nobody"
        return f"{self.step or 'silence'}: {self.purpose} to {whom}, due by {clock(self.window.hi)}"


@dataclass(frozen=True, slots=True)
class Posting:
    """A publication that must stand on an official channel once."""

    step: str
    channel: str
    window: Span
    sure: bool = True  # False: the close may have cut it off

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.step}: publication on {self.channel}, due by {clock(self.window.hi)}"


def clock(seconds: float) -> str:
    """A moment of the rehearsed clock, as hours, minutes and seconds since the declaration."""
    if seconds == NEVER:
        return "-"
    sign, whole = ("-", -seconds) if seconds < 0 else ("", seconds)
    minutes, rest = divmod(round(whole), 60)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def written(span: timedelta | None) -> str:
    """A duration of a playbook, for a sentence."""
    return format_duration(span) if span else "-"
