"""Every refusal that a person may read on a page exists in Chinese, and is found again whatever it was filled with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from locales.refusals import localize_refusal

ROOT = Path(__file__).parents[2]
RAISED = {
    "CommandRefused", "NotAuthenticated", "AccessDenied", "BadLink", "UnknownIncident", "UnknownDocument",
    "UnknownPlaybook", "UnknownRule", "UnpublishableText",
}  # fmt: skip
FOLDERS = ("domain", "storage", "playbooks", "engine", "web")
FILLED = ("INC-7", "'x y'", "pr-lead, erik", "12", "website")


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Where a refusal is raised, and the pieces of its text between what it is filled with."""
    for file in sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            text = pieces(node.exc.args[0])
            if getattr(node.exc.func, "id", "") in RAISED and text:
                yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def pieces(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if not isinstance(node, ast.JoinedStr):
        return []  # words that another refusal has given
    found = [""]
    for part in node.values:
        if isinstance(part, ast.Constant):
            found[-1] += str(part.value)
        else:
            found.append("")
    return found


def filled(text: list[str]) -> str:
    line = text[0]
    for place, part in enumerate(text[1:]):
        line += FILLED[place % len(FILLED)] + part
    return line


@pytest.mark.parametrize(("where", "text"), [pytest.param(*one, id=one[0]) for one in refusals()])
def test_a_refusal_is_read_in_chinese(where: str, text: list[str]) -> None:
    line = filled(text)
    said = localize_refusal(line, "zh-CN")
    assert said != line, f"{where}: {line!r} has no translation in refusals.po"
    for place in range(len(text) - 1):
        assert FILLED[place % len(FILLED)] in said, f"{where}: what it was filled with is lost: {said}"
    assert localize_refusal(line, "en") == line


def test_what_a_line_is_filled_with_is_translated_too() -> None:
    said = localize_refusal("INC-3 is cancelled: a playbook is attached to a running incident", "zh")
    assert said == "INC-3 当前为“已取消”：只能为进行中的事件启动预案"


def test_an_unknown_line_stays_as_it_is() -> None:
    assert localize_refusal("something else went wrong", "zh") == "something else went wrong"
