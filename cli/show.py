"""`tocsin incidents | show | timeline`: incidents and their state on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli import client
from cli.common import AsJson, Incident, TokenFile, _, fail, localized, read_token, say, show_json

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay on the screen and update.")]
_PAGE = 1_000


def incidents(
    watch: Watch = False,
    everything: Annotated[bool, typer.Option("--all", help="Include incidents that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of incidents.")] = 50,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List incidents: current stage and clock, who was called, who acknowledged, the next step."""
    known = read_token(token_file)

    def look() -> Any:
        return client.get("/api/incidents", known, status="all" if everything else "open", limit=limit)

    if as_json:
        show_json(look())
        return
    from cli.incident_view import board_table

    _draw(look, board_table, watch)


def show(ref: Incident, watch: Watch = False, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Show one incident: stages with clocks, all steps, publications, and who was reached."""
    known = read_token(token_file)

    def look() -> Any:
        return client.get(client.incident_path(ref), known)

    if as_json:
        show_json(look())
        return
    from cli.incident_view import incident_panel

    _draw(look, incident_panel, watch)


def _draw(look: Callable[[], Any], draw: Callable[[Any], Any], watch: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if not watch:
        console.print(draw(look()))
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    drawn = draw(look())
    with Live(drawn, console=console, auto_refresh=False, screen=console.is_terminal, vertical_overflow="crop") as live:
        try:
            while True:
                time.sleep(1)
                try:
                    drawn = draw(look())
                    live.update(drawn, refresh=True)
                except client.ServerNotRunning as down:
                    live.update(Group(Text(str(down), style="bold red"), drawn), refresh=True)
        except KeyboardInterrupt:
            return


def timeline(
    ref: Incident,
    verify: Annotated[bool, typer.Option("--verify", help="Verify that no fact was altered.")] = False,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the timeline. --verify checks that it is as recorded (exit 1 if not)."""
    known = read_token(token_file)
    if verify:
        _verify(ref, known, as_json)
        return
    path = client.incident_path(ref, "timeline")
    entries: list[Any] = []
    while True:
        found = client.get(path, known, after=entries[-1]["seq"] if entries else 0, limit=_PAGE)
        entries += found["entries"]
        if len(found["entries"]) < _PAGE:
            break
    if as_json:
        show_json({**found, "entries": entries})
        return
    from cli.incident_view import clock_text

    for entry in entries:
        by = f" - {entry['by_name'] or entry['by']}" if entry["by"] else ""
        step = f"{entry['step']}: " if entry["step"] else ""
        say(f"{clock_text(entry['at'], seconds=True)}  {step}{localized(entry['says'])}{by}")


def _verify(ref: str, known: str, as_json: bool) -> None:
    answer = client.get(client.incident_path(ref, "timeline/verify"), known)
    if as_json:
        show_json(answer)
        if not answer["ok"]:
            raise SystemExit(1)
    elif answer["ok"]:
        say(_("{ref}: the timeline is as it was recorded").format(ref=answer["ref"]))
    else:
        fail(f"{answer['ref']}: {answer['problem']}")
