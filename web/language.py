"""Pages in the reader's language and time zone, drawn from templates."""

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

from domain.access import Role
from engine import clock
from engine.customers.wording import share
from engine.house import House
from locales import format_span, format_when, normalise, translator
from locales.refusals import refusal_in
from playbooks.errors import BadFile
from web import charts, drawing, wording
from web.places import AGOS, PLACES, ROLES, SORTS

_FOLDER = Path(__file__).parent / "templates"
_YEAR = 365 * 86_400


@lru_cache
def templates() -> jinja2.Environment:
    """The templates; whatever is put into them is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=jinja2.select_autoescape(disabled_extensions=("md",), default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters["links"] = drawing.with_links
    environment.globals["bar"] = drawing.bar
    environment.globals["meter"] = charts.meter
    return environment


def language_of(request: Request) -> str:
    """`?lang=`, else what was chosen before, else what the browser asks for first."""
    wanted = request.query_params.get("lang") or request.cookies.get("lang")
    if not wanted:
        wanted = request.headers.get("accept-language", "").split(",")[0].split(";")[0]
    return normalise(wanted)


def zone_of(request: Request) -> str:
    """`?tz=`, else what was chosen before, else the time zone of the house: its incident commander's."""
    house: House = request.app.state.house
    for name in (request.query_params.get("tz"), request.cookies.get("tz"), _zone_of_house(house)):
        if name and _known(name):
            return name
    return "UTC"


@lru_cache(maxsize=256)
def _known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _zone_of_house(house: House) -> str:
    try:
        roster = house.roster()
    except BadFile:
        return "UTC"
    commander = roster.people.get(roster.primary("incident-commander") or "")
    return commander.timezone if commander else "UTC"


class Reader:
    """What a template needs to speak to one reader: texts, times, names of states."""

    def __init__(self, language: str, zone: str, now: datetime) -> None:
        self.language = language
        self.zone = zone
        # Pendulum's differences go over the calendar: on a board of fifty they would cost half the page.
        self.now = datetime.fromtimestamp(now.timestamp(), UTC)
        self.translate = translator(language)

    def text(self, words: Mapping[str, str]) -> str:
        """A text that exists in both languages."""
        return words["zh"] if self.language == "zh_CN" else words["en"]

    def when(self, time: str | None) -> str:
        """A time as people say it."""
        return format_when(datetime.fromisoformat(time), self.zone, self.language, self.now) if time else ""

    def clock(self, time: str | None) -> str:
        """The time of day to the second, with its date where it is another day's."""
        if not time:
            return ""
        local = datetime.fromisoformat(time).astimezone(ZoneInfo(self.zone))
        today = local.date() == self.now.astimezone(ZoneInfo(self.zone)).date()
        return f"{local:%H:%M:%S}" if today else f"{local:%Y-%m-%d %H:%M:%S}"

    def left(self, due: str | None) -> str:
        """How long until `due`, or since."""
        if not due:
            return ""
        span = datetime.fromisoformat(due) - self.now
        _ = self.translate
        words = _("{span} left") if span >= timedelta(0) else _("late by {span}")
        return words.format(span=format_span(span, self.language))

    def span(self, seconds: float | None) -> str:
        """A length of time."""
        return "-" if seconds is None else format_span(timedelta(seconds=seconds), self.language)

    def share(self, value: float | None) -> str:
        """A share as people read it."""
        return share(value)

    def state(self, name: str) -> str:
        """A state's name."""
        return wording.state(name, self.language)

    def places(self) -> list[tuple[str, str]]:
        """The pages that there are, with their names."""
        return [(address, self.translate(title)) for address, title in PLACES]

    def sorts(self) -> list[tuple[str, str]]:
        """What a timeline can be narrowed to."""
        return [(name, self.translate(words)) for name, words in SORTS.items()]

    def agos(self) -> list[tuple[int, str]]:
        """Since when something may be so: minutes, and how people say it."""
        _ = self.translate
        span = [(minutes, format_span(timedelta(minutes=minutes), self.language)) for minutes in AGOS]
        return [(minutes, _("{span} ago").format(span=words) if minutes else _("just now")) for minutes, words in span]

    def refusal(self, line: str) -> str:
        """Why something was refused, as the reader reads it."""
        return refusal_in(line, self.language)

    def role(self, role: Role) -> str:
        """A role's name."""
        return self.translate(ROLES[role.word])

    def fact(self, entry: Mapping[str, Any]) -> str:
        """What a fact of a timeline says."""
        return str(entry["says"]["zh" if self.language == "zh_CN" else "en"])


def drawn(request: Request, template: str, *, language: str = "", zone: str = "", **values: Any) -> str:
    """A template's HTML for one reader."""
    language = language or language_of(request)
    zone = zone or zone_of(request)
    reader = Reader(language, zone, values.pop("now", None) or clock.now())
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
    return templates().get_template(template).render(context)


def page(
    request: Request, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page of ours. A language or zone chosen by the address is remembered."""
    response = HTMLResponse(drawn(request, template, **values), status, headers=dict(headers or {}))
    asker = getattr(request.state, "asker", None)
    for name in () if asker and asker.console else ("lang", "tz"):  # with a cookie the console would be a browser
        chosen = request.query_params.get(name)
        if chosen and len(chosen) < 64 and (name == "lang" or _known(chosen)):  # noqa: PLR2004
            kept = normalise(chosen) if name == "lang" else chosen
            response.set_cookie(name, kept, max_age=_YEAR, httponly=True, samesite="strict")
    return response
