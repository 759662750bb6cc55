"""The web application on a home of its own, behind a real server on a free port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from jsonschema import Draft202012Validator, FormatChecker
from pendulum import DateTime
from playwright.sync_api import BrowserContext, Page

from domain.access import AccessRole
from engine.installation import Installation
from engine.process import clock
from engine.response.turn import lease_turns, take_turn
from storage.accounts import sessions_and_tokens, user_accounts
from storage.accounts.user_accounts import Account
from storage.incidents import incidents, person_tokens
from storage.settings import Settings, load_settings
from tests.clock import BEGINS, clock_of_its_own
from tests.homes import lay_out
from web.app import create_app
from web.auth.authentication import cookie_name
from web.schemas import schema


@dataclass
class Served:
    """Running application, its installation, and a client on this machine."""

    url: str
    port: int
    installation: Installation
    client: httpx.Client

    def declare(self, title: str = "Checkout is down", **fields: Any) -> str:
        """A new incident; its reference."""
        answer = self.client.post("/api/incidents", json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["ref"])

    def token(self, person: str) -> dict[str, str]:
        """The header of a person who shows a new token."""
        with self.installation.database.write() as connection:
            made = person_tokens.replace_person_token(connection, person, clock.now())
        return {"Authorization": f"Bearer {made}"}

    def session(self, role: str = "admin", person: str = "alice") -> dict[str, str]:
        """The headers of a browser that is logged in as an account of that role and person, on a page of ours."""
        name, value = self._cookie(role, person)
        return {"Cookie": f"{name}={value}", "Origin": self.url}

    def login(self, browser: BrowserContext | Page, role: str = "admin", person: str = "alice") -> None:
        """Log a browser in as an account of that role and person."""
        name, value = self._cookie(role, person)
        context = browser if isinstance(browser, BrowserContext) else browser.context
        context.add_cookies([{"name": name, "value": value, "url": self.url, "httpOnly": True, "sameSite": "Lax"}])

    def login_link(self, role: str = "admin", person: str = "alice") -> str:
        """The address that lets such an account in, once."""
        self._cookie(role, person)
        now = clock.now()
        with self.installation.database.write() as connection:
            made = sessions_and_tokens.create_login_link(
                connection, f"{person or 'nobody'}-{role}", now, now.add(hours=1)
            )
        return f"{self.url}/login/link/{made}"

    def _cookie(self, role: str, person: str) -> tuple[str, str]:
        now = clock.now()
        account = Account(f"{person or 'nobody'}-{role}", person, AccessRole.named(role))
        with self.installation.database.write() as connection:
            if user_accounts.find_account(connection, account.name) is None:
                user_accounts.add_account(connection, account, now)
            secret = sessions_and_tokens.create_session(connection, account.name, "password", now, now.add(days=1))
        return cookie_name(self.installation), secret

    def turn(self, ref: str) -> None:
        """What the runner would do: take the turns of an incident that are due."""
        now = clock.now()
        with self.installation.database.read() as connection:
            ids = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))
        for lease in lease_turns(self.installation, ids, now):
            assert take_turn(self.installation, lease, now, driver="prefect", run_id="9f0a") is not None

    def post(self, ref: str, what: str, document: dict[str, Any], **headers: str) -> httpx.Response:
        """One command."""
        return self.client.post(f"/api/incidents/{ref}/{what}", json=document, headers=headers)

    def show(self, ref: str) -> dict[str, Any]:
        """The incident whole, as by its schema."""
        return valid("incident", self.client.get(f"/api/incidents/{ref}"))

    def step(self, ref: str, name: str) -> dict[str, Any]:
        """One step of it."""
        found = [s for stage in self.show(ref)["stages"] for s in stage["steps"] if s["id"] == name]
        assert len(found) == 1, name
        return dict(found[0])


def valid(name: str, answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The answer's document, checked against the schema that ships."""
    assert answer.status_code == status, answer.text
    return check(name, answer.json())


def check(name: str, document: Any) -> dict[str, Any]:
    """A document, checked against the schema of that name."""
    errors = list(Draft202012Validator(schema(name), format_checker=FormatChecker()).iter_errors(document))
    assert errors == [], f"{name}: {errors[0].json_path}: {errors[0].message}"
    return dict(document)


@contextmanager
def served(home: Path, port: int, *, begins: DateTime | None = BEGINS, **settings: Any) -> Iterator[Served]:
    """Serve from a thread until the block ends, by a clock of its own; by the machine's where it begins at None."""
    with clock_of_its_own(begins), _served(load_settings(home=home, port=port, **settings), port) as running:
        yield running


@contextmanager
def _served(chosen: Settings, port: int) -> Iterator[Served]:
    lay_out(chosen)
    installation = Installation(chosen).open()
    config = uvicorn.Config(
        create_app(installation),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < end, "the server took too long"
            time.sleep(0.01)
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            # As a program on this machine: with a cookie it would be a browser, which has to log in.
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            yield Served(url, port, installation, client)
    finally:
        server.should_exit = True
        thread.join(10)
        installation.close()
