"""The monthly report and a retrospective as pictures; `WRITE_DOCS=1` keeps those that docs/reviews.md shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from domain.review.period import ReviewKind
from engine.review.retrospective import draft_retrospective
from engine.review.run_review import remake_document
from storage.documents import Document
from tests.contrast import CONTRAST
from tests.october import october
from tests.served import served

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "img"
NAMES = {
    ("monthly-report", "en"): "monthly-report.png",
    ("monthly-report", "zh"): "monthly-report.zh.png",
    ("retrospective", "en"): "retrospective.png",
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Document]]:
    with october(tmp_path_factory.mktemp("october")) as installation:
        service = installation.installation.reviews
        yield {
            "monthly-report": remake_document(service, ReviewKind.MONTHLY, "2026-10", installation.now),
            "retrospective": draft_retrospective(service, "INC-2", installation.now),
        }


@pytest.mark.parametrize("name", ["monthly-report", "retrospective"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_stands_by_itself_and_can_be_read(
    papers: dict[str, Document], browser: Browser, name: str, language: str, scheme: str, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(papers[name].pages[language], encoding="utf-8")
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": 1080, "height": 900}
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()], "a page that is mailed or archived loads nothing"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1080
    assert page.evaluate(CONTRAST) == []
    drawn = page.evaluate("[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)")
    assert drawn
    assert min(drawn) > 100
    if os.environ.get("WRITE_DOCS") and scheme == "light" and (name, language) in NAMES:
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / NAMES[name, language], full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, "it scrolls sideways on a phone"


def test_it_prints_on_paper(papers: dict[str, Document], browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(papers["monthly-report"].pages["zh"], encoding="utf-8")
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(file.as_uri())
    printed = page.pdf(format="A4", prefer_css_page_size=True, print_background=True, path=tmp_path / "page.pdf")
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8


def test_the_page_that_is_served_looks_as_it_should_under_its_policy(
    home: Path, free_port: Callable[[], int], browser: Browser
) -> None:
    """Its styles, those of its bars and those of its plots are allowed; a script that somebody brought in is not."""
    with served(home, free_port()) as web:
        made = web.client.post("/api/reports", json={"kind": "process-audit"}).json()
        page = browser.new_context(viewport={"width": 1080, "height": 900}).new_page()
        web.login(page)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.goto(web.url + made["page"])
        assert page.evaluate("document.querySelector('main').getBoundingClientRect().width") == 980
        assert page.evaluate("getComputedStyle(document.querySelector('.track i')).left") != "0px"
        assert page.evaluate("(() => { const s = document.createElement('script'); s.text = 'window.owned = 1';"
                             " document.body.append(s); return window.owned; })()") is None  # fmt: skip
        assert [line for line in said if "script" not in line and "favicon" not in line] == []
