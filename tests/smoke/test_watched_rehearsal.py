"""A rehearsal watched live, from its declaration to its report, by three people of three roles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pendulum
import pytest
from playwright.sync_api import Browser, Page, expect

from domain.access import AccessRole
from storage.accounts import sessions_and_tokens
from storage.accounts.user_accounts import Account, add_account
from storage.database import Database
from tests.browser.conftest import browser as browser  # noqa: PLC0414 - the fixture, for this folder too
from tests.smoke.installed import DATA, ROOT, Installation, running

WATCHERS = (  # role, person, locale, screen
    ("viewer", "erik", "en-US", {"width": 1280, "height": 900}),
    ("approver", "wangjie", "zh-CN", {"width": 390, "height": 844}),
    ("commander", "alice", "en-US", {"width": 390, "height": 844}),
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("watched")
    (home / "playbooks").mkdir()
    shutil.copy(DATA / "short-response.yaml", home / "playbooks")
    yield from running(home, (free_port(), free_port()))


def opened(stack: Installation, browser: Browser, role: str, person: str, locale: str, size: dict[str, int]) -> Page:
    url = f"http://127.0.0.1:{stack.port}"
    database, now = Database(f"sqlite+pysqlite:///{stack.home / 'tocsin.db'}"), pendulum.now("UTC")
    with database.write() as connection:
        add_account(connection, Account(person, person, AccessRole.named(role)), now)
        secret = sessions_and_tokens.create_session(connection, person, "password", now, now.add(hours=1))
    database.close()
    context = browser.new_context(locale=locale, viewport=size)  # type: ignore[arg-type]
    cookie = {"name": "tocsin_session", "value": secret, "url": url, "httpOnly": True, "sameSite": "Lax"}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(url)
    return page


def test_three_people_watch_it_from_declaration_to_report(stack: Installation, browser: Browser) -> None:
    pages = [opened(stack, browser, *watcher) for watcher in WATCHERS]
    command = [sys.executable, "-m", "cli.main", "rehearse", "short-response", "--speed", "90", "--until", "22m",
               "--tolerance", "4", "--auto", "--json"]  # fmt: skip
    held = subprocess.Popen(command, cwd=ROOT, env=stack.environment, stdout=subprocess.PIPE, text=True)
    try:
        for page in pages:  # it appears on every board by itself, marked as what it is
            card = page.locator("article.is-drill")
            expect(card).to_have_count(1, timeout=20_000)
            expect(card.locator(".badge.drill")).to_have_text("DRILL 演练")
            card.locator("h2 a").click()
            expect(page.locator("p.drill")).to_be_visible()
        counts: list[set[int]] = [set() for _ in pages]
        while held.poll() is None:  # it is seen moving, on every screen, without a reload
            for page, seen in zip(pages, counts, strict=True):
                seen.add(page.locator(".step.done, .step.acknowledged").count())
                page.wait_for_timeout(200)
        document: dict[str, Any] = json.loads((held.stdout or sys.stdin).read())
    finally:
        held.kill()
        held.wait(10)
    assert document["verdict"] == "PASS", document
    assert all(len(seen) > 2 for seen in counts), counts
    done = len([step for step in document["steps"] if step])
    assert done > 0
    for page in pages:
        expect(page.locator("#publications .badge.sent").first).to_be_attached()
        page.goto(f"http://127.0.0.1:{stack.port}/documents")
        page.locator("a", has_text=re.compile("rehearsal/")).first.click()
        expect(page.locator("h1")).to_contain_text(document["incident"])
        expect(page.locator("body")).to_contain_text("PASS")
        page.context.close()
