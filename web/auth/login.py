"""Login and logout: name and password, one-time links, and the session cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime

from engine.accounts import accounts
from engine.accounts.accounts import AuditActor, LoginRefused
from engine.installation import Installation
from engine.process import clock
from storage.accounts import sessions_and_tokens
from storage.accounts.user_accounts import Account
from storage.hashed_secrets import hash_secret as hash_of
from web.app_state import state_of
from web.auth.authentication import (
    LONGEST_SECRET,
    NotAuthenticated,
    Principal,
    authenticate,
    client_address,
    cookie_name,
    is_secure,
    read_credentials,
)
from web.http.page_rendering import render_page
from web.http.request_context import RequestContextDep

router = APIRouter(include_in_schema=False)
T = TypeVar("T")
_MOST_WAITING = 50  # of those whose password is to be looked at: some seconds of work
_LONGEST_NEXT = 500
_AWAY = 303
_YEAR = 365 * 86_400


def safe_next(wanted: str) -> str:
    """Target after the login: one of our own pages, else the board, regardless of what the address says."""
    parts = urlsplit(wanted.replace("\\", "/"))
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    if not ours or parts.netloc or parts.scheme or len(wanted) > _LONGEST_NEXT or parts.path.startswith("/log"):
        return "/"
    return wanted


@router.get("/login")
async def show_login(request: Request, next: Annotated[str, Query()] = "/") -> Response:  # noqa: A002
    """Show the login form; an authenticated browser is sent on."""
    installation = state_of(request).installation
    if request.cookies.get(cookie_name(installation)):
        try:
            await asyncio.to_thread(authenticate, installation, read_credentials(request, installation), clock.now())
            return RedirectResponse(safe_next(next), _AWAY)
        except NotAuthenticated:
            pass
    return render_login_form(request, next)


@router.post("/login")
async def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1_000)] = "",
    next: Annotated[str, Form(max_length=2_000)] = "/",  # noqa: A002
) -> Response:
    """Log in by name and password; a successful login always gets a new session."""
    installation = state_of(request).installation
    way = AuditActor(client_address(request), way="password")
    if state_of(request).logins._work_queue.qsize() >= _MOST_WAITING:  # noqa: SLF001 - it says its length nowhere else
        return render_login_form(request, next, 503, name=name, wait=10)

    def act(now: DateTime) -> tuple[str, str]:
        account = accounts.log_in(installation, name, password, now, way)
        return accounts.open_session(installation, account, now, way, _cookie(request)), account.language

    try:
        secret, language = await run_login_work(request, act)
    except LoginRefused as refused:
        if refused.wait:
            state_of(request).audit.record_refusal(
                request, Principal(auth_method="password"), "too many tries", "log in"
            )
        status = 429 if refused.wait else 401
        return render_login_form(request, next, status, name=name, wrong=not refused.wait, wait=refused.wait)
    return start_session(installation, secret, safe_next(next), language)


async def run_login_work(request: Request, act: Callable[[DateTime], T]) -> T:
    """Run work that takes as long as a password check, one at a time in order of arrival."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(state_of(request).logins, lambda: act(clock.now()))


def start_session(installation: Installation, secret: str, to: str, language: str = "") -> Response:
    """Redirect with a new session cookie. It is `HttpOnly` and same-site.

    `language`: the account's, which the pages then speak.
    """
    response = RedirectResponse(to, _AWAY)
    response.set_cookie(
        cookie_name(installation),
        secret,
        max_age=int(installation.settings.session_days * 86_400),
        httponly=True,
        samesite="lax",
        secure=is_secure(installation),
        path="/",
    )
    if language:
        response.set_cookie("lang", language, max_age=_YEAR, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    return request.cookies.get(cookie_name(state_of(request).installation), "")[:LONGEST_SECRET]


def render_login_form(request: Request, to: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render the login page."""
    installation = state_of(request).installation
    given = {"name": "", "wrong": False, "wait": 0, "stranger": "", **values}
    headers = {"retry-after": str(given["wait"])} if given["wait"] else None
    sso = installation.settings.oidc_title if installation.settings.oidc_issuer else ""
    return render_page(request, "login.html", status, headers=headers, next=safe_next(to), sso=sso, **given)


# --- by a link -----------------------------------------------------------------------------------------------------


@router.get("/login/link/{secret}")
async def show_login_link(request: Request, secret: str) -> Response:
    """Show one button: link scanners and previews, which only GET, use no link up."""
    installation = state_of(request).installation

    def look() -> bool:
        with installation.database.read() as connection:
            return sessions_and_tokens.is_link_valid(connection, secret[:LONGEST_SECRET], clock.now())

    holds = await asyncio.to_thread(look)
    return render_page(request, "login_link.html", 200 if holds else 410, holds=holds)


@router.post("/login/link/{secret}")
async def use_login_link(request: Request, secret: str) -> Response:
    """Use up a one-time link and log its account in."""
    installation = state_of(request).installation
    way = AuditActor(client_address(request), way="link")

    def act(now: DateTime) -> tuple[str, str]:
        account: Account = accounts.use_login_link(installation, secret[:LONGEST_SECRET], now, way)
        return accounts.open_session(installation, account, now, way, _cookie(request)), account.language

    try:
        session, language = await run_login_work(request, act)
        return start_session(installation, session, "/", language)
    except LoginRefused:
        state_of(request).audit.record_refusal(
            request, Principal(auth_method="link"), "used or expired", "log in by a link"
        )
        return render_page(request, "login_link.html", 410, holds=False)


# --- out -----------------------------------------------------------------------------------------------------------


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Log this browser out."""
    installation = state_of(request).installation
    secret = _cookie(request)

    def act(_now: DateTime) -> None:
        with installation.database.write() as connection:
            sessions_and_tokens.end_session(connection, hash_of(secret))

    if secret:
        await run_login_work(request, act)
    return _gone(installation)


@router.post("/logout/everywhere")
async def log_out_everywhere(request: Request, context: RequestContextDep) -> Response:
    """Log every browser of this account out."""
    way = AuditActor(client_address(request))

    def act(installation: Installation, _by: str, _now: DateTime) -> None:
        principal = context.principal
        if principal.session:
            name = principal.name.removeprefix("@")
            accounts.log_out_everywhere(
                installation, name, AuditActor(way.address, name, principal.role.word, principal.auth_method)
            )

    await context.write(act, need="look", noted=False)
    return _gone(state_of(request).installation)


def _gone(installation: Installation) -> Response:
    response = RedirectResponse("/login", _AWAY)
    response.delete_cookie(
        cookie_name(installation), path="/", secure=is_secure(installation), httponly=True, samesite="lax"
    )
    return response
