"""ARCHITECTURE.md and CONTRIBUTING.md name files that are there, so that a newcomer who follows them arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
# A path in backticks that begins with a folder of ours; `*`, `...` and words in capitals stand for any name.
PATH = re.compile(
    r"`((?:domain|playbooks|storage|channels|engine|tasks|flows|runner|web|cli|locales|tests|docs|benchmarks|examples)/[^\s`]*)`"
)


def paths(page: str) -> list[str]:
    return sorted(set(PATH.findall((ROOT / page).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_paths(page: str) -> None:
    assert len(paths(page)) > 10


@pytest.mark.parametrize(("page", "path"), [(page, path) for page in PAGES for path in paths(page)])
def test_the_path_is_there(page: str, path: str) -> None:
    if re.search(r"[A-Z]{3,}|\.\.\.", path.replace("LC_MESSAGES", "")):
        path = re.sub(r"[A-Z]{3,}(_[A-Z]+)*|\.\.\.", "*", path)
    assert list(ROOT.glob(path)), f"{page} names {path}"
