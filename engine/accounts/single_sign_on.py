"""Single sign-on by OpenID Connect: authorization code with PKCE; the provider's claims become an account."""

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

from domain.access import AccessRole
from engine.accounts.accounts import AuditActor, LoginRefused
from engine.installation import Installation
from playbooks.errors import BadFile
from storage import audit
from storage.accounts import user_accounts
from storage.accounts.user_accounts import Account
from storage.settings import Settings

CALLBACK_PATH = "/login/sso/back"
PENDING_PREFIX = "?"  # before the name of an account that waits for its first single sign-on
_PATIENCE = (4, 8)  # seconds to connect, to answer
_KEPT = 600.0  # seconds for which what the provider publishes of itself is kept
_LEEWAY = 60  # seconds by which its clock may differ from ours
_ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384", "EdDSA"]  # signed by a key of the provider's
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login that is under way at the provider; it stays in the browser, signed."""

    state: str
    nonce: str
    verifier: str
    next: str

    def document(self) -> dict[str, str]:
        """To be signed."""
        return asdict(self)


class SingleSignOn:
    """Client of one OpenID Connect provider. Blocks while it asks; for threads.

    Every failure is `LoginRefused` with one line that tells a person what to do and an attacker nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[float, dict[str, Any], Any] | None = None

    def begin(self, to: str) -> tuple[str, PendingLogin]:
        """Return the address at which the person logs in, and the pending login that must come back."""
        begun = PendingLogin(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), to)
        published, _keys = self._provider()
        url, _state = self._client().create_authorization_url(
            published["authorization_endpoint"], state=begun.state, nonce=begun.nonce, code_verifier=begun.verifier
        )
        return str(url), begun

    def finish(self, code: str, begun: PendingLogin) -> Mapping[str, Any]:
        """Exchange the code that came back for the person's claims.

        Raises:
            LoginRefused: the provider does not answer, or its answer does not hold.
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
            raise LoginRefused("the provider's answer does not hold: try again, or log in with a password") from error
        except Exception as error:
            if type(error).__module__.startswith(("authlib", "joserfc")):
                raise LoginRefused(
                    "the provider's answer does not hold: try again, or log in with a password"
                ) from error
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
            redirect_uri=f"{chosen.links_url}{CALLBACK_PATH}",
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
                raise LoginRefused("the provider calls itself otherwise: check TOCSIN_OIDC_ISSUER")
            keys = KeySet.import_key_set(
                client.get(published["jwks_uri"], withhold_token=True, timeout=_PATIENCE).json()
            )
        except (RequestException, ValueError, KeyError) as error:
            raise LoginRefused(
                "the provider of single sign-on does not answer: log in with a password or by a link"
            ) from error
        self._known = time.monotonic(), published, keys
        return published, keys

    def forget_provider(self) -> None:
        """Forget what the provider publishes, so that it is asked anew: it may have changed its keys."""
        self._known = None


@lru_cache(maxsize=8)
def parse_roles(setting: str) -> dict[str, AccessRole]:
    """Parse `oncall=responder,leads=commander` into a table; what is no role is left out."""
    found = {}
    for part in setting.split(","):
        value, _, word = part.strip().rpartition("=")
        try:
            found[value.strip()] = AccessRole.named(word.strip())
        except ValueError:
            continue
    return {value: role for value, role in found.items() if value}


def highest_role(settings: Settings, claims: Mapping[str, Any]) -> AccessRole | None:
    """Return the highest role that a value of the role claim gives; None for none."""
    said = claims.get(settings.oidc_role_claim, [])
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    table = parse_roles(settings.oidc_roles)
    return max((table[value] for value in values if isinstance(value, str) and value in table), default=None)


def find_or_make_account(
    installation: Installation, claims: Mapping[str, Any], now: DateTime, way: AuditActor
) -> Account:
    """Find the account of the person whom the provider names; make it or bring it up to date.

    Raises:
        LoginRefused: they have none and get none.
    """
    settings = installation.settings
    subject = f"{settings.oidc_issuer}|{claims['sub']}"[:400]
    name = _name(claims, settings)
    role = highest_role(settings, claims)
    with installation.database.write() as connection:
        known = user_accounts.find_account_by_subject(connection, subject)
        if (
            known is None
            and (waiting := user_accounts.find_account_by_subject(connection, f"{PENDING_PREFIX}{name}")) is not None
        ):
            user_accounts.update_account(connection, waiting.name, subject=subject)
            audit.add_entries(connection, way.entry("bind to single sign-on", waiting.name))
            known = user_accounts.find_account(connection, waiting.name)
        if known is not None:
            if role is not None and role is not known.role:
                user_accounts.update_account(connection, known.name, role=role.word)
                audit.add_entries(
                    connection, way.entry("change a role", f"{known.name}: {known.role.word} -> {role.word}")
                )
            return user_accounts.find_account(connection, known.name) or known
        if role is None and settings.oidc_unknown == "viewer":
            role = AccessRole.VIEWER
        taken = not name or user_accounts.find_account(connection, name) is not None
        if role is None or taken:
            audit.add_entries(connection, way.entry("log in", f"single sign-on of {name}", "refused"))
        else:
            made = Account(name, _person(installation, name), role, subject=subject)
            user_accounts.add_account(connection, made, now)
            audit.add_entries(connection, way.entry("add an account", f"{name}, {role.word}, by single sign-on"))
    if role is None:
        raise LoginRefused("you have no account here: ask an administrator for one")
    if taken:
        raise LoginRefused(
            "an account of your name is there already: ask an administrator to bind it to single sign-on"
        )
    return made


def _name(claims: Mapping[str, Any], settings: Settings) -> str:
    said = str(claims.get(settings.oidc_name_claim) or claims.get("email") or "").partition("@")[0]
    return _NOT_IN_NAMES.sub("-", said.lower()).strip("-._")[:40]


def _person(installation: Installation, name: str) -> str:
    try:
        return name if name in installation.roster().people else ""
    except BadFile:
        return ""
