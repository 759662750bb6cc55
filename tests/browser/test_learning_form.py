"""The form that records a measure, in a real browser: it sends what the gate asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.served import Served, served


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def test_a_measure_is_recorded_by_the_form(web: Served, browser: Browser) -> None:
    ref = web.declare()
    page = browser.new_page()
    web.login(page)
    page.goto(f"{web.url}/incidents/{ref}?lang=en")
    page.get_by_role("link", name="Record a measure").click()
    page.get_by_label("What is promised").fill("A second payment provider")
    page.get_by_label("Owner").select_option("technology-lead")
    page.get_by_role("button", name="Record it").click()
    expect(page.locator("#promises")).to_contain_text("A second payment provider")
    page.close()
    (one,) = web.client.get("/api/actions", params={"origin": ref}).json()["actions"]
    assert (one["owner"], one["kind"]) == ("fenglei", "measure")
