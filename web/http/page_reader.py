"""Page reader: what templates call for texts, times and names as one reader reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.access import AccessRole
from engine.customers.wording import format_share
from locales import format_span, format_when, translator
from locales.refusals import localize_refusal
from locales.state_words import state_label
from web.http.navigation import AGO_MINUTES, PAGES, ROLE_LABELS, TIMELINE_FILTERS


class PageReader:
    """Template helper for one reader: texts, times, names of states."""

    def __init__(self, language: str, zone: str, now: datetime) -> None:
        self.language = language
        self.zone = zone
        # Pendulum's differences go over the calendar: on a board of fifty they would cost half the page.
        self.now = datetime.fromtimestamp(now.timestamp(), UTC)
        self.translate = translator(language)

    def text(self, words: Mapping[str, str]) -> str:
        """Text in the reader's language."""
        return words["zh"] if self.language == "zh_CN" else words["en"]

    def when(self, time: str | None) -> str:
        """Time as people say it."""
        return format_when(datetime.fromisoformat(time), self.zone, self.language, self.now) if time else ""

    def clock(self, time: str | None) -> str:
        """The time of day to the second, with its date where it is another day's."""
        if not time:
            return ""
        local = datetime.fromisoformat(time).astimezone(ZoneInfo(self.zone))
        today = local.date() == self.now.astimezone(ZoneInfo(self.zone)).date()
        return f"{local:%H:%M:%S}" if today else f"{local:%Y-%m-%d %H:%M:%S}"

    def left(self, due: str | None) -> str:
        """Time left until `due`, or time since."""
        if not due:
            return ""
        span = datetime.fromisoformat(due) - self.now
        _ = self.translate
        words = _("{span} left") if span >= timedelta(0) else _("late by {span}")
        return words.format(span=format_span(span, self.language))

    def span(self, seconds: float | None) -> str:
        """Length of time."""
        return "-" if seconds is None else format_span(timedelta(seconds=seconds), self.language)

    def share(self, value: float | None) -> str:
        """Share as people read it."""
        return format_share(value)

    def state(self, name: str) -> str:
        """Name of a state."""
        return state_label(name, self.language)

    def places(self) -> list[tuple[str, str]]:
        """Pages of the console, with their names."""
        return [(address, self.translate(title)) for address, title in PAGES]

    def sorts(self) -> list[tuple[str, str]]:
        """Filters of a timeline, with their names."""
        return [(name, self.translate(one.label)) for name, one in TIMELINE_FILTERS.items()]

    def agos(self) -> list[tuple[int, str]]:
        """Choices of a start in the past: minutes, and how people say it."""
        _ = self.translate
        span = [(minutes, format_span(timedelta(minutes=minutes), self.language)) for minutes in AGO_MINUTES]
        return [(minutes, _("{span} ago").format(span=words) if minutes else _("just now")) for minutes, words in span]

    def refusal(self, line: str) -> str:
        """Refusal in the reader's language."""
        return localize_refusal(line, self.language)

    def role(self, role: AccessRole) -> str:
        """Name of a role."""
        return self.translate(ROLE_LABELS[role.word])

    def fact(self, entry: Mapping[str, Any]) -> str:
        """Sentence for a fact of a timeline."""
        return str(entry["says"]["zh" if self.language == "zh_CN" else "en"])
