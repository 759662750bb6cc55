"""Single sign-on by OpenID Connect: authorization code with PKCE; what the provider says becomes an account."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from pendulum import DateTime

from domain.access import Role
from engine.accounts import NotIn, Way
from engine.house import House
from playbooks.errors import BadFile
from storage import accounts, audit
from storage.accounts import Account
from storage.settings import Settings

BACK = "/login/sso/back"
PENDING = "?"  # before the name of an account that waits for its first single sign-on
_PATIENCE = (4, 8)  # seconds to connect, to answer
_KEPT = 600.0  # seconds for which what the provider publishes of itself is kept
_LEEWAY = 60  # seconds by which its clock may differ from ours
_ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384", "EdDSA"]  # signed by a key of the provider's
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that is under way at the provider; it stays in the browser, signed."""

    state: str
    nonce: str
    verifier: str
    next: str

    def document(self) -> dict[str, str]:
        """To be signed."""
        return asdict(self)


class SingleSignOn:
    """One provider. Blocks while it asks; for threads.

    Every failure is `NotIn` with one line that tells a person what to do and an attacker nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[float, dict[str, Any], Any] | None = None

    def begin(self, to: str) -> tuple[str, Begun]:
        """The address at which they log in, and what must come back."""
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), to)
        published, _keys = self._provider()
        url, _state = self._client().create_authorization_url(
            published["authorization_endpoint"], state=begun.state, nonce=begun.nonce, code_verifier=begun.verifier
        )
        return str(url), begun

    def finish(self, code: str, begun: Begun) -> Mapping[str, Any]:
        """Who they are, from the code that they came back with.

        Raises:
            NotIn: the provider does not answer, or its answer does not hold.
        """
        from requests import RequestException  # noqa: PLC0415

        published, keys = self._provider()
        client = self._client()
        try:
            token = client.fetch_token(
                published["token_endpoint"], code=code, code_verifier=begun.verifier, timeout=_PATIENCE
            )
            claims = self._claims(str(token.get("id_token", "")), keys, begun.nonce)
            if self._settings.oidc_role_claim not in claims and published.get("userinfo_endpoint"):
                more = client.get(published["userinfo_endpoint"], timeout=_PATIENCE).json()
                if more.get("sub") == claims["sub"]:
                    claims = {**more, **claims}
        except (RequestException, ValueError, KeyError, AttributeError) as error:
            raise NotIn("the provider's answer does not hold: try again, or log in with a password") from error
        except Exception as error:
            if type(error).__module__.startswith(("authlib", "joserfc")):
                raise NotIn("the provider's answer does not hold: try again, or log in with a password") from error
            raise
        return claims

    def _claims(self, token: str, keys: Any, nonce: str) -> dict[str, Any]:
        from joserfc import jwt  # noqa: PLC0415

        said = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        mine = self._settings.oidc_client_id
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._settings.oidc_issuer},
            aud={"essential": True, "value": mine},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(said)
        if isinstance(said["aud"], list) and len(said["aud"]) > 1 and said.get("azp") != mine:
            raise ValueError("made for another client")
        return dict(said)

    def _client(self) -> Any:
        from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415 - a third of a second

        chosen = self._settings
        client = OAuth2Session(
            chosen.oidc_client_id,
            chosen.oidc_client_secret or None,
            scope=chosen.oidc_scopes,
            redirect_uri=f"{chosen.links_url}{BACK}",
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if chosen.oidc_client_secret else "none",
        )
        client.trust_env = urlsplit(chosen.oidc_issuer).hostname not in ("127.0.0.1", "localhost", "::1")
        return client

    def _provider(self) -> tuple[dict[str, Any], Any]:
        """What the provider publishes of itself, and the keys with which it signs."""
        from joserfc.jwk import KeySet  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        if self._known is not None and time.monotonic() - self._known[0] < _KEPT:
            return self._known[1], self._known[2]
        issuer = self._settings.oidc_issuer
        client = self._client()
        try:
            where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            published = client.get(where, withhold_token=True, timeout=_PATIENCE).json()
            if published["issuer"] != issuer:
                raise NotIn("the provider calls itself otherwise: check TOCSIN_OIDC_ISSUER")
            keys = KeySet.import_key_set(
                client.get(published["jwks_uri"], withhold_token=True, timeout=_PATIENCE).json()
            )
        except (RequestException, ValueError, KeyError) as error:
            raise NotIn(
                "the provider of single sign-on does not answer: log in with a password or by a link"
            ) from error
        self._known = time.monotonic(), published, keys
        return published, keys

    def forget(self) -> None:
        """Ask the provider anew: it may have changed its keys."""
        self._known = None


@lru_cache(maxsize=8)
def roles_of(setting: str) -> dict[str, Role]:
    """`oncall=responder,leads=commander` as a table; what is no role is left out."""
    found = {}
    for part in setting.split(","):
        value, _, word = part.strip().rpartition("=")
        try:
            found[value.strip()] = Role.named(word.strip())
        except ValueError:
            continue
    return {value: role for value, role in found.items() if value}


def role_of(settings: Settings, claims: Mapping[str, Any]) -> Role | None:
    """The highest role that a value of the claim gives; None for none."""
    said = claims.get(settings.oidc_role_claim, [])
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    table = roles_of(settings.oidc_roles)
    return max((table[value] for value in values if isinstance(value, str) and value in table), default=None)


def account_for(house: House, claims: Mapping[str, Any], now: DateTime, way: Way) -> Account:
    """The account of whoever the provider says they are; made or brought up to date.

    Raises:
        NotIn: they have none and get none.
    """
    settings = house.settings
    subject = f"{settings.oidc_issuer}|{claims['sub']}"[:400]
    name = _name(claims, settings)
    role = role_of(settings, claims)
    with house.database.write() as connection:
        known = accounts.by_subject(connection, subject)
        if known is None and (waiting := accounts.by_subject(connection, f"{PENDING}{name}")) is not None:
            accounts.change(connection, waiting.name, subject=subject)
            audit.add(connection, way.entry("bind to single sign-on", waiting.name))
            known = accounts.find(connection, waiting.name)
        if known is not None:
            if role is not None and role is not known.role:
                accounts.change(connection, known.name, role=role.word)
                audit.add(connection, way.entry("change a role", f"{known.name}: {known.role.word} -> {role.word}"))
            return accounts.find(connection, known.name) or known
        if role is None and settings.oidc_unknown == "viewer":
            role = Role.VIEWER
        taken = not name or accounts.find(connection, name) is not None
        if role is None or taken:
            audit.add(connection, way.entry("log in", f"single sign-on of {name}", "refused"))
        else:
            made = Account(name, _person(house, name), role, subject=subject)
            accounts.add(connection, made, now)
            audit.add(connection, way.entry("add an account", f"{name}, {role.word}, by single sign-on"))
    if role is None:
        raise NotIn("you have no account here: ask an administrator for one")
    if taken:
        raise NotIn("an account of your name is there already: ask an administrator to bind it to single sign-on")
    return made


def _name(claims: Mapping[str, Any], settings: Settings) -> str:
    said = str(claims.get(settings.oidc_name_claim) or claims.get("email") or "").partition("@")[0]
    return _NOT_IN_NAMES.sub("-", said.lower()).strip("-._")[:40]


def _person(house: House, name: str) -> str:
    try:
        return name if name in house.roster().people else ""
    except BadFile:
        return ""
