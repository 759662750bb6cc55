"""The glossary names files that are there, and names that stand in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "glossary.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| term", "| ---"))
]


def test_every_row_has_its_five_columns() -> None:
    assert len(ROWS) > 40
    assert all(len(row) == 5 for row in ROWS), [row for row in ROWS if len(row) != 5]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_file_is_there_and_holds_the_name(row: list[str]) -> None:
    _term, chinese, _meaning, code, where = row
    assert re.search("[\u4e00-\u9fff]", chinese)
    file = ROOT / where.strip("`")
    assert file.is_file(), where
    text = file.read_text(encoding="utf-8")
    names = re.findall(r"`(\w+)`", code)
    assert names
    assert any(re.search(rf"\b{name}\b", text) for name in names), f"{where} holds none of {names}"
