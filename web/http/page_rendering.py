"""Page rendering in the reader's language and time zone, from Jinja templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from domain.wall_clock import is_time_zone
from engine.installation import Installation
from engine.process import clock
from locales import normalise
from playbooks.errors import BadFile
from web.app_state import public_state_of
from web.http.page_reader import PageReader
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


def render_template(request: Request, template: str, *, language: str = "", zone: str = "", **values: Any) -> str:
    """Render a template's HTML for one reader."""
    language = language or negotiate_language(request)
    zone = zone or negotiate_time_zone(request)
    reader = PageReader(language, zone, values.pop("now", None) or clock.now())
    context = {
        "me": reader,
        "_": reader.translate,
        "principal": getattr(request.state, "principal", None),
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
    principal = getattr(request.state, "principal", None)
    for name in (
        () if principal and principal.console else ("lang", "tz")
    ):  # with a cookie the console would be a browser
        chosen = request.query_params.get(name)
        if chosen and len(chosen) < 64 and (name == "lang" or is_time_zone(chosen)):  # noqa: PLR2004
            kept = normalise(chosen) if name == "lang" else chosen
            response.set_cookie(name, kept, max_age=_YEAR, httponly=True, samesite="strict")
    return response
