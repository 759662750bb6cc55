"""The pages of accounts: one's own, everybody's for an administrator, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pendulum import DateTime

from domain.access import ROLES, Role
from domain.handle import Refused
from engine import accounts as keeping
from engine.accounts import BadAccount, Way
from engine.house import House
from storage import accounts, accounts_ways, audit
from storage.accounts import Account
from storage.board import iso
from web.asking import Asker, NotAllowed, address_of
from web.desk import AtDesk, Desk
from web.language import page

router = APIRouter(include_in_schema=False)
_SHOWN = 100
_AWAY = 303
Name = Annotated[str, Form(max_length=100)]
Word = Annotated[str, Form(max_length=1_000)]


def _way(request: Request, asker: Asker) -> Way:
    return Way(address_of(request), asker.name, asker.role.word, asker.way)


def _own(asker: Asker) -> str:
    """The name of the account that asks.

    Raises:
        NotAllowed: it is none: the console, or a person's token.
    """
    if not asker.session:
        raise NotAllowed("only a browser that is logged in has an account of its own: log in first")
    return asker.name.removeprefix("@")


# --- one's own -----------------------------------------------------------------------------------------------------


@router.get("/account")
async def show_own(request: Request, desk: AtDesk, said: Annotated[str, Query(max_length=20)] = "") -> HTMLResponse:
    """Who I am here, where I am logged in, my password."""
    return await _own_page(request, desk, said=said)


async def _own_page(
    request: Request, desk: Desk, status: int = 200, *, said: str = "", wrong: str = ""
) -> HTMLResponse:
    def look(house: House, now: DateTime) -> dict[str, Any]:
        if not desk.asker.session:
            return {"now": now, "account": None, "sessions": [], "tokens": []}
        name = _own(desk.asker)
        with house.database.read() as connection:
            found = accounts.find(connection, name)
            sessions = accounts_ways.sessions_of(connection, name, now)
            tokens = accounts_ways.tokens(connection, name)
        return {
            "now": now,
            "account": found,
            "sessions": [
                {"made_at": iso(one.made_at), "seen_at": iso(one.seen_at), "this": one.hash == desk.asker.session}
                for one in sessions
            ],
            "tokens": [
                {"id": one.id, "label": one.label, "scopes": one.scopes, "ends_at": iso(one.ends_at)} for one in tokens
            ],
        }  # fmt: skip

    found = await desk.read(look)
    shortest = keeping.SHORTEST
    return page(request, "account.html", status, said=said, wrong=wrong, shortest=shortest, **found)


@router.post("/account/password")
async def change_password(
    request: Request, desk: AtDesk, new: Word = "", again: Word = "", old: Word = ""
) -> Response:  # fmt: skip
    """A new password; other browsers of the account are logged out."""

    def act(house: House, _by: str, now: DateTime) -> None:
        name = _own(desk.asker)
        way = _way(request, desk.asker)
        with house.database.read() as connection:
            account = accounts.find(connection, name)
        if account is not None and account.password:  # whoever finds an open browser must not take it over for good
            try:
                keeping.log_in(house, name, old, now, way)
            except keeping.NotIn:
                raise BadAccount("the present password is not this one: nothing was changed") from None
        if new != again:
            raise BadAccount("the two new passwords are not the same: type it twice")
        keeping.set_password(house, name, new or " ", way, keep=desk.asker.session)

    try:
        await desk.write(act, need="look", noted=False)
    except BadAccount as bad:
        return await _own_page(request, desk, 422, wrong=str(bad))
    return RedirectResponse("/account?said=password", _AWAY)


# --- everybody's ---------------------------------------------------------------------------------------------------


@router.get("/accounts")
async def show_all(request: Request, desk: AtDesk) -> HTMLResponse:
    """Every account, and a form for another one."""
    return await _all_page(request, desk)


async def _all_page(
    request: Request, desk: Desk, status: int = 200, *, wrong: str = "", link: str = "", whose: str = ""
) -> HTMLResponse:
    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            found = accounts.every(connection)
        return {"now": now, "accounts": found, "people": house.roster().people}

    found = await desk.read(look, need="users")
    headers = {"referrer-policy": "no-referrer"} if link else None
    return page(
        request, "accounts.html", status, headers=headers, roles=ROLES, wrong=wrong, link=link, whose=whose, **found
    )  # fmt: skip


@router.post("/accounts")
async def add(
    request: Request, desk: AtDesk, name: Name = "", role: Name = "", person: Name = "", password: Word = ""
) -> Response:  # fmt: skip
    """Another account; without a password it comes in by a link, which is shown."""

    def act(house: House, _by: str, now: DateTime) -> str:
        way = _way(request, desk.asker)
        keeping.add(house, Account(name.strip().lower(), person, _role(role)), password, now, way)
        return "" if password else keeping.make_link(house, name.strip().lower(), now, way)

    return await _changed(request, desk, act, name)


@router.post("/accounts/{name}/role")
async def change_role(request: Request, desk: AtDesk, name: str, role: Name = "") -> Response:
    """What an account may."""

    def act(house: House, _by: str, _now: DateTime) -> None:
        keeping.set_role(house, name, _role(role), _way(request, desk.asker))

    return await _changed(request, desk, act, name)


@router.post("/accounts/{name}/disable")
async def disable(request: Request, desk: AtDesk, name: str) -> Response:
    """Nobody comes in as this account any more."""
    return await _changed(
        request, desk, lambda house, _by, now: keeping.disable(house, name, now, _way(request, desk.asker)), name
    )  # fmt: skip


@router.post("/accounts/{name}/enable")
async def enable(request: Request, desk: AtDesk, name: str) -> Response:
    """They may come in again."""
    return await _changed(
        request, desk, lambda house, _by, _now: keeping.disable(house, name, None, _way(request, desk.asker)), name
    )  # fmt: skip


@router.post("/accounts/{name}/link")
async def make_link(request: Request, desk: AtDesk, name: str) -> Response:
    """A link by which they come in once; it is shown this once."""
    return await _changed(
        request, desk, lambda house, _by, now: keeping.make_link(house, name, now, _way(request, desk.asker)), name
    )  # fmt: skip


async def _changed(request: Request, desk: Desk, act: Any, whose: str) -> Response:
    """Carry out a change of an account; a link that it made is shown on the page that follows."""
    try:
        link = await desk.write(act, need="users", noted=False)
    except BadAccount as bad:
        return await _all_page(request, desk, 422, wrong=str(bad))
    if link:
        return await _all_page(request, desk, link=link, whose=whose)
    return RedirectResponse("/accounts", _AWAY)


def _role(word: str) -> Role:
    try:
        return Role.named(word)
    except ValueError as error:
        raise BadAccount(str(error)) from None


# --- what was asked ------------------------------------------------------------------------------------------------


@router.get("/audit")
async def show_audit(
    request: Request,
    desk: AtDesk,
    before: Annotated[int | None, Query(ge=1, le=10**15)] = None,
    who: Annotated[str, Query(max_length=100)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Changes and refusals, the newest first."""
    if outcome not in ("", "done", "refused"):
        raise Refused("outcome is `done` or `refused`: leave it out for both")

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            rows = audit.read(connection, before=before, who=who, outcome=outcome, limit=_SHOWN + 1)
        more = rows[_SHOWN - 1].id if len(rows) > _SHOWN else None
        entries = [{**row._asdict(), "at": iso(row.at)} for row in rows[:_SHOWN]]
        return {"now": now, "entries": entries, "more": more, "who": who, "outcome": outcome}

    return page(request, "audit.html", **await desk.read(look, need="audit"))
