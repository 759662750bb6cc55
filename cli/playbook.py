"""`tocsin playbook`: check, list and show playbooks. Works without a running Tocsin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.common import AsJson, CommandError, _, example, home_folder, localized, say, show_json, terminal_language

if TYPE_CHECKING:
    from domain.playbook import Playbook, Step

app = typer.Typer(no_args_is_help=True, help="Check, list and read playbooks.", rich_markup_mode=None)


@app.command(epilog=example("tocsin playbook lint .tocsin/playbooks/refunds.yaml"))
def lint(
    files: Annotated[list[Path] | None, typer.Argument(help="Playbook files. Default: all in the home folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check playbook files; mistakes are reported with the correct form. Exit 1 if there is one."""
    from playbooks.errors import BadFile
    from playbooks.playbook_library import PlaybookLibrary
    from playbooks.playbook_loader import load_playbook

    found: list[str] = []
    playbooks = []
    if files:
        for file in files:
            try:
                playbooks.append(load_playbook(file))
            except BadFile as bad:
                found += str(bad).splitlines()
    else:
        library = PlaybookLibrary(home_folder() / "playbooks")
        playbooks = library.all()
        found += [str(finding) for finding in library.findings()]
    found += _against_roster(playbooks)
    if as_json:
        show_json({"ok": not found, "findings": found})
    else:
        for line in found:
            typer.echo(line, err=True)
    if found:
        raise SystemExit(1)
    if not as_json:
        say(_("{count} playbooks are sound").format(count=len(playbooks)))


def _against_roster(playbooks: list[Playbook]) -> list[str]:
    """What they name and the roster of this home does not know; nothing without a roster."""
    from playbooks.errors import BadFile
    from playbooks.roster_file import RosterFile, find_missing_roles

    path = home_folder() / "roster.yaml"
    if not path.exists():
        return []
    try:
        roster = RosterFile(path).current()
    except BadFile as bad:
        return str(bad).splitlines()
    return [str(finding) for playbook in playbooks for finding in find_missing_roles(playbook, roster)]


@app.command("list", epilog=example("tocsin playbook list"))
def list_playbooks(as_json: AsJson = False) -> None:
    """List all playbooks: the shipped ones and those in the home folder."""
    from playbooks.playbook_library import PlaybookLibrary

    playbooks = PlaybookLibrary(home_folder() / "playbooks").all()
    if as_json:
        show_json({"playbooks": [_in_short(playbook) for playbook in playbooks]})
        return
    for playbook in playbooks:
        say(f"{playbook.id:<26} {playbook.title.in_(terminal_language())}")


def _in_short(playbook: Playbook) -> dict[str, Any]:
    words = {name: getattr(playbook, name) for name in ("title", "summary")}
    return {
        "id": playbook.id,
        "version": playbook.version,
        "severity": playbook.severity,
        "flow": playbook.flow,
        **{name: {"en": text.en, "zh": text.zh or text.en} for name, text in words.items()},
        "stages": len(playbook.stages),
        "steps": sum(1 for _ in playbook.each_step()),
    }


@app.command(epilog=example("tocsin playbook show four-hour-response"))
def show(name: Annotated[str, typer.Argument(help="Id of the playbook.")], as_json: AsJson = False) -> None:
    """Show a playbook: its stages, steps, owners and deadlines."""
    from domain.durations import format_duration
    from playbooks.playbook_library import PlaybookLibrary, UnknownPlaybook
    from playbooks.playbook_loader import to_document

    try:
        playbook = PlaybookLibrary(home_folder() / "playbooks").get(name)
    except UnknownPlaybook as unknown:
        raise CommandError(str(unknown)) from None
    if as_json:
        show_json(to_document(playbook))
        return
    say(f"{playbook.id} - {playbook.title.in_(terminal_language())}")
    say(playbook.summary.in_(terminal_language()))
    for stage in playbook.stages:
        window = f"{format_duration(stage.starts)}-{format_duration(stage.ends)} {stage.clock}"
        repeat = f", {_('every')} {format_duration(stage.repeat)}" if stage.repeat else ""
        span = _("on demand") if stage.on_demand else f"{window}{repeat}"
        say(f"\n{stage.id}  {stage.title.in_(terminal_language())}  ({span})")
        for step in stage.steps:
            say(_line(step))


def _line(step: Step) -> str:
    from domain.durations import format_duration

    due = f"{_('Due')} {format_duration(step.due)}" if step.due is not None else ""
    words = localized({"en": step.title.en, "zh": step.title.zh or step.title.en})
    return f"  {step.id:<14} {step.kind:<8} {step.owner:<22} {words}  {due}".rstrip()
