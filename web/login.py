"""Coming in and going out: name and password, a link that works once, and the cookie of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime

from engine import accounts, clock
from engine.accounts import NotIn, Way
from engine.house import House
from storage import accounts_ways
from storage.accounts import Account
from storage.accounts import hashed as hash_of
from web.asking import LONGEST_SECRET, Asker, NotKnown, address_of, asking, cookie_name, is_secure, who
from web.desk import AtDesk
from web.language import page

router = APIRouter(include_in_schema=False)
T = TypeVar("T")
_MOST_WAITING = 50  # of those whose password is to be looked at: some seconds of work
_LONGEST_NEXT = 500
_AWAY = 303
_YEAR = 365 * 86_400


def safe_next(wanted: str) -> str:
    """Where to go after the login: a page of ours, whatever the address said; else the board."""
    parts = urlsplit(wanted.replace("\\", "/"))
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    if not ours or parts.netloc or parts.scheme or len(wanted) > _LONGEST_NEXT or parts.path.startswith("/log"):
        return "/"
    return wanted


@router.get("/login")
async def show_login(request: Request, next: Annotated[str, Query()] = "/") -> Response:  # noqa: A002
    """The form; whoever is in already goes on."""
    house: House = request.app.state.house
    if request.cookies.get(cookie_name(house)):
        try:
            await asyncio.to_thread(who, house, asking(request), clock.now())
            return RedirectResponse(safe_next(next), _AWAY)
        except NotKnown:
            pass
    return login_form(request, next)


@router.post("/login")
async def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1_000)] = "",
    next: Annotated[str, Form(max_length=2_000)] = "/",  # noqa: A002
) -> Response:
    """Name and password; whoever comes in gets a session that was never there before."""
    house: House = request.app.state.house
    way = Way(address_of(request), way="password")
    if request.app.state.logins._work_queue.qsize() >= _MOST_WAITING:  # noqa: SLF001 - it says its length nowhere else
        return login_form(request, next, 503, name=name, wait=10)

    def act(now: DateTime) -> tuple[str, str]:
        account = accounts.log_in(house, name, password, now, way)
        return accounts.open_session(house, account, now, way, _cookie(request)), account.language

    try:
        secret, language = await in_line(request, act)
    except NotIn as refused:
        if refused.wait:
            request.app.state.trail.refused(request, Asker(way="password"), "too many tries", "log in")
        status = 429 if refused.wait else 401
        return login_form(request, next, status, name=name, wrong=not refused.wait, wait=refused.wait)
    return come_in(house, secret, safe_next(next), language)


async def in_line(request: Request, act: Callable[[DateTime], T]) -> T:
    """Do something that takes a password's time, after those who came before."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(request.app.state.logins, lambda: act(clock.now()))


def come_in(house: House, secret: str, to: str, language: str = "") -> Response:
    """Go on with the cookie of a session. It is for us alone: no script reads it, no other site's form carries it.

    `language`: the account's, which the pages then speak.
    """
    response = RedirectResponse(to, _AWAY)
    response.set_cookie(
        cookie_name(house),
        secret,
        max_age=int(house.settings.session_days * 86_400),
        httponly=True,
        samesite="lax",
        secure=is_secure(house),
        path="/",
    )
    if language:
        response.set_cookie("lang", language, max_age=_YEAR, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    return request.cookies.get(cookie_name(request.app.state.house), "")[:LONGEST_SECRET]


def login_form(request: Request, to: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The login page."""
    house: House = request.app.state.house
    given = {"name": "", "wrong": False, "wait": 0, "stranger": "", **values}
    headers = {"retry-after": str(given["wait"])} if given["wait"] else None
    sso = house.settings.oidc_title if house.settings.oidc_issuer else ""
    return page(request, "login.html", status, headers=headers, next=safe_next(to), sso=sso, **given)


# --- by a link -----------------------------------------------------------------------------------------------------


@router.get("/login/link/{secret}")
async def show_link(request: Request, secret: str) -> Response:
    """One button: what only looks at links (a scanner, a preview) uses none up."""
    house: House = request.app.state.house

    def look() -> bool:
        with house.database.read() as connection:
            return accounts_ways.link_holds(connection, secret[:LONGEST_SECRET], clock.now())

    holds = await asyncio.to_thread(look)
    return page(request, "login_link.html", 200 if holds else 410, holds=holds)


@router.post("/login/link/{secret}")
async def use_link(request: Request, secret: str) -> Response:
    """The button: the link is used up, and its account is in."""
    house: House = request.app.state.house
    way = Way(address_of(request), way="link")

    def act(now: DateTime) -> tuple[str, str]:
        account: Account = accounts.use_link(house, secret[:LONGEST_SECRET], now, way)
        return accounts.open_session(house, account, now, way, _cookie(request)), account.language

    try:
        session, language = await in_line(request, act)
        return come_in(house, session, "/", language)
    except NotIn:
        request.app.state.trail.refused(request, Asker(way="link"), "used or expired", "log in by a link")
        return page(request, "login_link.html", 410, holds=False)


# --- out -----------------------------------------------------------------------------------------------------------


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """This browser is out."""
    house: House = request.app.state.house
    secret = _cookie(request)

    def act(_now: DateTime) -> None:
        with house.database.write() as connection:
            accounts_ways.end_session(connection, hash_of(secret))

    if secret:
        await in_line(request, act)
    return _gone(house)


@router.post("/logout/everywhere")
async def log_out_everywhere(request: Request, desk: AtDesk) -> Response:
    """Every browser of this account is out."""
    way = Way(address_of(request))

    def act(house: House, _by: str, _now: DateTime) -> None:
        asker = desk.asker
        if asker.session:
            name = asker.name.removeprefix("@")
            accounts.log_out_everywhere(house, name, Way(way.address, name, asker.role.word, asker.way))

    await desk.write(act, need="look", noted=False)
    return _gone(request.app.state.house)


def _gone(house: House) -> Response:
    response = RedirectResponse("/login", _AWAY)
    response.delete_cookie(cookie_name(house), path="/", secure=is_secure(house), httponly=True, samesite="lax")
    return response
