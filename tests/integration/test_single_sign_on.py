"""Single sign-on against a provider that runs as a process of its own and signs with a real key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from domain.access import AccessRole
from engine.accounts import accounts as keeping
from engine.accounts.accounts import AuditActor
from engine.accounts.single_sign_on import PENDING_PREFIX, parse_roles
from storage.accounts import user_accounts
from storage.accounts.user_accounts import Account
from tests.served import Served, served

ROOT = Path(__file__).resolve().parents[2]
DORA = {"sub": "u-17", "preferred_username": "Dora", "groups": ["oncall"]}


@dataclass
class Provider:
    url: str

    def logs_in(self, claims: dict[str, Any], twist: str = "") -> None:
        httpx.post(f"{self.url}/mood", json={"claims": claims, "twist": twist}, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def provider(free_port: Callable[[], int]) -> Iterator[Provider]:
    port = free_port()
    command = [sys.executable, "-m", "tests.provider", str(port), "tocsin", "s3cret"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Provider(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int], provider: Provider) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    settings: dict[str, Any] = {
        "oidc_issuer": provider.url, "oidc_client_id": "tocsin", "oidc_client_secret": "s3cret",
        "oidc_roles": "oncall=responder, leads=commander, from-userinfo=approver",
    }  # fmt: skip
    with served(home, free_port(), **settings) as running:
        yield running


def browser(web: Served) -> httpx.Client:
    headers = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}
    return httpx.Client(base_url=web.url, headers=headers, follow_redirects=True, trust_env=False, timeout=20)


def log_in(web: Served, to: str = "/account") -> httpx.Response:
    with browser(web) as one:
        return one.get("/login/sso", params={"next": to})


def account(web: Served, name: str) -> Account | None:
    with web.installation.database.read() as connection:
        return user_accounts.find_account(connection, name)


def test_whoever_the_provider_knows_comes_in_with_the_role_of_their_group(web: Served, provider: Provider) -> None:
    provider.logs_in(DORA)
    page = log_in(web)
    assert page.status_code == 200
    assert page.url.path == "/account"
    assert "dora" in page.text
    made = account(web, "dora")
    assert made is not None
    assert (made.role, made.person, made.password) == (AccessRole.RESPONDER, "dora", "")
    provider.logs_in(DORA | {"preferred_username": "renamed", "groups": ["oncall", "leads"]})
    assert log_in(web).status_code == 200
    again = account(web, "dora")
    assert again is not None
    assert again.role is AccessRole.COMMANDER, "known by the provider's own id, brought up to date"
    assert account(web, "renamed") is None


def test_a_role_that_only_userinfo_gives_counts(web: Served, provider: Provider) -> None:
    provider.logs_in({"sub": "u-20", "preferred_username": "gus"})
    assert log_in(web).status_code == 200
    made = account(web, "gus")
    assert made is not None
    assert made.role is AccessRole.APPROVER


@pytest.mark.parametrize("twist", ["issuer", "audience", "expired", "nonce", "key", "unsigned"])
def test_a_token_that_does_not_hold_lets_nobody_in(web: Served, provider: Provider, twist: str) -> None:
    provider.logs_in({"sub": "u-18", "preferred_username": "hana", "groups": ["oncall"]}, twist)
    page = log_in(web)
    assert page.status_code == 401
    assert "does not hold" in page.text
    assert "tocsin_session" not in str(page.headers.get_list("set-cookie"))
    assert account(web, "hana") is None


def test_a_code_comes_in_only_by_the_browser_that_went(web: Served, provider: Provider) -> None:
    """Whoever is made to open another's way back does not come in as them (login CSRF), nor twice."""
    provider.logs_in(DORA)
    with browser(web) as mine, browser(web) as victim:
        mine.follow_redirects = False
        at_provider = mine.get("/login/sso").headers["location"]
        back = httpx.get(at_provider, trust_env=False).headers["location"]
        assert victim.get(back).status_code == 401
        come = mine.get(back)
        assert (come.status_code, come.headers["location"]) == (303, "/")
        assert mine.get(back).status_code == 401, "used up"


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example", "/login/sso"])
def test_it_leads_nowhere_else(web: Served, provider: Provider, to: str) -> None:
    provider.logs_in(DORA)
    page = log_in(web, to)
    assert (urlsplit(str(page.url)).netloc, page.url.path) == (urlsplit(web.url).netloc, "/")


def test_who_has_no_group_is_refused_unless_viewers_are_welcome(
    web: Served, provider: Provider, home: Path, free_port: Callable[[], int]
) -> None:
    provider.logs_in({"sub": "u-30", "preferred_username": "guest", "groups": ["others"]})
    page = log_in(web)
    assert page.status_code == 401
    assert "ask an administrator" in page.text
    options: dict[str, Any] = {"oidc_issuer": provider.url, "oidc_client_id": "tocsin", "oidc_client_secret": "s3cret"}
    with served(home, free_port(), **options, oidc_unknown="viewer") as other:
        assert log_in(other).status_code == 200
        made = account(other, "guest")
        assert made is not None
        assert made.role is AccessRole.VIEWER


def test_an_account_of_that_name_is_taken_over_only_where_it_waits_for_it(web: Served, provider: Provider) -> None:
    now = keeping_now()
    keeping.add_account(web.installation, Account("ada", "", AccessRole.ADMIN), "", now, AuditActor())
    keeping.add_account(
        web.installation, Account("eve", "", AccessRole.APPROVER, subject=f"{PENDING_PREFIX}eve"), "", now, AuditActor()
    )
    provider.logs_in({"sub": "u-40", "preferred_username": "ada", "groups": ["oncall"]})
    assert log_in(web).status_code == 401
    ada = account(web, "ada")
    assert ada is not None
    assert ada.subject is None
    provider.logs_in({"sub": "u-41", "preferred_username": "eve"})
    assert log_in(web).status_code == 200
    eve = account(web, "eve")
    assert eve is not None
    assert eve.subject == f"{provider.url}|u-41"


def test_a_disabled_account_stays_out(web: Served, provider: Provider) -> None:
    provider.logs_in({"sub": "u-19", "preferred_username": "erik", "groups": ["oncall"]})
    assert log_in(web).status_code == 200
    with web.installation.database.write() as connection:
        user_accounts.update_account(connection, "erik", disabled_at=keeping_now())
    assert log_in(web).status_code == 401


def keeping_now() -> Any:
    from engine.process.clock import now

    return now()


def test_a_provider_that_does_not_answer_leaves_the_other_ways(home: Path, free_port: Callable[[], int]) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with served(home, free_port(), oidc_issuer=dead, oidc_client_id="tocsin") as web:
        page = log_in(web)
        assert page.status_code == 503
        assert 'name="password"' in page.text


def test_without_a_provider_there_is_no_such_page(home: Path, free_port: Callable[[], int]) -> None:
    with served(home, free_port()) as web, browser(web) as one:
        assert one.get("/login/sso").status_code == 404
        assert "/login/sso" not in one.get("/login").text


def test_the_table_of_roles() -> None:
    assert parse_roles("a=viewer, b = admin,broken,c=king,=viewer") == {"a": AccessRole.VIEWER, "b": AccessRole.ADMIN}
    assert parse_roles("cn=ops,ou=x=commander") == {"ou=x": AccessRole.COMMANDER}
