"""Who is asking: a person by their token, or the console of this machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers

from domain.handle import Refused
from engine.house import House
from storage import people

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


class NotKnown(Exception):
    """Nobody whom we know; the message says how to be known."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says of its sender. The token is checked by `person`."""

    token: str
    console: bool


def asking(request: Request) -> Asking:
    """Read the request's headers; nothing is looked up."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme and (scheme.lower() != "bearer" or not token.strip()):
        raise NotKnown("the Authorization header is `Bearer TOKEN`: get one with `tocsin roster token YOU`")
    house: House = request.app.state.house
    return Asking(token.strip(), console=not scheme and from_console(request, house))


def from_console(request: Request, house: House) -> bool:
    """Whether this machine itself asks, by a name that a foreign page cannot take (rebinding)."""
    if any(name in request.headers for name in _FORWARDED):
        return False  # through a proxy: whoever sits behind it is not this machine
    return is_loopback(request) and host_of(request.headers) in allowed_hosts(house)


def is_loopback(request: Request) -> bool:
    """Whether the other end of the connection is on this machine."""
    try:
        return bool(request.client) and ipaddress.ip_address(request.client.host).is_loopback  # type: ignore[union-attr]
    except ValueError:
        return False


def host_of(headers: Headers) -> str:
    """The name under which we were asked, without port."""
    return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()


def allowed_hosts(house: House) -> frozenset[str]:
    """Names that are this machine's, or the public address."""
    public = urlsplit(house.settings.links_url).hostname
    return _LOOPBACK_NAMES | ({public.lower()} if public else set())


def person(house: House, asked: Asking) -> str:
    """The id of the person who asks; empty for the console.

    Raises:
        NotKnown: a token that is nobody's, or none from elsewhere than this machine.
    """
    if asked.token:
        with house.database.read() as connection:
            found = people.person_of(connection, asked.token)
        if found is None:
            raise NotKnown("this token is nobody's: get a new one with `tocsin roster token YOU`")
        return found
    if asked.console:
        return ""
    raise NotKnown("say who you are: send `Authorization: Bearer TOKEN` (from `tocsin roster token YOU`)")


def speaker(house: House, asked: Asking, said: str) -> str:
    """In whose name a command is given. `said`: from the console only, a person of the roster.

    Raises:
        NotKnown: as `person`.
        Refused: somebody with a token speaks as somebody else, or nobody is called that.
    """
    found = person(house, asked)
    if not said or said == found:
        return found
    if found:
        raise Refused(f"this token is {found}'s: leave `as` out, or use {said[:60]}'s token")
    known = house.roster().people
    if said not in known:
        raise Refused(f"the roster does not know {said[:60]!r}: one of {', '.join(known)}")
    return said
