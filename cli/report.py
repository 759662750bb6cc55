"""`tocsin report` and `tocsin retrospective`: reviews and retrospectives as documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.common import (
    As,
    AsJson,
    CommandError,
    CommandId,
    Incident,
    TokenFile,
    _,
    example,
    localized,
    read_token,
    say,
    show_json,
    terminal_language,
)

app = typer.Typer(no_args_is_help=True, help="Reviews and reports: list, show, make.", rich_markup_mode=None)

Kind = Annotated[
    str, typer.Argument(metavar="KIND", help="Kind such as monthly-service-report; see `tocsin report list`.")
]
PeriodName = Annotated[
    str, typer.Option("--period", help="Period such as 2026-10, 2026-W44, 2026-Q4. Default: the last.")
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the page to this file, self-contained and printable."),
]


@app.command("list", epilog=example("tocsin report list"))
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of reports.")] = 20,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List the kinds of review with their next time, and the reviews that were made."""
    from cli.client import get

    found = get("/api/reports", read_token(token_file), limit=limit)
    if as_json:
        show_json(found)
        return
    for one in found["kinds"]:
        ends = one["next"]["ends_at"][:16].replace("T", " ")
        say(f"{one['kind']:<24} " + _("next: {period}, over at {time}").format(period=one["next"]["period"], time=ends))
    for one in found["runs"]:
        late = " · " + _("made late: its time had been missed") if one["late"] else ""
        say(f"{one['document']:<40} {one['made_at'][:16].replace('T', ' ')} {one['matter'] or one['trouble']}{late}")


@app.command(epilog=example("tocsin report show monthly-service-report --period 2026-10 --html report.html"))
def show(
    kind: Kind, period: PeriodName = "", html: Html = None, token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """Show a report as it was made. Default: the newest one."""
    from cli.client import get

    known = read_token(token_file)
    name = f"{kind}/{period}" if period else _newest(kind, known)
    _tell(get(f"/api/documents/{_quoted(name)}", known), html, known, as_json)


@app.command(epilog=example("tocsin report make monthly-service-report --period 2026-10"))
def make(
    kind: Kind, period: PeriodName = "", html: Html = None, token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """Make a report now, of a past period or of the current one so far. Nobody is called."""
    from cli.client import post

    known = read_token(token_file)
    form = {"kind": kind, **({"period": period} if period else {})}
    _tell(post("/api/reports", known, form, patience=300.0), html, known, as_json)


def retrospective(
    ref: Incident,
    *,
    cause: Annotated[str, typer.Option(help="What caused it and let it become serious.")] = "",
    well: Annotated[str, typer.Option(help="What went well.")] = "",
    badly: Annotated[str, typer.Option(help="Where the process failed people.")] = "",
    luck: Annotated[str, typer.Option(help="Where we were lucky.")] = "",
    action: Annotated[str, typer.Option("--action", metavar="TITLE", help="Record an action with this title.")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="ROLE", help="Its owner: a role, or a person's id.")] = "",
    due: Annotated[str, typer.Option("--due", help="When the action is due, from now.")] = "14d",
    html: Html = None,
    command_id: CommandId = "",
    speaker: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the retrospective of a case from its facts; add what people know and actions with owners."""
    import uuid

    from cli.client import incident_path, post

    if action and not owner:
        raise CommandError("an action needs an owner: --owner technology-lead")
    words = {"cause": cause, "well": well, "badly": badly, "luck": luck}
    form: dict[str, Any] = {"words": {name: text for name, text in words.items() if text}}
    if action:
        form["action"] = {"id": command_id or str(uuid.uuid4()), "title": action, "owner": owner, "due": due}
    if speaker:
        form["as"] = speaker
    known = read_token(token_file)
    found = post(incident_path(ref, "retrospective"), known, form, patience=300.0)
    if found["action"] and not as_json:
        say(_("{ref}: on record").format(ref=found["action"]))
    _tell(found, html, known, as_json, brief=bool(action or form["words"]))


def _newest(kind: str, known: str) -> str:
    from cli.client import get

    found = get("/api/documents", known, kind=kind, limit=1)["documents"]
    if not found:
        raise CommandError(f"there is no {kind} yet: `tocsin report make {kind}`")
    return str(found[0]["id"])


def _tell(found: dict[str, Any], html: Path | None, known: str, as_json: bool, *, brief: bool = False) -> None:
    if html is not None:
        _write_page(found, html, known)
    if as_json:
        show_json(found)
    elif html is None and not brief:
        say(localized(found["texts"]))
    else:
        say(_("{title}: {where}").format(title=localized(found["title"]), where=html or found["page"]))


def _write_page(found: dict[str, Any], html: Path, known: str) -> None:
    from cli.client import get

    pages = get(f"/api/documents/{_quoted(found['id'])}", known, pages="true")["pages"]
    try:
        html.write_text(pages["zh" if terminal_language() == "zh_CN" else "en"], encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {html}: {error.strerror}") from None


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/")
