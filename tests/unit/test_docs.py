"""Documentation that cannot rot: commands, settings, links and what the READMEs tell people to type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from cli.main import app
from cli.reference import reference_page
from storage.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")


def test_the_reference_is_what_the_program_says() -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference_page(), "run `make docs`"


def test_every_setting_is_described() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description
        assert f"`{PREFIX}{name.upper()}`" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def typed(page: Path) -> list[str]:
    """What a page tells people to type after `$`."""
    return re.findall(r"^\$ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_what_the_readme_says_to_type_is_a_command_with_these_options(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    lines = [line for line in typed(page) if "tocsin" in line.split("#")[0]]
    assert lines
    for line in lines:
        words = re.sub(r"^(\w+=\S+\s+)*(\.venv/bin/)?tocsin\s+", "", line).split()
        command = group
        while words and getattr(command, "commands", None):
            assert words[0] in command.commands, f"{line}: no command {words[0]}"
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_command_has_an_example() -> None:
    def leaves(command: Any, name: str) -> list[tuple[str, Any]]:
        inner = getattr(command, "commands", None) or {}
        return [leaf for sub in inner for leaf in leaves(inner[sub], f"{name} {sub}")] or [(name, command)]

    for name, command in leaves(typer.main.get_command(app), "tocsin"):
        text = command.get_help(click.Context(command, info_name=name))
        assert f"Example: {name}" in text, name


@pytest.mark.parametrize("name", ["accounts", "learning"])
def test_what_a_guide_says_to_type_is_a_command_with_these_options(name: str) -> None:
    test_what_the_readme_says_to_type_is_a_command_with_these_options(ROOT / "docs" / f"{name}.md")
