"""Public status page: open to all, cacheable, from a copy during an outage; its Atom feed and e-mails."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from engine.delivery.links import BadLink
from engine.process import clock
from engine.statuspage import subscribers
from engine.statuspage.subscribers import BadAddress, TooManySubscriptions
from locales import normalise
from storage.settings import SettingsError
from web.app_state import public_state_of
from web.auth.authentication import client_address
from web.http.page_rendering import negotiate_time_zone, render_page, render_template

router = APIRouter(include_in_schema=False)
log = logging.getLogger("tocsin.web")
_OLD = 60.0  # seconds from which a page says how old it is
_CACHED = "public, max-age=15, stale-while-revalidate=60, stale-if-error=86400"
LONGEST_TOKEN = 300


def _language(request: Request) -> str:
    """`?lang=`, else what the browser asks for. No cookie: a page for all is the same for all who ask so."""
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "").split(",")[0].split(";")[0]
    return normalise(wanted)


@router.get("/status")
async def show_status(request: Request) -> Response:
    """Show the state of each service, and the statements."""
    pages = public_state_of(request).status
    installation = public_state_of(request).installation
    found = await pages.current()
    service = installation.status_page
    language, zone = _language(request), negotiate_time_zone(request)
    html = render_template(
        request,
        "status.html",
        language=language,
        zone=zone,
        found=found,
        old=_is_old(found),
        title=service.plan.title,
        moment=lambda at: _moment(at, zone),
        subscribing=service.plan.tag in (installation.tags() or ()),
        kind=_kind(language),
    )
    return _cacheable(request, html, "text/html; charset=utf-8")


@router.get("/status/feed.atom")
async def show_feed(request: Request) -> Response:
    """The statements as an Atom feed, in one language."""
    pages = public_state_of(request).status
    installation = public_state_of(request).installation
    found = await pages.current()
    language = _language(request)
    base = installation.settings.links_url
    newest = max((one["at"] for one in found["statements"]), default="2000-01-01T00:00:00+00:00")
    xml = render_template(
        request, "status_feed.xml", language=language, found=found, base=base, updated=newest, kind=_kind(language),
        host=urlsplit(base).hostname or "tocsin", title=installation.status_page.plan.title,
        shown=[one for one in found["statements"] if one["texts"] and not one["withdrawn"]],
    )  # fmt: skip
    return _cacheable(request, xml, "application/atom+xml; charset=utf-8")


def _kind(language: str) -> str:
    return "zh" if language == "zh_CN" else "en"


def _is_old(found: dict[str, Any]) -> bool:
    return clock.now().timestamp() - datetime.fromisoformat(found["at"]).timestamp() > _OLD


def _moment(at: str, zone: str) -> str:
    """A time as it stands in public: whole, so that a page is the same until something changes."""
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _cacheable(request: Request, text: str, kind: str) -> Response:
    body = text.encode()
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"etag": tag, "cache-control": _CACHED, "vary": "Accept-Language"}
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=kind, headers=headers)


# --- subscriptions -------------------------------------------------------------------------------------------------


@router.post("/status/subscribe")
async def subscribe(
    request: Request, address: Annotated[str, Form(max_length=1_000)] = "", lang: Annotated[str, Query()] = ""
) -> Response:
    """Subscribe to statements by e-mail. The answer never reveals whether an address is subscribed."""
    installation = public_state_of(request).installation
    language = normalise(lang) if lang else _language(request)
    service = installation.status_page

    def act() -> None:
        subscribers.subscribe(service, address, language, clock.now(), client_address(request))

    try:
        await asyncio.get_running_loop().run_in_executor(public_state_of(request).writers, act)
    except BadAddress as bad:
        return _note(request, "wrong", 422, language=language, wrong=str(bad))
    except TooManySubscriptions as many:
        return _note(request, "wrong", 429, language=language, wrong=str(many))
    except SettingsError:
        return _note(request, "wrong", 503, language=language, wrong="subscriptions cannot be kept just now")
    return RedirectResponse(f"/status/asked?lang={_kind(language)}", 303)


@router.get("/status/asked")
async def show_subscription_requested(request: Request) -> HTMLResponse:
    """Show the confirmation that follows the subscribe form."""
    return _note(request, "asked")


@router.get("/status/confirm/{token}")
async def show_confirm_subscription(request: Request, token: str) -> HTMLResponse:
    """Show one button that confirms a subscription; GET changes nothing."""
    return _asking(request, "confirm", lambda service: service.read_confirm_link(token[:LONGEST_TOKEN]))


@router.post("/status/confirm/{token}")
async def confirm_subscription(request: Request, token: str) -> HTMLResponse:
    """Confirm a subscription."""
    return await _done(
        request,
        "confirmed",
        lambda service: subscribers.confirm_subscription(service, token[:LONGEST_TOKEN], clock.now()),
    )


@router.get("/status/leave/{token}")
async def show_unsubscribe(request: Request, token: str) -> HTMLResponse:
    """Show one button that unsubscribes; GET (as of a link scanner) changes nothing."""
    return _asking(request, "leave", lambda service: service.read_leave_link(token[:LONGEST_TOKEN]))


@router.post("/status/leave/{token}")
async def unsubscribe(request: Request, token: str) -> HTMLResponse:
    """Unsubscribe, by the button or by the mail program (RFC 8058); a repeat is no error."""

    def act(service: subscribers.StatusPageService) -> bool:
        subscribers.unsubscribe(service, token[:LONGEST_TOKEN])
        return True

    return await _done(request, "left", act)


def _asking(request: Request, what: str, read: Callable[[subscribers.StatusPageService], str]) -> HTMLResponse:
    try:
        read(public_state_of(request).installation.status_page)
    except BadLink as bad:
        return _note(request, "wrong", 410 if "expired" in str(bad) else 400, wrong=str(bad))
    return _note(request, what)


async def _done(request: Request, what: str, act: Callable[[subscribers.StatusPageService], bool]) -> HTMLResponse:
    service = public_state_of(request).installation.status_page
    try:
        known = await asyncio.get_running_loop().run_in_executor(public_state_of(request).writers, act, service)
    except BadLink as bad:
        return _note(request, "wrong", 410 if "expired" in str(bad) else 400, wrong=str(bad))
    if not known:
        return _note(request, "wrong", 410, wrong="this link has expired: subscribe again")
    return _note(request, what)


def _note(request: Request, what: str, status: int = 200, *, wrong: str = "", language: str = "") -> HTMLResponse:
    return render_page(
        request, "status_note.html", status, language=language or _language(request), what=what, wrong=wrong
    )
