"""`tocsin user`, and what `tocsin up` says of accounts: the real program, its answers by their schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.home import prepare_home
from storage.settings import load_settings
from tests.served import check, served
from tests.typed import type_ as typed_

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


def tocsin(home: Path, *words: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "TOCSIN_HOME": str(home), "LC_ALL": "C.UTF-8", **environment}
    return typed_(*words, environment=given, typed=typed)


def answer(schema: str, home: Path, *words: str, typed: str = "") -> dict[str, Any]:
    done = tocsin(home, "user", *words, "--json", typed=typed)
    assert done.returncode == 0, done.stderr
    return check(schema, json.loads(done.stdout))


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    prepare_home(load_settings(home=home))
    return home


@pytest.mark.slow
def test_an_account_from_first_to_last(laid_out: Path) -> None:
    added = answer("user-added", laid_out, "add", "alice", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    assert added == {"name": "alice", "role": "admin", "person": "alice", "link": None}
    linked = answer("user-added", laid_out, "add", "guest", "--role", "viewer")
    assert "/login/link/" in linked["link"]
    assert linked["person"] == ""
    answer("user-changed", laid_out, "role", "guest", "responder")
    token = answer("user-token", laid_out, "token", "guest", "--scope", "read", "--days", "3", "--label", "wall")
    rows = {one["name"]: one for one in answer("users", laid_out, "list")["accounts"]}
    assert rows["alice"]["password"] is True
    assert rows["guest"]["role"] == "responder"
    assert [one["id"] for one in rows["guest"]["tokens"]] == [token["id"]]
    assert token["token"] not in json.dumps(rows)
    answer("user-changed", laid_out, "token", "guest", "--end", token["id"])
    answer("user-changed", laid_out, "disable", "guest")
    log = answer("audit", laid_out, "audit")["entries"]
    assert [one["deed"] for one in log][-4:] == ["change a role", "make a token", "end a token", "disable an account"]
    assert PASSWORD not in json.dumps(log)


def test_a_link_of_the_command_line_lets_a_browser_in(laid_out: Path, free_port: Any) -> None:
    with served(laid_out, free_port()) as web:
        made = answer("user-link", laid_out, "link")
        secret = made["link"].rpartition("/")[2]
        agent = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}
        with httpx.Client(base_url=web.url, headers=agent, trust_env=False) as browser:
            assert browser.get("/accounts").status_code == 303
            assert browser.post(f"/login/link/{secret}").headers["location"] == "/"
            assert browser.get("/accounts").status_code == 200


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "Al ice"), "1 to 40 characters"),
        (("add", "zed", "--role", "king"), "one of viewer, responder, approver, commander, admin"),
        (("role", "nobody", "admin"), "tocsin user list"),
        (("link", "nobody"), "tocsin user list"),
        (("token", "nobody", "--scope", "read"), "tocsin user list"),
        (("password", "nobody"), "--password-stdin"),
    ],
)
def test_a_mistake_is_one_line_with_what_would_be_right(laid_out: Path, words: tuple[str, ...], why: str) -> None:
    done = tocsin(laid_out, "user", *words)
    assert done.returncode == 1
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_open_address_needs_an_administrator_first(home: Path, free_port: Any) -> None:
    port, prefect = str(free_port()), str(free_port())
    words = ("up", "--host", "0.0.0.0", "--port", port, "--prefect-port", prefect)  # noqa: S104 - it must refuse to
    refused = tocsin(home, *words)
    assert refused.returncode == 1
    assert "`tocsin user add YOU --role admin`" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    added = tocsin(home, "user", "add", "alice", "--role", "admin", TOCSIN_HOST="0.0.0.0")  # noqa: S104 - as in a container
    assert added.returncode == 0, added.stderr
    started = home_says(home, TOCSIN_HOST="0.0.0.0")  # noqa: S104
    assert started.returncode == 0, started.stderr


def home_says(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `up` does before it starts anything."""
    given = {**os.environ, "TOCSIN_HOME": str(home), **environment}
    command = [sys.executable, "-m", "engine.home", "starts"]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_the_first_start_prints_a_link_until_somebody_has_a_password(home: Path) -> None:
    first = home_says(home)
    assert "login link: http://127.0.0.1:7700/login/link/" in first.stdout
    assert "login link: " in home_says(home).stdout
    added = tocsin(home, "user", "add", "alice", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    assert "login link: " not in home_says(home).stdout
