"""The pages in a real browser: the button without script, the live board, nothing that the policy forbids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from engine.delivery.links import AcknowledgeLink, AcknowledgeLinks
from storage.incidents import incidents
from tests.contrast import CONTRAST
from tests.served import Served, served

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def test_the_button_works_without_script(web: Served, browser: Browser) -> None:
    ref = web.declare("Checkout is down")
    with web.installation.database.read() as connection:
        response = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))[0]
    url = AcknowledgeLinks(web.installation.settings.secret_key(), web.url).make_url(
        AcknowledgeLink(response, "apology/trace", "erik")
    )
    page = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740}).new_page()
    page.goto(url)
    button = page.get_by_role("button", name="Acknowledge")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["x"] + box["width"] <= 360
    button.click()
    expect(page.get_by_role("status")).to_contain_text("You have it, Erik Sun")
    assert web.step(ref, "apology/trace")["holder"] == "erik"


def test_an_acknowledgement_shows_on_the_open_board_by_itself(web: Served, browser: Browser) -> None:
    ref = web.declare("Refunds fail")
    context = browser.new_context()
    web.login(context)
    page = context.new_page()
    page.goto(web.url)
    expect(page.get_by_text("Acknowledged by")).to_have_count(0)
    web.post(ref, "acknowledge", {"step": "apology/trace", "as": "fenglei"})
    expect(page.get_by_text("Acknowledged by")).to_have_count(1, timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_keep_to_their_policy_and_run_nothing_foreign(web: Served, browser: Browser, scheme: str) -> None:
    ref = web.declare(EVIL)
    web.post(ref, "note", {"text": EVIL})
    web.client.post("/inbox/alice", json={"title": EVIL, "message": EVIL})
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in str(message.location.get("url", "")):
            said.append(message.text)

    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": 360, "height": 740}
    )
    web.login(context)
    page = context.new_page()
    page.on("console", hear)
    for path in ("/", f"/incidents/{ref}", "/inbox", "/inbox/alice"):
        page.goto(web.url + path)
        assert page.title() != "owned"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, f"{path} scrolls sideways"
        assert page.evaluate(CONTRAST) == [], path
    assert said == []
