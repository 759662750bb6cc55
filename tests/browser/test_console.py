"""The console in a real browser: declared in four clicks, acted on, seen by a second tab, never stale, never twice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.served import Served, served

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("console"), free_port()) as running:
        yield running


@pytest.fixture(autouse=True)
def _tabs_are_closed(browser: Browser) -> Iterator[None]:
    yield
    for context in browser.contexts:
        context.close()


def opened(
    web: Served, browser: Browser, role: str, person: str, *, locale: str = "en-US", size: dict[str, int] = DESK
) -> Page:
    context = browser.new_context(viewport=size, locale=locale)  # type: ignore[arg-type]
    web.login(context, role, person)
    return context.new_page()


def drafted(web: Served, ref: str, words: str = "We are sorry.") -> None:
    answer = web.client.post(
        f"/api/incidents/{ref}/draft",
        json={"step": "apology/draft", "texts": {"en": words, "zh_CN": "我们深表歉意。"}},
        headers=web.token("chenyu"),
    )
    assert answer.status_code == 200, answer.text
    web.turn(ref)


def test_from_the_printed_link_four_clicks_and_four_fields_declare(web: Served, browser: Browser) -> None:
    page = browser.new_context(viewport=PHONE, locale="en-US").new_page()  # type: ignore[arg-type]
    clicks = 0
    page.goto(web.login_link())
    page.get_by_role("button").click()
    clicks += 1
    page.get_by_role("link", name="Declare", exact=True).click()
    clicks += 1
    expect(page.locator("input[name=title]")).to_be_focused()
    page.keyboard.type("Checkout is down")
    fields = page.locator("#declare > label")
    assert fields.count() == 4
    begins = time.monotonic()
    page.get_by_role("button", name=re.compile("^Declare")).click()
    clicks += 1
    expect(page.locator("h1")).to_have_text("Checkout is down")
    assert time.monotonic() - begins < 10
    assert clicks <= 4


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_who_was_called_who_answered_and_what_is_next_stand_on_one_phone_screen(
    web: Served, browser: Browser, locale: str
) -> None:
    ref = web.declare("Checkout is down", service="checkout")
    web.post(ref, "acknowledge", {"step": "apology/trace", "as": "fenglei"})
    page = opened(web, browser, "responder", "erik", locale=locale, size=PHONE)
    page.goto(f"{web.url}/incidents/{ref}")
    for part in ("#next", "#called", "#answered"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"], part
        assert page.locator(part).inner_text().strip()
    assert page.evaluate("window.scrollY") == 0
    assert "冯磊" in page.locator("#answered").inner_text()
    assert re.search(r"\d\d:\d\d", page.locator("#next").inner_text())


def test_a_button_pressed_in_one_tab_is_seen_in_another_by_itself(web: Served, browser: Browser) -> None:
    ref = web.declare()
    first = opened(web, browser, "responder", "fenglei")
    second = opened(web, browser, "viewer", "alice", locale="zh-CN")
    second.goto(f"{web.url}/incidents/{ref}")
    first.goto(f"{web.url}/incidents/{ref}")
    row = first.locator("[id='apology/trace']")
    row.get_by_role("button", name="Acknowledge").click()
    expect(second.locator("[id='apology/trace'] .badge.acknowledged")).to_have_count(1, timeout=30_000)
    assert web.step(ref, "apology/trace")["holder"] == "fenglei"


def test_a_double_click_is_one_note(web: Served, browser: Browser) -> None:
    ref = web.declare()
    page = opened(web, browser, "responder", "erik")
    page.goto(f"{web.url}/incidents/{ref}")
    page.locator("#moves summary", has_text="Note").click()
    page.locator("#moves textarea[name=text]").fill("Three regions are down")
    page.get_by_role("button", name="Keep it").dblclick()
    expect(page.locator("#timeline")).to_contain_text("Three regions are down")
    entries = web.client.get(f"/api/incidents/{ref}/timeline").json()["entries"]
    assert [entry["data"]["text"] for entry in entries if entry["kind"] == "noted"] == ["Three regions are down"]


def test_what_somebody_is_writing_survives_what_others_do(web: Served, browser: Browser) -> None:
    ref = web.declare()
    page = opened(web, browser, "responder", "erik")
    page.goto(f"{web.url}/incidents/{ref}")
    page.locator("#moves summary", has_text="Note").click()
    page.locator("#moves textarea[name=text]").fill("half a sent")
    web.post(ref, "note", {"text": "something else"})
    expect(page.locator("#timeline")).to_contain_text("something else")
    assert page.locator("#moves textarea[name=text]").input_value() == "half a sent"
    expect(page.locator("#moves textarea[name=text]")).to_be_visible()


def test_exactly_the_text_that_was_seen_is_approved_and_an_edit_voids_it(web: Served, browser: Browser) -> None:
    ref = web.declare()
    drafted(web, ref)
    page = opened(web, browser, "approver", "alice")
    page.goto(f"{web.url}/incidents/{ref}/text?step=four-hour-response:apology/draft")
    held = page.locator("#as-it-stands").inner_html()
    digest = page.locator("form[action$='/do/approve'] input[name=digest]").first.input_value()
    assert digest == web.step(ref, "apology/draft")["digest"]
    assert "We are sorry." in held
    page.get_by_role("button", name="Approve exactly this text").click()
    expect(page).to_have_url(re.compile(rf"/incidents/{ref}(#|$)"))
    assert web.step(ref, "apology/approve")["state"] == "done"
    writer = opened(web, browser, "responder", "chenyu", locale="zh-CN")
    writer.goto(f"{web.url}/incidents/{ref}/text?step=four-hour-response:apology/draft")
    writer.locator("textarea[name='text.en']").fill("We are very sorry.")
    writer.locator("#write button[type=submit]").click()
    expect(writer).to_have_url(re.compile(rf"/incidents/{ref}(#|$)"))
    assert web.step(ref, "apology/approve")["state"] != "done"
    page.goto(f"{web.url}/incidents/{ref}/text?step=four-hour-response:apology/draft")
    expect(page.locator("#versions ins")).to_have_text("very ")
    stale = page.evaluate(
        """async ([url, digest]) => (await fetch(url, {method: 'POST', redirect: 'manual',
        headers: {'content-type': 'application/x-www-form-urlencoded'},
        body: new URLSearchParams({step: 'apology/approve', digest})})).status""",
        [f"{web.url}/incidents/{ref}/do/approve", digest],
    )
    assert stale == 409


def test_a_refusal_is_one_line_on_the_page_and_nothing_typed_is_lost(web: Served, browser: Browser) -> None:
    ref = web.declare()
    drafted(web, ref)
    page = opened(web, browser, "approver", "chenyu", locale="zh-CN")  # the author may not approve
    page.goto(f"{web.url}/incidents/{ref}/text?step=four-hour-response:apology/draft")
    page.get_by_role("button", name="逐字批准此文本").click()
    expect(page.locator("#flash [role=alert]")).to_have_text("起草人与审批人不能是同一人：请他人审批")
    assert web.step(ref, "apology/approve")["state"] != "done"


def test_the_clock_bar_moves_by_itself(web: Served, browser: Browser) -> None:
    ref = web.declare(drill=True, pace={"declared": 600})
    page = opened(web, browser, "viewer", "alice")
    page.goto(f"{web.url}/incidents/{ref}")
    bar = page.locator("#now svg.bar .passed")
    first = bar.get_attribute("width")
    expect(bar).not_to_have_attribute("width", str(first), timeout=30_000)
    assert float(bar.get_attribute("width") or 0) > float(first or 0)


def test_what_is_open_and_alike_is_shown_before_it_is_declared_twice(web: Served, browser: Browser) -> None:
    ref = web.declare("Parcels are lost", service="parcels", kind="logistics")
    page = opened(web, browser, "responder", "erik", size=PHONE)
    page.goto(f"{web.url}/declare")
    page.locator("input[name=service]").fill("parcels")
    page.locator("input[name=title]").press_sequentially("Parcels are lost again")
    expect(page.locator("#open-like-this")).to_contain_text(ref)
    page.get_by_role("button", name=re.compile("^Declare")).click()
    page.get_by_label("It is another matter").check()
    page.get_by_role("button", name=re.compile("^Declare")).click()
    expect(page.locator("h1")).to_have_text("Parcels are lost again")


def test_the_same_form_sent_twice_declares_once(web: Served) -> None:
    """As after a lost connection, when the browser sends the form again."""
    headers = web.session("responder", "erik")
    given = {"id": "form-1", "title": "Refunds fail", "playbook": "four-hour-response", "ago": "5"}
    answers = [web.client.post("/declare", data=given, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    titles = [one["title"] for one in web.client.get("/api/incidents").json()["incidents"]]
    assert titles.count("Refunds fail") == 1


def test_without_script_the_buttons_work_too(web: Served, browser: Browser) -> None:
    ref = web.declare()
    context = browser.new_context(java_script_enabled=False, viewport=PHONE, locale="en-US")  # type: ignore[arg-type]
    web.login(context, "commander", "alice")
    page = context.new_page()
    page.goto(f"{web.url}/incidents/{ref}")
    page.locator("#moves summary", has_text="Cancel").click()
    page.locator("form[action$='/do/cancel'] input[name=reason]").fill("a mistake")
    page.get_by_role("button", name="It was declared in error").click()
    expect(page.locator(".now .badge").first).to_have_text("cancelled")


def test_a_viewer_sees_and_has_no_buttons(web: Served, browser: Browser) -> None:
    ref = web.declare()
    page = opened(web, browser, "viewer", "erik")
    page.goto(f"{web.url}/incidents/{ref}")
    expect(page.locator("h1")).to_be_visible()
    assert page.locator("main form[method=post]").count() == 0
    page.goto(web.url)
    assert page.get_by_role("link", name="Declare", exact=True).count() == 0
