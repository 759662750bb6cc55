"""Page rendering in the reader's language and time zone, from Jinja templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from domain.access import AccessRole
from domain.wall_clock import is_time_zone
from engine.customers.wording import format_share
from engine.installation import Installation
from engine.process import clock
from locales import format_span, format_when, normalise, translator
from locales.refusals import localize_refusal
from locales.state_words import state_label
from playbooks.errors import BadFile
from web.app_state import public_state_of
from web.http.navigation import AGO_MINUTES, PAGES, ROLE_LABELS, TIMELINE_FILTERS
from web.pages import html_fragments

_FOLDER = Path(__file__).parents[1] / "templates"
_YEAR = 365 * 86_400


@lru_cache
def template_environment() -> jinja2.Environment:
    """Jinja environment; inserted values are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=jinja2.select_autoescape(disabled_extensions=("md",), default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters["links"] = html_fragments.link_urls
    environment.globals["bar"] = html_fragments.progress_bar
    environment.globals["meter"] = html_fragments.meter
    return environment


def negotiate_language(request: Request) -> str:
    """Language of a request: `?lang=`, else the remembered choice, else the browser's preference."""
    wanted = request.query_params.get("lang") or request.cookies.get("lang")
    if not wanted:
        wanted = request.headers.get("accept-language", "").split(",")[0].split(";")[0]
    return normalise(wanted)


def negotiate_time_zone(request: Request) -> str:
    """Time zone of a request: `?tz=`, else the remembered choice, else the incident commander's."""
    installation = public_state_of(request).installation
    for name in (request.query_params.get("tz"), request.cookies.get("tz"), _default_time_zone(installation)):
        if name and is_time_zone(name):
            return name
    return "UTC"


def _default_time_zone(installation: Installation) -> str:
    try:
        roster = installation.roster()
    except BadFile:
        return "UTC"
    commander = roster.people.get(roster.primary("incident-commander") or "")
    return commander.timezone if commander else "UTC"


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


def render_template(request: Request, template: str, *, language: str = "", zone: str = "", **values: Any) -> str:
    """Render a template's HTML for one reader."""
    language = language or negotiate_language(request)
    zone = zone or negotiate_time_zone(request)
    reader = PageReader(language, zone, values.pop("now", None) or clock.now())
    context = {
        "me": reader,
        "_": reader.translate,
        "asker": getattr(request.state, "asker", None),
        "language": language,
        "zone": zone,
        "path": request.url.path,
        "query": request.url.query,
        "live": False,
        "other": request.url.include_query_params(lang="en" if language == "zh_CN" else "zh_CN").query,
        **values,
    }
    return template_environment().get_template(template).render(context)


def render_page(
    request: Request, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Render a page. A language or zone chosen by the address is remembered."""
    response = HTMLResponse(render_template(request, template, **values), status, headers=dict(headers or {}))
    asker = getattr(request.state, "asker", None)
    for name in () if asker and asker.console else ("lang", "tz"):  # with a cookie the console would be a browser
        chosen = request.query_params.get(name)
        if chosen and len(chosen) < 64 and (name == "lang" or is_time_zone(chosen)):  # noqa: PLR2004
            kept = normalise(chosen) if name == "lang" else chosen
            response.set_cookie(name, kept, max_age=_YEAR, httponly=True, samesite="strict")
    return response
