"""`tocsin declare`: by the API or, while the web process is down, directly in the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import client
from cli.common import (
    AsJson,
    CommandError,
    CommandId,
    TokenFile,
    _,
    home_folder,
    read_token,
    say,
    show_json,
    terminal_language,
    warn,
)

SIMILAR_SECONDS = 1.0  # it is declared already: what is like it may be looked up on the page, too
PATIENCE_SECONDS = 6.0  # at 3 a.m. nobody waits for a frozen server; the same id makes the second way safe
_BROKEN = 503


def declare(
    *,
    title: Annotated[str, typer.Option("--title", "-t", help="What happened, in a few words.")],
    playbook: Annotated[
        str, typer.Option("--playbook", "-p", help="`tocsin playbook list` names them.")
    ] = "four-hour-response",
    since: Annotated[str, typer.Option(help="When it began, ISO 8601 with offset; the clock starts then.")] = "",
    severity: Annotated[str, typer.Option(help="Severity. Default: the playbook's.")] = "",
    origin: Annotated[str, typer.Option(help="Origin, for example public-opinion.")] = "",
    service: Annotated[str, typer.Option(help="The affected service.")] = "",
    kind: Annotated[str, typer.Option(help="Kind of problem, for example outage.")] = "",
    customers: Annotated[int, typer.Option(min=0, help="Number of customers affected.")] = 0,
    orders: Annotated[int, typer.Option(min=0, help="Number of orders affected.")] = 0,
    money: Annotated[int, typer.Option(min=0, help="Amount of money, in the roster's currency.")] = 0,
    brand: Annotated[int, typer.Option(min=0, max=3, help="Harm to the brand, 0 (none) to 3 (severe).")] = 0,
    drill: Annotated[bool, typer.Option("--drill", help="Declare a drill: marked everywhere, never public.")] = False,
    pace: Annotated[float, typer.Option(min=1, help="Only with --drill: speed as a multiple of real time.")] = 1,
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Declare an incident: the owners of its first steps are called at once."""
    import uuid

    if pace > 1 and not drill:
        raise CommandError("only a drill runs at another pace than real time: add --drill")
    form: dict[str, Any] = {
        "id": command_id or str(uuid.uuid4()),
        "title": title,
        "playbook": playbook,
        "severity": severity,
        "origin": origin,
        "service": service,
        "kind": kind,
        "drill": drill,
        "impact": {"customers": customers, "orders": orders, "money": money, "brand": brand},
        "pace": dict.fromkeys(("declared", "mitigated", "closed"), pace) if pace > 1 else {},
        **({"since": since} if since else {}),
    }
    answer = send_declaration(form, read_token(token_file))
    if as_json:
        show_json(answer)
        return
    mark = f"[{_('DRILL')}] " if drill else ""
    say(mark + _("{ref} is declared: {title}").format(ref=answer["ref"], title=title))
    say("  " + _("next: {what}").format(what=f"tocsin show {answer['ref']} --watch"))
    if not drill:
        _say_what_is_similar(str(answer["ref"]), read_token(token_file))


def _say_what_is_similar(ref: str, known: str) -> None:
    """Past incidents like this one, each with why; nothing where nobody answers at once."""
    try:
        found = client.call("GET", client.incident_path(ref, "similar"), known, patience=SIMILAR_SECONDS)
    except CommandError:
        return
    for one in found["similar"]:
        why = "; ".join(one["reasons"]["zh" if terminal_language() == "zh_CN" else "en"])
        line = _("like it: {ref} of {day}, {title} ({why})")
        say("  " + line.format(ref=one["ref"], day=one["declared_at"][:10], title=one["title"], why=why))


def send_declaration(form: dict[str, Any], known: str) -> dict[str, Any]:
    """Declare by the API; where it does not answer, in the database, under the same id."""
    try:
        answer: dict[str, Any] = client.post("/api/incidents", known, form, patience=PATIENCE_SECONDS)
    except client.ServerNotRunning as down:
        answer = _directly(form, known, down)
        warn(
            _(
                "the web process does not answer: {ref} is in the database, calls go out as soon as the engine is back"
            ).format(ref=answer["ref"])
        )
    return answer


def _directly(form: dict[str, Any], known: str, down: client.ServerNotRunning) -> dict[str, Any]:
    import os

    if not home_folder().exists() and not os.environ.get("TOCSIN_DATABASE_URL"):
        raise CommandError(str(down))
    from cli.database_access import declare_in_database as write

    answer: dict[str, Any] = write(form, known)
    return answer


def read_text(value: str) -> str:
    """Text of a file-or-text option: the file of that name, `-` for standard input, or the value itself."""
    import sys

    if value == "-":
        return sys.stdin.read()
    path = Path(value)
    try:
        if len(value) < 1_000 and "\n" not in value and path.is_file():  # noqa: PLR2004 - no path is longer
            return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file in UTF-8"
        raise CommandError(f"cannot read {value}: {reason}") from None
    if path.suffix in (".txt", ".md") and " " not in value:
        raise CommandError(f"there is no file {value}: give a file, a text, or - for standard input")
    return value
