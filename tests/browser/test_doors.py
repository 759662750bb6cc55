"""Coming in, accounts, the audit log and the public page in a real browser; and that nothing stored runs anywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from domain.access import AccessRole
from engine.accounts import accounts
from engine.accounts.accounts import AuditActor
from engine.process.clock import now
from storage.accounts.user_accounts import Account
from tests.browser.test_every_page import violations
from tests.contrast import CONTRAST
from tests.integration.test_status_page import publish
from tests.served import Served, served

PHONE: Any = {"width": 390, "height": 844}
PASSWORD = "correct horse battery"
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"><svg onload=alert(1)>"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("doors"), free_port()) as running:
        accounts.add_account(running.installation, Account("ada", "", AccessRole.ADMIN), PASSWORD, now(), AuditActor())
        publish(running, running.declare("Payments fail", service="payment"))
        yield running


@pytest.fixture(autouse=True)
def _tabs_are_closed(browser: Browser) -> Iterator[None]:
    yield
    for context in browser.contexts:
        context.close()


def log_in(page: Page, web: Served, name: str = "ada", password: str = PASSWORD) -> None:
    page.goto(f"{web.url}/login")
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "dark"), ("zh-CN", "light")])
def test_what_is_open_to_all_can_be_read_by_all(web: Served, browser: Browser, locale: str, scheme: Any) -> None:
    page = browser.new_context(viewport=PHONE, locale=locale, color_scheme=scheme).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    wrong = []
    for path in ("/login", web.login_link().removeprefix(web.url), "/status", "/status/asked", "/status#subscribe"):
        page.goto(web.url + path)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wrong.append(f"{path} scrolls sideways")
        wrong += [f"{path}: {one}" for one in (*page.evaluate(CONTRAST), *violations(page))]
        assert page.locator("html").get_attribute("lang") == locale[:2].replace("en", "en") + (
            "-CN" if locale == "zh-CN" else ""
        )
    assert wrong == []
    assert said == []


def test_somebody_is_let_in_sets_a_password_and_comes_back(web: Served, browser: Browser) -> None:
    admin = browser.new_context(viewport=PHONE, locale="en-US").new_page()
    admin.goto(f"{web.url}/accounts")
    expect(admin).to_have_url(f"{web.url}/login?next=/accounts")
    log_in(admin, web)
    admin.goto(f"{web.url}/accounts")
    form = admin.locator("form[action='/accounts']")
    form.get_by_label("Account").fill("bob")
    form.get_by_label("Role").select_option("viewer")
    form.get_by_role("button").click()
    link = admin.get_by_role("status").locator("code").inner_text()

    bob = browser.new_context(viewport=PHONE, locale="zh-CN").new_page()
    bob.goto(link)
    bob.get_by_role("button", name="登录").click()
    expect(bob).to_have_url(f"{web.url}/")
    expect(bob.get_by_role("link", name="宣布事件")).to_have_count(0)
    bob.goto(f"{web.url}/account")
    bob.get_by_label("新密码（至少 12 个字符）").fill("four words that belong")
    bob.get_by_label("再次输入新密码").fill("four words that belong")
    bob.get_by_role("button", name="设置密码").click()
    expect(bob.get_by_role("status").first).to_contain_text("密码已修改")
    bob.get_by_role("button", name="退出登录", exact=True).click()
    expect(bob).to_have_url(f"{web.url}/login")
    bob.goto(link)
    expect(bob.get_by_role("alert")).to_contain_text("已使用或已过期")

    log_in_zh(bob, web, "bob", "four words that belong")
    expect(bob).to_have_url(f"{web.url}/")
    answer = bob.goto(f"{web.url}/accounts")
    assert answer is not None
    assert answer.status == 403

    assert len(refused(admin, web, "bob", "GET /accounts")) == 1
    admin.goto(f"{web.url}/accounts")
    card = admin.locator("section.card", has_text="bob").first
    card.locator("summary").click()
    card.get_by_role("button", name=re.compile("Disable bob")).click()
    expect(admin.locator("section.card", has_text="bob").first).to_contain_text("disabled")
    bob.goto(f"{web.url}/")
    expect(bob).to_have_url(re.compile("/login"))


def refused(page: Page, web: Served, who: str, deed: str) -> list[str]:
    """Their entries in the audit log, as soon as one is there: it is written a moment later, the page stays as it is.

    The same address asked for before anybody had logged in is there too, as nobody's.
    """
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        page.goto(f"{web.url}/audit?outcome=refused")
        entries = page.locator("li", has=page.get_by_text(deed, exact=True))
        if found := entries.filter(has=page.get_by_role("link", name=who, exact=True)).all_inner_texts():
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"no {deed} of {who} is in the audit log")


def log_in_zh(page: Page, web: Served, name: str, password: str) -> None:
    page.goto(f"{web.url}/login")
    page.get_by_label("账号").fill(name)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def test_the_public_subscribes_without_script_on_a_phone(web: Served, browser: Browser) -> None:
    page = browser.new_context(viewport=PHONE, locale="en-US", java_script_enabled=False).new_page()
    page.goto(f"{web.url}/status")
    expect(page.get_by_text("payments fail")).to_have_count(1)
    expect(page.get_by_text("Payments fail", exact=True)).to_have_count(0)
    page.get_by_label("Your e-mail address").fill("ann@customer.example")
    page.get_by_role("button", name="Send me statements").click()
    expect(page.get_by_role("status")).to_contain_text("on its way")
    page.goto(f"{web.url}/status")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_text("支付失败")).to_have_count(1)


def test_nothing_that_somebody_wrote_runs_on_any_page(web: Served, browser: Browser) -> None:
    """A script stored in every text that can be stored, then every page looked at."""
    short = EVIL[:80]
    taken = []
    ref = web.declare(EVIL, service=short, kind=short, origin=short, severity="critical")
    step = {"step": "apology/trace"}
    taken.append(web.post(ref, "note", {"text": EVIL}))
    taken.append(web.post(ref, "acknowledge", {**step, "as": "fenglei"}))
    taken.append(web.post(ref, "done", {**step, "evidence": f"https://x.example/{EVIL}"}))
    texts = {"en": EVIL, "zh_CN": EVIL}
    taken.append(web.post(ref, "draft", {"step": "apology/draft", "texts": texts}, **web.token("chenyu")))
    web.turn(ref)
    taken.append(web.post(ref, "reject", {"step": "apology/approve", "reason": EVIL}, **web.token("alice")))
    promise = {"title": EVIL[:150], "owner": "technology-lead", "due": "14d", "because": EVIL}
    taken.append(web.client.post(f"/api/incidents/{ref}/actions", json=promise))
    silence = {"rule": "tier-1-response-time", "until": now().add(hours=1).isoformat(), "reason": EVIL}
    taken.append(web.client.post("/api/silences", json={**silence, "labels": {"service": short}}))
    customers = [{"customer": "1", "contact": "a@x.example", "language": "en"}]
    taken.append(web.client.post(f"/api/incidents/{ref}/customers", json={"customers": customers}))
    taken.append(web.client.post("/inbox/alice", json={"title": EVIL, "message": EVIL}))
    taken.append(web.post(ref, "mitigate", {"reason": EVIL}))
    assert [f"{one.url}: {one.text}" for one in taken if one.status_code >= 300] == [], "it is stored"
    published = web.declare("Another", service="payment")
    publish(web, published)
    accounts.make_api_token(web.installation, "ada", ["read"], 1, now(), AuditActor(who=EVIL), EVIL)
    page = browser.new_context(viewport=PHONE, locale="en-US").new_page()
    log_in(page, web)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)

    def close(dialog: Dialog) -> None:
        said.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", close)
    for path in (
        "/", "/?all=true", f"/incidents/{ref}", f"/incidents/{ref}/text?step=four-hour-response:apology/draft",
        "/warnings", f"/statements?incident={ref}", "/executive", "/history", f"/history?text={EVIL}", "/follow-ups",
        f"/follow-ups/{ref}",
        "/documents", "/drills", "/duty", "/inbox", "/inbox/alice", "/account", "/accounts", "/audit", "/status",
        f"/declare/similar?title={EVIL}", f"/declare?title={EVIL}", f"/audit?who={EVIL}", f"/login?next={EVIL}",
        f"/incidents/{EVIL}", f"/inbox/{EVIL}",
    ):  # fmt: skip
        page.goto(web.url + path)
        assert page.title() != "owned", path
        assert page.evaluate("[...document.querySelectorAll('script')].every((s) => s.src && !s.text)"), path
        assert page.locator("[onerror], [onload], img[src=x]").count() == 0, path
    assert [line for line in said if "Failed to load resource" not in line] == []
