"""`tocsin up`: the installation itself."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.frame import Trouble, _, language, say


def up(
    port: Annotated[int | None, typer.Option(help="Of the pages and the API; default 7700.")] = None,
    prefect_port: Annotated[int | None, typer.Option(help="Of the embedded Prefect; default 7701.")] = None,
    host: Annotated[str | None, typer.Option(help="0.0.0.0 opens the pages to the network.")] = None,
    only: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these processes: `engine,runner` on a second machine.")
    ] = "",
) -> None:
    """Start Tocsin and keep it running. Prints a line that begins with `ready`; Ctrl-C stops everything."""
    from engine.children import chosen, default_children
    from engine.supervisor import StartError, Supervisor, prepare
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings(port=port, prefect_port=prefect_port, host=host)
        children = chosen(default_children(settings), only)
        for line in prepare(settings):
            say(_told(line))
        serves = any(child.name == "web" for child in children)
        Supervisor(settings, children, language=language(), serves=serves).run()
    except (StartError, SettingsError, ValueError) as error:
        raise Trouble(str(error)) from None


def _told(line: str) -> str:
    """A line of what was laid out; the link by which the first one comes in is said in the terminal's language."""
    _begins, found, link = line.partition("login link: ")
    return _("Log in once, within half an hour, by this link: {link}").format(link=link) if found else line
