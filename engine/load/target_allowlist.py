"""Allow-list of a drill's targets: host and port of the plan, at the addresses they had when it began."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_PORTS = {"http": 80, "https": 443}


class TargetForbidden(RuntimeError):
    """The request would leave the drill's targets; the text says how."""


def parse_host_and_port(target: str) -> tuple[str, int]:
    """Parse `shop.example:8080` and `[::1]:8080` as host and port.

    Raises:
        ValueError: it is neither.
    """
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]").lower()
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - ports are 16 bits
        raise ValueError(f"{target!r} is not host:port")
    return host, int(port)


@dataclass(frozen=True)
class TargetAllowlist:
    """Allow-list with the addresses behind each name. `allowed`: (host, port) -> addresses."""

    allowed: Mapping[tuple[str, int], frozenset[str]]

    @classmethod
    async def resolve(cls, targets: Iterable[str]) -> TargetAllowlist:
        """Resolve each target once; later resolutions must match these addresses.

        Raises:
            TargetForbidden: a name that cannot be resolved.
        """
        found = {}
        for target in targets:
            host, port = parse_host_and_port(target)
            try:
                rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError:
                raise TargetForbidden(f"target {target}: the name cannot be resolved") from None
            found[host, port] = frozenset(_plain(str(row[4][0])) for row in rows)
        return cls(found)

    def check_url(self, url: str) -> URL:
        """Return the URL if it is of a target.

        Raises:
            TargetForbidden: another host or port, credentials in it, or no HTTP.
        """
        try:
            parsed = URL(url)
            host, port = (parsed.host or "").lower(), parsed.port or _PORTS.get(parsed.scheme, 0)
        except ValueError:
            raise TargetForbidden("a step's address is no URL") from None
        if parsed.scheme not in _PORTS or not host:
            raise TargetForbidden(f"a step's address is not http(s): {parsed.scheme or 'no scheme'}")
        if parsed.user is not None or parsed.password is not None:
            raise TargetForbidden(f"a step's address carries credentials (to {host}): put them in a header")
        if (host, port) not in self.allowed:
            raise TargetForbidden(f"{host}:{port} is not among the drill's targets")
        return parsed

    def check_address(self, host: str, port: int, address: str) -> None:
        """Check that a name still resolves to an address it had when the drill began.

        Raises:
            TargetForbidden: it leads elsewhere by now.
        """
        if _plain(address) not in self.allowed.get((host.lower(), port), frozenset()):
            raise TargetForbidden(f"{host}:{port} resolves to another address than when the drill began")


class AllowlistResolver(AbstractResolver):
    """Resolver that is asked for each new connection, and refuses a name that has moved."""

    def __init__(self, border: TargetAllowlist) -> None:
        self._border = border

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve a target, each address checked against the allow-list; TargetForbidden is passed on."""
        rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        found: list[ResolveResult] = []
        for kind, _, proto, _, address in rows:
            self._border.check_address(host, port, str(address[0]))
            found.append(
                ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=0)
            )
        return found

    async def close(self) -> None:
        """Close nothing: no resource is held."""


def _plain(address: str) -> str:
    """One spelling of an address, without a zone."""
    return str(ipaddress.ip_address(address.partition("%")[0]))
