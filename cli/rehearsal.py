"""`tocsin rehearse`, every form of it: a playbook, a sudden situation, and results of earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.common import AsJson, CommandError


def rehearse(
    name: Annotated[str, typer.Argument(metavar="[PLAYBOOK]", help="`tocsin playbook list` names them.")] = "",
    *,
    speed: Annotated[
        float | None, typer.Option(help="How many times real time; default 240 with --auto, else 1.")
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Simulated owners act; else you do.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same simulated owners, and draws the same.")] = 1,
    until: Annotated[str, typer.Option(help="Rehearse only so far, for example 1h.")] = "",
    tolerance: Annotated[float, typer.Option(min=0, help="Real seconds by which a notice may be late.")] = 3.0,
    customers: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="With --auto: these are affected, and followed up for 72 h.")
    ] = None,
    closed_speed: Annotated[
        float | None, typer.Option(help="Times real time after the close; default by the number of customers.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(metavar="ID", help="Put this sudden situation into it, or `random`; scored 40, 30, 30.")
    ] = "",
    observer: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="An observer's answers; without it the terminal asks.")
    ] = None,
    scenarios: Annotated[bool, typer.Option("--scenarios", help="List the sudden situations.")] = False,
    results: Annotated[bool, typer.Option("--results", help="List the sudden situations that were held.")] = False,
    result: Annotated[
        str, typer.Option("--show", metavar="INC-1", help="Show one that was held; with --observer, score it anew.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Rehearse a playbook, marked DRILL, on the sandbox: PASS or FAIL from what the receivers got."""
    if scenarios or results or result or scenario:
        from cli import tabletop

        if scenarios:
            tabletop.list_scenarios(as_json=as_json)
        elif results:
            tabletop.list_results(as_json=as_json)
        elif result:
            tabletop.show_result(result, observer, as_json=as_json)
        else:
            tabletop.hold_tabletop(
                scenario, name, speed=speed, auto=auto, seed=seed, observer=observer, as_json=as_json
            )
        return
    if not name:
        raise CommandError("which playbook? `tocsin playbook list` names them, `--scenarios` the sudden situations")
    from cli.playbook_rehearsal import hold_rehearsal

    hold_rehearsal(
        name, speed=speed, auto=auto, as_json=as_json, seed=seed, until=until, tolerance=tolerance,
        customers=customers, closed_speed=closed_speed,
    )  # fmt: skip
