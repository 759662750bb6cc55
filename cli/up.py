"""`tocsin up`: start and supervise the installation."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.common import CommandError, _, say, terminal_language


def up(
    port: Annotated[int | None, typer.Option(help="Port of the pages and the API. Default: 7700.")] = None,
    prefect_port: Annotated[
        int | None, typer.Option(help="Port of the embedded Prefect server. Default: 7701.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 opens the pages to the network.")
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="NAMES", help="Start only these processes: `engine,runner` on a second machine.")
    ] = "",
) -> None:
    """Start Tocsin and keep it running. It prints a line that begins with `ready`; Ctrl-C stops it."""
    from engine.process.children import default_children, select_children
    from engine.process.supervisor import StartError, Supervisor, prepare_home_in_subprocess
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings(port=port, prefect_port=prefect_port, host=host)
        children = select_children(default_children(settings), only)
        for line in prepare_home_in_subprocess(settings):
            say(_told(line))
        serves = any(child.name == "web" for child in children)
        Supervisor(settings, children, language=terminal_language(), serves=serves).run()
    except (StartError, SettingsError, ValueError) as error:
        raise CommandError(str(error)) from None


def _told(line: str) -> str:
    """Line of a created home; the first login link is printed in the terminal's language."""
    _begins, found, link = line.partition("login link: ")
    return _("Log in once, within half an hour, by this link: {link}").format(link=link) if found else line
