"""Single sign-on, as the browser goes: to the provider, and back with a code."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from pendulum import DateTime
from starlette.exceptions import HTTPException

from engine import accounts, accounts_sso
from engine.accounts import NotIn, Way
from engine.accounts_sso import BACK, Begun, SingleSignOn
from engine.house import House
from web.asking import LONGEST_SECRET, Asker, address_of, cookie_name, is_secure
from web.login import come_in, in_line, login_form, safe_next

router = APIRouter(include_in_schema=False)
_COOKIE = "tocsin_sso"
_SECONDS = 600  # for which a login may be under way at the provider
_AWAY = 303


def _provider(request: Request) -> SingleSignOn:
    state, house = request.app.state, request.app.state.house
    if not house.settings.oidc_issuer:
        raise HTTPException(404)
    if not hasattr(state, "single_sign_on"):
        state.single_sign_on = SingleSignOn(house.settings)
    found: SingleSignOn = state.single_sign_on
    return found


def _signer(house: House) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(house.settings.secret_key(), salt="tocsin-sso")


@router.get("/login/sso")
async def go(request: Request, next: Annotated[str, Query(max_length=2_000)] = "/") -> Response:  # noqa: A002
    """To the provider. What must come back with them is kept in their browser, signed."""
    house: House = request.app.state.house
    provider = _provider(request)
    try:
        url, begun = await in_line(request, lambda _now: provider.begin(safe_next(next)))
    except NotIn as refused:
        return login_form(request, next, 503, stranger=str(refused))
    response = RedirectResponse(url, _AWAY)
    signed = _signer(house).dumps(begun.document())
    response.set_cookie(
        _COOKIE,
        str(signed),
        max_age=_SECONDS,
        httponly=True,
        samesite="lax",
        secure=is_secure(house),
        path="/login/sso",
    )
    return response


@router.get(BACK)
async def back(
    request: Request,
    code: Annotated[str, Query(max_length=4_000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the provider. Only the browser that went there comes in: it alone has the state."""
    house: House = request.app.state.house
    provider = _provider(request)
    way = Way(address_of(request), way="single-sign-on")

    def act(now: DateTime) -> tuple[str, str, str]:
        begun = _begun(request, house, state)
        try:
            claims = provider.finish(code, begun)
        except NotIn:
            provider.forget()
            why = "what the provider said does not hold"
            request.app.state.trail.refused(request, Asker(way=way.way), why, "log in by single sign-on")
            raise
        account = accounts_sso.account_for(house, claims, now, way)
        before = request.cookies.get(cookie_name(house), "")[:LONGEST_SECRET]
        return accounts.open_session(house, account, now, way, before), begun.next, account.language

    try:
        secret, to, language = await in_line(request, act)
    except NotIn as refused:
        response: Response = login_form(request, "/", 401, stranger=str(refused))
    else:
        response = come_in(house, secret, safe_next(to), language)
    response.delete_cookie(_COOKIE, path="/login/sso", httponly=True, samesite="lax", secure=is_secure(house))
    return response


def _begun(request: Request, house: House, state: str) -> Begun:
    try:
        begun = Begun(**_signer(house).loads(request.cookies.get(_COOKIE, ""), max_age=_SECONDS))
    except (BadData, TypeError):
        raise NotIn("this login was begun in another browser, or too long ago: begin again") from None
    if not state or state != begun.state:
        raise NotIn("this login was begun in another browser, or too long ago: begin again")
    return begun
