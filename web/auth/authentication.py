"""Authentication and permission: browser sessions, API tokens, and the console of this machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request
from pendulum import DateTime
from starlette.datastructures import Headers

from domain.access import AccessRole, cap_role, required_role, role_of_person
from domain.command_handlers import CommandRefused
from domain.roster import Roster
from engine.installation import Installation
from playbooks.errors import BadFile
from storage.accounts import sessions_and_tokens
from storage.accounts.user_accounts import Account
from storage.incidents import person_tokens

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
# What only browsers send. A page of somebody else's can make a browser ask, and never can make it leave these out.
_OF_BROWSERS = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "origin", "cookie", "referer")
_COOKIE = "tocsin_session"
LONGEST_SECRET = 200


class NotAuthenticated(Exception):
    """The request's sender is not authenticated; the message says how to authenticate."""


class AccessDenied(Exception):
    """The principal lacks the permission; the message says which role has it."""


@dataclass(frozen=True, slots=True)
class RequestCredentials:
    """Credentials as a request presents them; nothing is verified yet."""

    token: str
    console: bool
    session: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        name: of the account, or the person's; empty for the console.
        person: of the roster, in whose name commands are given; empty: the account's own name, or nobody's.
        role: what the caller may do.
        console: a program on this machine itself asks, no browser.
        auth_method: password, link, single-sign-on, token or console.
        session: hash of the session; empty without one.
        token: id of the token, where it is an account's.
        scopes: of the token; empty: no limit.
        seen_at: the session's last sign of life, as it is written.
    """

    name: str = ""
    person: str = ""
    role: AccessRole = AccessRole.NONE
    console: bool = False
    auth_method: str = "none"
    session: str = ""
    token: str = ""
    scopes: tuple[str, ...] = ()
    language: str = ""
    seen_at: DateTime | None = None

    def may(self, deed: AccessRole | str) -> bool:
        """Whether the principal has a permission: a role, or a deed of `domain.access.NEEDS`."""
        return self.role >= required_role(deed) or (deed == "samples" and "samples" in self.scopes)

    @property
    def by(self) -> str:
        """Person in whose name the principal's commands are given; empty for the console."""
        return self.person or self.name


CONSOLE = Principal(role=AccessRole.ADMIN, console=True, auth_method="console")


def read_credentials(request: Request, installation: Installation) -> RequestCredentials:
    """Read the credentials from the request's headers; nothing is looked up."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme and (scheme.lower() != "bearer" or not token.strip()):
        raise NotAuthenticated("the Authorization header is `Bearer TOKEN`: get one with `tocsin roster token YOU`")
    if scheme:
        return RequestCredentials(token.strip()[:LONGEST_SECRET], console=False)
    session = request.cookies.get(cookie_name(installation), "")
    return RequestCredentials("", console=is_console(request, installation), session=session[:LONGEST_SECRET])


def cookie_name(installation: Installation) -> str:
    """The name of the session's cookie. `__Host-` has browsers refuse one that another host or plain HTTP set."""
    return f"__Host-{_COOKIE}" if is_secure(installation) else _COOKIE


def is_secure(installation: Installation) -> bool:
    """Whether the pages are reached by HTTPS."""
    return installation.settings.links_url.startswith("https://")


def is_browser(headers: Headers) -> bool:
    """Whether a browser sends the request: then only a session authenticates it, on this machine too."""
    return any(name in headers for name in _OF_BROWSERS) or headers.get("user-agent", "").startswith("Mozilla/")


def is_forwarded(headers: Headers) -> bool:
    """Whether a proxy forwarded the request: then its sender is not this machine."""
    return any(name in headers for name in _FORWARDED)


def is_console(request: Request, installation: Installation) -> bool:
    """Whether a program on this machine asks, not a browser, by a host name safe from DNS rebinding."""
    if is_forwarded(request.headers) or is_browser(request.headers):
        return False
    return is_loopback(request) and host_name(request.headers) in allowed_hosts(installation)


def is_loopback(request: Request) -> bool:
    """Whether the other end of the connection is on this machine."""
    try:
        return bool(request.client) and ipaddress.ip_address(request.client.host).is_loopback  # type: ignore[union-attr]
    except ValueError:
        return False


def client_address(request: Request) -> str:
    """Network address of the client; behind a proxy on this machine, the one that the proxy reports."""
    said = request.headers.getlist("x-forwarded-for")
    if said and is_loopback(request):
        last = said[-1].rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            return ""
    return request.client.host if request.client else ""


def host_name(headers: Headers) -> str:
    """Host name in the request, without the port."""
    return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()


def allowed_hosts(installation: Installation) -> frozenset[str]:
    """Host names that this installation answers to: this machine's and the public address's."""
    public = urlsplit(installation.settings.links_url).hostname
    return _LOOPBACK_NAMES | ({public.lower()} if public else set())


def authenticate(installation: Installation, asked: RequestCredentials, now: DateTime) -> Principal:
    """Authenticate the sender of a request.

    Raises:
        NotAuthenticated: a token or a session that is nobody's, or none from elsewhere than this machine's
            console.
    """
    if asked.token:
        return _by_token(installation, asked.token, now)
    if asked.session:
        idle = timedelta(hours=installation.settings.session_idle_hours)
        with installation.database.read() as connection:
            found = sessions_and_tokens.find_session(connection, asked.session, now, idle)
        if found is None:
            raise NotAuthenticated("you are logged out: log in again")
        return _of_account(installation, found.account, way=found.way, session=found.hash, seen_at=found.seen_at)
    if asked.console:
        return CONSOLE
    raise NotAuthenticated(
        "say who you are: log in, or send `Authorization: Bearer TOKEN` (from `tocsin roster token YOU`)"
    )


def _by_token(installation: Installation, token: str, now: DateTime) -> Principal:
    with installation.database.read() as connection:
        if token.startswith(sessions_and_tokens.TOKEN_PREFIX):
            owned = sessions_and_tokens.find_token(connection, token, now)
            if owned is None:
                raise NotAuthenticated(
                    "this token is nobody's or has ended: get a new one with `tocsin user token YOU`"
                )
            account, known = owned
            return _of_account(
                installation,
                account,
                cap_role(account.role, known.scopes),
                way="token",
                token=known.id,
                scopes=known.scopes,
                seen_at=known.used_at,
            )
        person = person_tokens.find_person(connection, token)
    if person is None:
        raise NotAuthenticated("this token is nobody's: get a new one with `tocsin roster token YOU`")
    roster = _roster(installation)
    role = role_of_person(roster, person, installation.library.all()) if roster else AccessRole.RESPONDER
    return Principal(person, person, role, auth_method="token")


def _of_account(  # noqa: PLR0913 - each says how they came in
    installation: Installation,
    account: Account,
    role: AccessRole | None = None,
    *,
    way: str,
    session: str = "",
    token: str = "",
    scopes: tuple[str, ...] = (),
    seen_at: DateTime | None = None,
) -> Principal:
    roster = _roster(installation)
    name = account.name
    if not account.person and roster and name in roster.people:
        name = f"@{name}"  # somebody of that name came onto the roster since: they are not the same
    role = account.role if role is None else role
    return Principal(
        name,
        account.person,
        role,
        auth_method=way,
        session=session,
        token=token,
        scopes=scopes,
        language=account.language,
        seen_at=seen_at,
    )


def _roster(installation: Installation) -> Roster | None:
    try:
        return installation.roster()
    except BadFile:
        return None


def resolve_speaker(installation: Installation, principal: Principal, said: str) -> str:
    """Person in whose name a command is given. `said`: a person of the roster, from the console only.

    Raises:
        Refused: somebody who is known speaks as somebody else, or nobody is called that.
    """
    if not said or said == principal.by:
        return principal.by
    if not principal.console:
        mine = "token" if principal.auth_method == "token" else "session"
        raise CommandRefused(f"this {mine} is {principal.by}'s: leave `as` out, or use {said[:60]}'s token")
    known = installation.roster().people
    if said not in known:
        raise CommandRefused(f"the roster does not know {said[:60]!r}: one of {', '.join(known)}")
    return said


def require_permission(principal: Principal, deed: AccessRole | str) -> None:
    """Raise `AccessDenied` unless the principal has the permission."""
    if not principal.may(deed):
        least = required_role(deed).word
        mine = principal.role.word if principal.role else "figures only"
        raise AccessDenied(f"this takes the role {least}, and yours is {mine}: ask an administrator")
