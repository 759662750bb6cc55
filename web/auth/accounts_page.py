"""Account pages: one's own account, all accounts for an administrator, and the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime

from domain.access import ROLES, AccessRole
from domain.command_handlers import CommandRefused
from engine.accounts import accounts as keeping
from engine.accounts.accounts import AuditActor, BadAccount
from engine.installation import Installation
from storage import audit
from storage.accounts import sessions_and_tokens, user_accounts
from storage.accounts.user_accounts import Account
from storage.incidents.board import iso_time
from web.auth.authentication import AccessDenied, Principal, client_address
from web.http.page_rendering import render_page
from web.http.request_context import RequestContext, RequestContextDep

router = APIRouter(include_in_schema=False)
_SHOWN = 100
_AWAY = 303
Name = Annotated[str, Form(max_length=100)]
Word = Annotated[str, Form(max_length=1_000)]


def _way(request: Request, principal: Principal) -> AuditActor:
    return AuditActor(client_address(request), principal.name, principal.role.word, principal.auth_method)


def _own(principal: Principal) -> str:
    """The name of the account that asks.

    Raises:
        NotAllowed: it is none: the console, or a person's token.
    """
    if not principal.session:
        raise AccessDenied("only a browser that is logged in has an account of its own: log in first")
    return principal.name.removeprefix("@")


# --- one's own -----------------------------------------------------------------------------------------------------


@router.get("/account")
async def show_account(
    request: Request, context: RequestContextDep, said: Annotated[str, Query(max_length=20)] = ""
) -> HTMLResponse:
    """Show the caller's own account, its sessions and the password form."""
    return await _own_page(request, context, said=said)


async def _own_page(
    request: Request, context: RequestContext, status: int = 200, *, said: str = "", wrong: str = ""
) -> HTMLResponse:
    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        if not context.principal.session:
            return {"now": now, "account": None, "sessions": [], "tokens": []}
        name = _own(context.principal)
        with installation.database.read() as connection:
            found = user_accounts.find_account(connection, name)
            sessions = sessions_and_tokens.list_sessions(connection, name, now)
            tokens = sessions_and_tokens.list_tokens(connection, name)
        return {
            "now": now,
            "account": found,
            "sessions": [
                {
                    "made_at": iso_time(one.made_at),
                    "seen_at": iso_time(one.seen_at),
                    "this": one.hash == context.principal.session,
                }
                for one in sessions
            ],
            "tokens": [
                {"id": one.id, "label": one.label, "scopes": one.scopes, "ends_at": iso_time(one.ends_at)}
                for one in tokens
            ],
        }

    found = await context.read(look)
    shortest = keeping.MIN_PASSWORD_LENGTH
    return render_page(request, "account.html", status, said=said, wrong=wrong, shortest=shortest, **found)


@router.post("/account/password")
async def change_password(
    request: Request, context: RequestContextDep, new: Word = "", again: Word = "", old: Word = ""
) -> Response:  # fmt: skip
    """Change the account's password; its other browsers are logged out."""

    def act(installation: Installation, _by: str, now: DateTime) -> None:
        name = _own(context.principal)
        way = _way(request, context.principal)
        with installation.database.read() as connection:
            account = user_accounts.find_account(connection, name)
        if account is not None and account.password:  # whoever finds an open browser must not take it over for good
            try:
                keeping.log_in(installation, name, old, now, way)
            except keeping.LoginRefused:
                raise BadAccount("the present password is not this one: nothing was changed") from None
        if new != again:
            raise BadAccount("the two new passwords are not the same: type it twice")
        keeping.set_password(installation, name, new or " ", way, keep=context.principal.session)

    try:
        await context.write(act, need="look", noted=False)
    except BadAccount as bad:
        return await _own_page(request, context, 422, wrong=str(bad))
    return RedirectResponse("/account?said=password", _AWAY)


# --- everybody's ---------------------------------------------------------------------------------------------------


@router.get("/accounts")
async def show_accounts(request: Request, context: RequestContextDep) -> HTMLResponse:
    """Show every account, with a form to add one."""
    return await _all_page(request, context)


async def _all_page(
    request: Request, context: RequestContext, status: int = 200, *, wrong: str = "", link: str = "", whose: str = ""
) -> HTMLResponse:
    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            found = user_accounts.list_accounts(connection)
        return {"now": now, "accounts": found, "people": installation.roster().people}

    found = await context.read(look, need="users")
    headers = {"referrer-policy": "no-referrer"} if link else None
    return render_page(
        request, "accounts.html", status, headers=headers, roles=ROLES, wrong=wrong, link=link, whose=whose, **found
    )  # fmt: skip


@router.post("/accounts")
async def add_account(
    request: Request,
    context: RequestContextDep,
    name: Name = "",
    role: Name = "",
    person: Name = "",
    password: Word = "",
) -> Response:
    """Add an account; without a password a one-time login link is made and shown."""

    def act(installation: Installation, _by: str, now: DateTime) -> str:
        way = _way(request, context.principal)
        keeping.add_account(installation, Account(name.strip().lower(), person, _role(role)), password, now, way)
        return "" if password else keeping.make_login_link(installation, name.strip().lower(), now, way)

    return await _changed(request, context, act, name)


@router.post("/accounts/{name}/role")
async def change_role(request: Request, context: RequestContextDep, name: str, role: Name = "") -> Response:
    """Change an account's role."""

    def act(installation: Installation, _by: str, _now: DateTime) -> None:
        keeping.set_role(installation, name, _role(role), _way(request, context.principal))

    return await _changed(request, context, act, name)


@router.post("/accounts/{name}/disable")
async def disable_account(request: Request, context: RequestContextDep, name: str) -> Response:
    """Disable an account: it can no longer log in."""
    return await _changed(
        request,
        context,
        lambda installation, _by, now: keeping.disable_account(
            installation, name, now, _way(request, context.principal)
        ),
        name,
    )


@router.post("/accounts/{name}/enable")
async def enable_account(request: Request, context: RequestContextDep, name: str) -> Response:
    """Enable a disabled account again."""
    return await _changed(
        request,
        context,
        lambda installation, _by, _now: keeping.disable_account(
            installation, name, None, _way(request, context.principal)
        ),
        name,
    )


@router.post("/accounts/{name}/link")
async def make_login_link(request: Request, context: RequestContextDep, name: str) -> Response:
    """Make a one-time login link for an account; it is shown only now."""
    return await _changed(
        request,
        context,
        lambda installation, _by, now: keeping.make_login_link(
            installation, name, now, _way(request, context.principal)
        ),
        name,
    )


async def _changed(request: Request, context: RequestContext, act: Any, whose: str) -> Response:
    """Carry out a change of an account; a link that it made is shown on the page that follows."""
    try:
        link = await context.write(act, need="users", noted=False)
    except BadAccount as bad:
        return await _all_page(request, context, 422, wrong=str(bad))
    if link:
        return await _all_page(request, context, link=link, whose=whose)
    return RedirectResponse("/accounts", _AWAY)


def _role(word: str) -> AccessRole:
    try:
        return AccessRole.named(word)
    except ValueError as error:
        raise BadAccount(str(error)) from None


# --- what was asked ------------------------------------------------------------------------------------------------


@router.get("/audit")
async def show_audit_log(
    request: Request,
    context: RequestContextDep,
    before: Annotated[int | None, Query(ge=1, le=10**15)] = None,
    who: Annotated[str, Query(max_length=100)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the audit log: changes and refusals, newest first."""
    if outcome not in ("", "done", "refused"):
        raise CommandRefused("outcome is `done` or `refused`: leave it out for both")

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            rows = audit.read_entries(connection, before=before, who=who, outcome=outcome, limit=_SHOWN + 1)
        more = rows[_SHOWN - 1].id if len(rows) > _SHOWN else None
        entries = [{**asdict(row), "at": iso_time(row.at)} for row in rows[:_SHOWN]]
        return {"now": now, "entries": entries, "more": more, "who": who, "outcome": outcome}

    return render_page(request, "audit.html", **await context.read(look, need="audit"))
