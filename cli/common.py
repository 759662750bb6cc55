"""Common parts of every command: options, one-line errors, output for people or programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from locales import Translator, normalise, translator

TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="TOCSIN_TOKEN_FILE", help="File with your token. Default: TOCSIN_TOKEN."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
CommandId = Annotated[str, typer.Option("--id", help="Your own id of the command: repeating it changes nothing.")]
Incident = Annotated[str, typer.Argument(help="Reference such as INC-42, or 42.")]
StepName = Annotated[str, typer.Argument(help="Step such as apology/draft; PLAYBOOK:STEP if two playbooks have it.")]
As = Annotated[str, typer.Option("--as", help="Person in whose name you act, on this machine without a token.")]


class CommandError(Exception):
    """Failure of a command; the text is one line that says what would be right. Exit 1."""


def example(text: str) -> str:
    """Epilog of a command's help: one example line."""
    return f"Example: {text}"


def read_token(file: Path | None) -> str:
    """Token of the user: of the file, else of the environment; else empty."""
    if file is None:
        return os.environ.get("TOCSIN_TOKEN", "").strip()
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise CommandError(f"cannot read the token in {file}: {reason}") from None
    if not found or "\n" in found:
        raise CommandError(f"{file} does not hold one token: `tocsin roster token YOU > {file}` makes one")
    return found


def home_folder() -> Path:
    """Folder of this installation; may not exist."""
    return Path(os.environ.get("TOCSIN_HOME") or ".tocsin").expanduser().absolute()


def terminal_language() -> str:
    """Language of the terminal."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return normalise(os.environ[name])
    return "en"


def terminal_texts() -> Translator:
    """Texts in the terminal's language."""
    return translator(terminal_language())


def _(text: str) -> str:
    """Text in the terminal's language."""
    return terminal_texts()(text)


def localized(words: Mapping[str, str]) -> str:
    """Text in the terminal's language, of an answer that has both."""
    return words["zh"] if terminal_language() == "zh_CN" else words["en"]


def say(line: str = "") -> None:
    """Print a line for a person."""
    typer.echo(line)


def show_json(document: Any) -> None:
    """Print an answer for a program: one line, or indented on a screen."""
    indent = 2 if sys.stdout.isatty() else None
    typer.echo(json.dumps(document, ensure_ascii=False, indent=indent))


def warn(line: str) -> None:
    """Print a line on stderr, beside the answer."""
    typer.echo(line, err=True)


def fail(line: str) -> NoReturn:
    """Exit 1 with one clear line on stderr."""
    text = " ".join(line.split())
    typer.echo(f"tocsin: {text}", err=True)
    raise SystemExit(1)
