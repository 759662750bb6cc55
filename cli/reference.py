"""Generator of docs/reference.md from the commands and settings: `python -m cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
import typer

from cli.main import app
from storage.settings import PREFIX, Settings

HEAD = """# Reference

`make docs` writes this page from the program; a test compares the two. Exit codes: 0 success, 1 failure, 2 wrong
usage. A failure prints one line on stderr. Every command that prints accepts `--json`; the schemas are in
`web/schemas/`.
"""


def reference_page() -> str:
    """Text of the whole page."""
    parts = [HEAD, "## Commands\n", *_commands(typer.main.get_command(app), "tocsin"), "## Settings\n", *_settings()]
    return "\n".join(parts).rstrip() + "\n"


def _commands(command: Any, name: str) -> Iterator[str]:
    """A group's commands, each with its help as the terminal shows it (Typer's objects only look like Click's)."""
    for sub in sorted(getattr(command, "commands", {})):
        child = command.commands[sub]
        whole = f"{name} {sub}"
        if getattr(child, "commands", None):
            yield from _commands(child, whole)
            continue
        context = click.Context(child, info_name=whole, terminal_width=100, max_content_width=100)
        text = "\n".join(line.rstrip() for line in child.get_help(context).splitlines())
        yield f"### `{whole}`\n\n```text\n{text.strip()}\n```\n"


def _settings() -> Iterator[str]:
    yield "Environment variables, read once at the start.\n\n| variable | default | meaning |\n| --- | --- | --- |"
    for name, field in Settings.model_fields.items():
        shown = f"`{field.default}`" if str(field.default) else "(empty)"
        yield f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
