"""Who is asking, and what they may: a browser by its session, a program by a token, or the console of this machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request
from pendulum import DateTime
from starlette.datastructures import Headers

from domain.access import Role, capped, need, role_of_person
from domain.handle import Refused
from domain.roster import Roster
from engine.house import House
from playbooks.errors import BadFile
from storage import accounts_ways, people
from storage.accounts import Account

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
# What only browsers send. A page of somebody else's can make a browser ask, and never can make it leave these out.
_OF_BROWSERS = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "origin", "cookie", "referer")
_COOKIE = "tocsin_session"
LONGEST_SECRET = 200


class NotKnown(Exception):
    """Nobody whom we know; the message says how to be known."""


class NotAllowed(Exception):
    """We know them, and they may not; the message says who may."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says of its sender. Nothing of it is checked yet."""

    token: str
    console: bool
    session: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody whom we know.

    Attributes:
        name: of the account, or the person's; empty for the console.
        person: of the roster, in whose name commands are given; empty: the account's own name, or nobody's.
        role: what they may do.
        console: this machine itself asks, by no browser.
        way: password, link, single-sign-on, token or console.
        session: the hash of their session; empty without one.
        token: the id of their token, where it is an account's.
        scopes: of their token; empty: no limit.
        seen_at: their session's last sign of life, as it is written.
    """

    name: str = ""
    person: str = ""
    role: Role = Role.NONE
    console: bool = False
    way: str = "none"
    session: str = ""
    token: str = ""
    scopes: tuple[str, ...] = ()
    language: str = ""
    seen_at: DateTime | None = None

    def may(self, deed: Role | str) -> bool:
        """Whether they may: a role, or a deed of `domain.access.NEEDS`."""
        return self.role >= need(deed) or (deed == "samples" and "samples" in self.scopes)

    @property
    def by(self) -> str:
        """In whose name their commands are given; empty for the console."""
        return self.person or self.name


CONSOLE = Asker(role=Role.ADMIN, console=True, way="console")


def asking(request: Request) -> Asking:
    """Read the request's headers; nothing is looked up."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme and (scheme.lower() != "bearer" or not token.strip()):
        raise NotKnown("the Authorization header is `Bearer TOKEN`: get one with `tocsin roster token YOU`")
    house: House = request.app.state.house
    if scheme:
        return Asking(token.strip()[:LONGEST_SECRET], console=False)
    session = request.cookies.get(cookie_name(house), "")
    return Asking("", console=from_console(request, house), session=session[:LONGEST_SECRET])


def cookie_name(house: House) -> str:
    """The name of the session's cookie. `__Host-` has browsers refuse one that another host or plain HTTP set."""
    return f"__Host-{_COOKIE}" if is_secure(house) else _COOKIE


def is_secure(house: House) -> bool:
    """Whether people reach the pages by HTTPS."""
    return house.settings.links_url.startswith("https://")


def is_browser(headers: Headers) -> bool:
    """Whether a browser asks: then only a session says who sits before it, on this machine too."""
    return any(name in headers for name in _OF_BROWSERS) or headers.get("user-agent", "").startswith("Mozilla/")


def is_forwarded(headers: Headers) -> bool:
    """Whether a proxy stands between: whoever sits behind it is not this machine."""
    return any(name in headers for name in _FORWARDED)


def from_console(request: Request, house: House) -> bool:
    """Whether this machine itself asks, by no browser, and by a name that a foreign page cannot take (rebinding)."""
    if is_forwarded(request.headers) or is_browser(request.headers):
        return False
    return is_loopback(request) and host_of(request.headers) in allowed_hosts(house)


def is_loopback(request: Request) -> bool:
    """Whether the other end of the connection is on this machine."""
    try:
        return bool(request.client) and ipaddress.ip_address(request.client.host).is_loopback  # type: ignore[union-attr]
    except ValueError:
        return False


def address_of(request: Request) -> str:
    """From where they ask: behind a proxy on this machine, what that proxy says."""
    said = request.headers.getlist("x-forwarded-for")
    if said and is_loopback(request):
        last = said[-1].rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            return ""
    return request.client.host if request.client else ""


def host_of(headers: Headers) -> str:
    """The name under which we were asked, without port."""
    return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()


def allowed_hosts(house: House) -> frozenset[str]:
    """Names that are this machine's, or the public address."""
    public = urlsplit(house.settings.links_url).hostname
    return _LOOPBACK_NAMES | ({public.lower()} if public else set())


def who(house: House, asked: Asking, now: DateTime) -> Asker:
    """Who asks.

    Raises:
        NotKnown: a token or a session that is nobody's, or none from elsewhere than this machine's console.
    """
    if asked.token:
        return _by_token(house, asked.token, now)
    if asked.session:
        idle = timedelta(hours=house.settings.session_idle_hours)
        with house.database.read() as connection:
            found = accounts_ways.find_session(connection, asked.session, now, idle)
        if found is None:
            raise NotKnown("you are logged out: log in again")
        return _of_account(house, found.account, way=found.way, session=found.hash, seen_at=found.seen_at)
    if asked.console:
        return CONSOLE
    raise NotKnown("say who you are: log in, or send `Authorization: Bearer TOKEN` (from `tocsin roster token YOU`)")


def _by_token(house: House, token: str, now: DateTime) -> Asker:
    with house.database.read() as connection:
        if token.startswith(accounts_ways.TOKEN_BEGINS):
            owned = accounts_ways.find_token(connection, token, now)
            if owned is None:
                raise NotKnown("this token is nobody's or has ended: get a new one with `tocsin user token YOU`")
            account, known = owned
            return _of_account(
                house, account, capped(account.role, known.scopes), way="token", token=known.id, scopes=known.scopes,
                seen_at=known.used_at,
            )  # fmt: skip
        person = people.person_of(connection, token)
    if person is None:
        raise NotKnown("this token is nobody's: get a new one with `tocsin roster token YOU`")
    roster = _roster(house)
    role = role_of_person(roster, person, house.library.all()) if roster else Role.RESPONDER
    return Asker(person, person, role, way="token")


def _of_account(  # noqa: PLR0913 - each says how they came in
    house: House,
    account: Account,
    role: Role | None = None,
    *,
    way: str,
    session: str = "",
    token: str = "",
    scopes: tuple[str, ...] = (),
    seen_at: DateTime | None = None,
) -> Asker:
    roster = _roster(house)
    name = account.name
    if not account.person and roster and name in roster.people:
        name = f"@{name}"  # somebody of that name came onto the roster since: they are not the same
    role = account.role if role is None else role
    return Asker(
        name, account.person, role, way=way, session=session, token=token, scopes=scopes, language=account.language,
        seen_at=seen_at,
    )  # fmt: skip


def _roster(house: House) -> Roster | None:
    try:
        return house.roster()
    except BadFile:
        return None


def speaker(house: House, asker: Asker, said: str) -> str:
    """In whose name a command is given. `said`: from the console only, a person of the roster.

    Raises:
        Refused: somebody who is known speaks as somebody else, or nobody is called that.
    """
    if not said or said == asker.by:
        return asker.by
    if not asker.console:
        mine = "token" if asker.way == "token" else "session"
        raise Refused(f"this {mine} is {asker.by}'s: leave `as` out, or use {said[:60]}'s token")
    known = house.roster().people
    if said not in known:
        raise Refused(f"the roster does not know {said[:60]!r}: one of {', '.join(known)}")
    return said


def demand(asker: Asker, deed: Role | str) -> None:
    """Raise NotAllowed unless they may."""
    if not asker.may(deed):
        least = need(deed).word
        mine = asker.role.word if asker.role else "figures only"
        raise NotAllowed(f"this takes the role {least}, and yours is {mine}: ask an administrator")
