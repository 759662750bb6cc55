"""`tocsin health`: the six core metrics, the indices, staffing and the forecast."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import client
from cli.common import AsJson, TokenFile, read_token, show_json


def health(
    *,
    service: Annotated[str, typer.Option("--service", "-s", help="One service. Default: all services together.")] = "",
    lane: Annotated[str, typer.Option(help="Feed of a replay, at its current position. Default: live.")] = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show core metrics, indices, staffing, the forecast of 48 hours, and what to do."""
    found = client.get("/api/health", read_token(token_file), service=service, lane=lane)
    if as_json:
        show_json(found)
        return
    from rich.console import Console

    from cli.health_view import health_board_view

    Console(highlight=False).print(health_board_view(found))
