"""The public status page: open to all, cacheable, from a copy when nothing else answers; its feed and its mails."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime

from engine import clock, status_desk, status_page
from engine.house import House
from engine.links import BadLink
from engine.status_desk import BadAddress, TooMany
from locales import normalise
from storage.settings import SettingsError
from web.asking import address_of
from web.language import drawn, page, zone_of

router = APIRouter(include_in_schema=False)
log = logging.getLogger("tocsin.web")
_FRESH = 2.0  # seconds for which a look at the database is good
_PATIENCE = 1.0  # seconds for which a reader waits for the database
_AGAIN = 5.0  # seconds until a database that did not answer is waited for again
_OLD = 60.0  # seconds from which a page says how old it is
_KEEP_EVERY = 60.0
_LONG_AGO = 1e9
_CACHED = "public, max-age=15, stale-while-revalidate=60, stale-if-error=86400"
LONGEST_TOKEN = 300


class StatusPages:
    """What the public page shows, looked up at most every two seconds; the last good copy where nothing answers."""

    def __init__(self, house: House, now: Callable[[], DateTime]) -> None:
        self._house, self._now = house, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="status")
        self._asking: asyncio.Future[None] | None = None
        self._found: dict[str, Any] | None = None
        self._looked = self._failed = self._kept = -_LONG_AGO
        self._body: object = None

    async def current(self) -> dict[str, Any]:
        """The document of `engine.status_page`; never fails, and never takes longer than a second."""
        if time.monotonic() - self._looked > _FRESH:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.get_running_loop().run_in_executor(self._thread, self._look)
            waits = 0.0 if time.monotonic() - self._failed < _AGAIN and self._found else _PATIENCE
            done, _pending = await asyncio.wait({self._asking}, timeout=waits)
            if not done:
                self._failed = time.monotonic()
        if self._found is None:
            plan = status_desk.desk_of(self._house).plan
            self._found = status_page.kept(self._house.settings.home) or status_page.unknown(plan, self._now())
        return self._found

    def _look(self) -> None:
        try:
            found = status_page.document(self._house, status_desk.desk_of(self._house).plan, self._now())
        except Exception as error:  # noqa: BLE001 - the public sees the last good copy, whatever it was
            if self._failed < 0:
                log.warning("the status page shows its last copy: %s", type(error).__name__)
            self._failed = time.monotonic()
            return
        self._found, self._looked, self._failed = found, time.monotonic(), -_LONG_AGO
        body = (found["overall"], found["services"], found["statements"])
        if body != self._body or time.monotonic() - self._kept > _KEEP_EVERY:
            status_page.keep(self._house.settings.home, found)
            self._body, self._kept = body, time.monotonic()

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _language(request: Request) -> str:
    """`?lang=`, else what the browser asks for. No cookie: a page for all is the same for all who ask so."""
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "").split(",")[0].split(";")[0]
    return normalise(wanted)


@router.get("/status")
async def show(request: Request) -> Response:
    """How each service is doing, and what was said."""
    pages: StatusPages = request.app.state.status
    house: House = request.app.state.house
    found = await pages.current()
    desk = status_desk.desk_of(house)
    language, zone = _language(request), zone_of(request)
    html = drawn(
        request, "status.html", language=language, zone=zone, found=found, old=_is_old(found), title=desk.plan.title,
        moment=lambda at: _moment(at, zone), subscribing=desk.plan.tag in (house.tags() or ()), kind=_kind(language),
    )  # fmt: skip
    return _cacheable(request, html, "text/html; charset=utf-8")


@router.get("/status/feed.atom")
async def feed(request: Request) -> Response:
    """The statements as an Atom feed, in one language."""
    pages: StatusPages = request.app.state.status
    house: House = request.app.state.house
    found = await pages.current()
    language = _language(request)
    base = house.settings.links_url
    newest = max((one["at"] for one in found["statements"]), default="2000-01-01T00:00:00+00:00")
    xml = drawn(
        request, "status_feed.xml", language=language, found=found, base=base, updated=newest, kind=_kind(language),
        host=urlsplit(base).hostname or "tocsin", title=status_desk.desk_of(house).plan.title,
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
    """Ask for statements by e-mail. The answer is the same whoever subscribes already."""
    house: House = request.app.state.house
    language = normalise(lang) if lang else _language(request)
    desk = status_desk.desk_of(house)

    def act() -> None:
        status_desk.subscribe(desk, address, language, clock.now(), address_of(request))

    try:
        await asyncio.get_running_loop().run_in_executor(request.app.state.writers, act)
    except BadAddress as bad:
        return _note(request, "wrong", 422, language=language, wrong=str(bad))
    except TooMany as many:
        return _note(request, "wrong", 429, language=language, wrong=str(many))
    except SettingsError:
        return _note(request, "wrong", 503, language=language, wrong="subscriptions cannot be kept just now")
    return RedirectResponse(f"/status/asked?lang={_kind(language)}", 303)


@router.get("/status/asked")
async def asked(request: Request) -> HTMLResponse:
    """What follows the form."""
    return _note(request, "asked")


@router.get("/status/confirm/{token}")
async def show_confirm(request: Request, token: str) -> HTMLResponse:
    """One button; looking changes nothing."""
    return _asking(request, "confirm", lambda desk: desk.read_confirm(token[:LONGEST_TOKEN]))


@router.post("/status/confirm/{token}")
async def confirm(request: Request, token: str) -> HTMLResponse:
    """They want it."""
    return await _done(
        request, "confirmed", lambda desk: status_desk.confirm(desk, token[:LONGEST_TOKEN], clock.now())
    )  # fmt: skip


@router.get("/status/leave/{token}")
async def show_leave(request: Request, token: str) -> HTMLResponse:
    """One button; what only follows links (a scanner) takes nobody off."""
    return _asking(request, "leave", lambda desk: desk.read_leave(token[:LONGEST_TOKEN]))


@router.post("/status/leave/{token}")
async def leave(request: Request, token: str) -> HTMLResponse:
    """They leave, by the button or by their mail program's own (RFC 8058); again is no mistake."""

    def act(desk: status_desk.StatusDesk) -> bool:
        status_desk.leave(desk, token[:LONGEST_TOKEN])
        return True

    return await _done(request, "left", act)


def _asking(request: Request, what: str, read: Callable[[status_desk.StatusDesk], str]) -> HTMLResponse:
    try:
        read(status_desk.desk_of(request.app.state.house))
    except BadLink as bad:
        return _note(request, "wrong", 410 if "expired" in str(bad) else 400, wrong=str(bad))
    return _note(request, what)


async def _done(request: Request, what: str, act: Callable[[status_desk.StatusDesk], bool]) -> HTMLResponse:
    desk = status_desk.desk_of(request.app.state.house)
    try:
        known = await asyncio.get_running_loop().run_in_executor(request.app.state.writers, act, desk)
    except BadLink as bad:
        return _note(request, "wrong", 410 if "expired" in str(bad) else 400, wrong=str(bad))
    if not known:
        return _note(request, "wrong", 410, wrong="this link has expired: subscribe again")
    return _note(request, what)


def _note(request: Request, what: str, status: int = 200, *, wrong: str = "", language: str = "") -> HTMLResponse:
    return page(request, "status_note.html", status, language=language or _language(request), what=what, wrong=wrong)
