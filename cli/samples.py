"""`tocsin samples`: push samples from a file, replay a day, make a token for a pushing program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.common import AsJson, CommandError, TokenFile, _, example, read_token, say, show_json

app = typer.Typer(no_args_is_help=True, help="Samples of service metrics: push, replay, tokens.", rich_markup_mode=None)

File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="time,metric,value[,count][,labels...]")]
Metric = Annotated[str, typer.Option(help="Metric of a file without a column metric, such as timestamp,value.")]
Zone = Annotated[str, typer.Option(help="Time zone of times without an offset.")]


@app.command(epilog=example("tocsin samples push yesterday.csv"))
def push(
    file: File,
    metric: Metric = "",
    zone: Zone = "UTC",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Push the samples of a file. Bad lines are reported (exit 1), good ones kept; a repeat counts once."""
    from cli.samples_push import push_file as work

    work(file, metric, zone, read_token(token_file), as_json=as_json)


@app.command(epilog=example("tocsin samples replay examples/bad_day.csv --speed 600"))
def replay(
    file: File,
    *,
    speed: Annotated[float, typer.Option(min=0.1, max=1e6, help="Speed as a multiple of real time.")] = 600.0,
    lane: Annotated[str, typer.Option(help="Feed name of the replay; a known one continues where it stopped.")] = "",
    begin: Annotated[str, typer.Option("--from", help="Begin at this time; earlier samples are history.")] = "",
    metric: Metric = "",
    zone: Zone = "UTC",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Replay the samples of a file on a separate feed, in their own time; then print its warnings."""
    from cli.samples_replay import replay_file as work

    work(file, speed, lane, begin, metric, zone, read_token(token_file), as_json=as_json)


@app.command("token", epilog=example("tocsin samples token alertmanager"))
def new_token(
    name: Annotated[str, typer.Argument(help="Name of the program, such as alertmanager or crm.")],
    as_json: AsJson = False,
) -> None:
    """Create a token for a program that pushes samples or alerts, and revoke its earlier one."""
    import re

    import pendulum

    from storage.database import StorageError
    from storage.samples.program_tokens import create_program_token as make
    from storage.samples.sample_store import open_sample_store
    from storage.settings import SettingsError, load_settings

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", name):
        raise CommandError(
            f"{name[:60]!r} cannot be a name: lower-case letters, digits and hyphens, such as alertmanager"
        )
    try:
        settings = load_settings()
        if settings.is_sqlite and not settings.home.exists():
            raise CommandError(f"there is no {settings.home}: `tocsin up` lays one out, or set TOCSIN_HOME")
        figures = open_sample_store(settings)
        try:
            made = make(figures, name, pendulum.now("UTC"))
        finally:
            figures.close()
    except (SettingsError, StorageError) as error:
        raise CommandError(str(error)) from None
    if as_json:
        show_json({"name": name, "token": made})
        return
    say(made)
    typer.echo(_("{name}: send it as `Authorization: Bearer TOKEN`; it is not shown again").format(name=name), err=True)
