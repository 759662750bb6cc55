"""Every page of the console: accessible by the rules of axe, readable, as wide as its screen, within its policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.contrast import CONTRAST
from tests.full_installation import PopulatedInstallation, populated_installation

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "img"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# name of the picture -> page; REF and the like are those of the installation.
PAGES = {
    "board": "/",
    "declare": "/declare",
    "incident": "/incidents/REF",
    "text": "/incidents/REF/text?step=four-hour-response:apology/draft",
    "warnings": "/warnings",
    "rule": "/warnings/rules/tier-1-response-time",
    "health": "/health",
    "statements": "/statements?incident=REF",
    "executive": "/executive",
    "follow-ups": "/follow-ups",
    "drills": "/drills",
    "duty": "/duty",
    "history": "/history",
    "documents": "/documents",
    "inbox": "/inbox",
    "login": "/login",
    "account": "/account",
    "accounts": "/accounts",
    "audit": "/audit",
    "status": "/status",
}
SIZES: dict[str, Any] = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[PopulatedInstallation]:
    with populated_installation(tmp_path_factory.mktemp("full"), free_port()) as running:
        yield running


def context_of(
    installation: PopulatedInstallation, browser: Browser, size: str, scheme: str, locale: str
) -> BrowserContext:
    context = browser.new_context(
        viewport=SIZES[size], color_scheme="dark" if scheme == "dark" else "light", locale=locale, bypass_csp=False
    )
    installation.web.login(context, "admin", "alice")
    return context


@pytest.mark.parametrize(("size", "scheme", "locale"), [("phone", "dark", "en-US"), ("desk", "light", "zh-CN")])
def test_every_page_can_be_read_and_used_by_everybody(
    installation: PopulatedInstallation, browser: Browser, size: str, scheme: str, locale: str
) -> None:
    said: list[str] = []
    wrong: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    context = context_of(installation, browser, size, scheme, locale)
    page = context.new_page()
    page.on("console", hear)
    for name, address in PAGES.items():
        answer = page.goto(installation.web.url + address.replace("REF", installation.ref))
        assert answer is not None
        assert answer.status == 200, name
        if page.evaluate("document.documentElement.scrollWidth") > SIZES[size]["width"]:
            wrong.append(f"{name} scrolls sideways")
        wrong += [f"{name}: weak contrast {one}" for one in page.evaluate(CONTRAST)]
        wrong += [f"{name}: {one}" for one in violations(page)]
        if not page.title():
            wrong.append(f"{name} has no title")
    context.close()
    assert wrong == [], "\n".join(wrong)
    assert said == []


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.1 A and AA. Its source is evaluated by the debugger: the page's policy stands."""
    found = page.evaluate(
        f"async (tags) => {{ {AXE}; const r = await axe.run(document, {{runOnly: tags}});"
        " return r.violations.map(v => v.id + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')); }",
        TAGS,
    )
    return list(found)


@pytest.mark.skipif(not os.environ.get("WRITE_DOCS"), reason="pictures are written by `make pictures`")
@pytest.mark.parametrize(("size", "locale"), [("desk", "en-US"), ("phone", "zh-CN"), ("phone", "en-US")])
def test_pictures_of_every_page(installation: PopulatedInstallation, browser: Browser, size: str, locale: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    end = f"{size}.zh" if locale == "zh-CN" else size
    context = context_of(installation, browser, size, "light", locale)
    page = context.new_page()
    for name, address in PAGES.items():
        if (size, locale) == ("phone", "en-US") and name not in ("declare", "incident"):
            continue
        if name == "login":
            page = browser.new_context(viewport=SIZES[size], locale=locale).new_page()
        page.goto(installation.web.url + address.replace("REF", installation.ref))
        page.screenshot(path=PICTURES / f"{name}.{end}.png")
        if name == "login":
            page.context.close()
            page = context.new_page()
    context.close()
