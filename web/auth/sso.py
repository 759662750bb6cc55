"""Single sign-on (OpenID Connect): redirect to the provider, and return with a code."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from pendulum import DateTime
from starlette.exceptions import HTTPException

from engine.accounts import accounts, single_sign_on
from engine.accounts.accounts import AuditActor, LoginRefused
from engine.accounts.single_sign_on import CALLBACK_PATH, PendingLogin, SingleSignOn
from engine.installation import Installation
from web.app_state import state_of
from web.auth.authentication import LONGEST_SECRET, Principal, client_address, cookie_name, is_secure
from web.auth.login import render_login_form, run_login_work, safe_next, start_session

router = APIRouter(include_in_schema=False)
_COOKIE = "tocsin_sso"
_SECONDS = 600  # for which a login may be under way at the provider
_AWAY = 303


def _provider(request: Request) -> SingleSignOn:
    state = state_of(request)
    if not state.installation.settings.oidc_issuer:
        raise HTTPException(404)
    return state.single_sign_on


def _signer(installation: Installation) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(installation.settings.secret_key(), salt="tocsin-sso")


@router.get("/login/sso")
async def start_sso(request: Request, next: Annotated[str, Query(max_length=2_000)] = "/") -> Response:  # noqa: A002
    """Redirect to the provider. What must come back is kept in the browser in a signed cookie."""
    installation = state_of(request).installation
    provider = _provider(request)
    try:
        url, begun = await run_login_work(request, lambda _now: provider.begin(safe_next(next)))
    except LoginRefused as refused:
        return render_login_form(request, next, 503, stranger=str(refused))
    response = RedirectResponse(url, _AWAY)
    signed = _signer(installation).dumps(begun.document())
    response.set_cookie(
        _COOKIE,
        str(signed),
        max_age=_SECONDS,
        httponly=True,
        samesite="lax",
        secure=is_secure(installation),
        path="/login/sso",
    )
    return response


@router.get(CALLBACK_PATH)
async def finish_sso(
    request: Request,
    code: Annotated[str, Query(max_length=4_000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Handle the return from the provider. Only the browser that was sent there has the state and is logged in."""
    installation = state_of(request).installation
    provider = _provider(request)
    way = AuditActor(client_address(request), way="single-sign-on")

    def act(now: DateTime) -> tuple[str, str, str]:
        begun = _begun(request, installation, state)
        try:
            claims = provider.finish(code, begun)
        except LoginRefused:
            provider.forget_provider()
            why = "what the provider said does not hold"
            state_of(request).audit.record_refusal(
                request, Principal(auth_method=way.way), why, "log in by single sign-on"
            )
            raise
        account = single_sign_on.find_or_make_account(installation, claims, now, way)
        before = request.cookies.get(cookie_name(installation), "")[:LONGEST_SECRET]
        return accounts.open_session(installation, account, now, way, before), begun.next, account.language

    try:
        secret, to, language = await run_login_work(request, act)
    except LoginRefused as refused:
        response: Response = render_login_form(request, "/", 401, stranger=str(refused))
    else:
        response = start_session(installation, secret, safe_next(to), language)
    response.delete_cookie(_COOKIE, path="/login/sso", httponly=True, samesite="lax", secure=is_secure(installation))
    return response


def _begun(request: Request, installation: Installation, state: str) -> PendingLogin:
    try:
        begun = PendingLogin(**_signer(installation).loads(request.cookies.get(_COOKIE, ""), max_age=_SECONDS))
    except (BadData, TypeError):
        raise LoginRefused("this login was begun in another browser, or too long ago: begin again") from None
    if not state or state != begun.state:
        raise LoginRefused("this login was begun in another browser, or too long ago: begin again")
    return begun
