"""`tocsin rehearse`, every form of it: a playbook, a sudden situation, and results of earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.common import AsJson, CommandError


def rehearse(
    name: Annotated[
        str, typer.Argument(metavar="[PLAYBOOK]", help="A playbook; `tocsin playbook list` lists them.")
    ] = "",
    *,
    speed: Annotated[
        float | None, typer.Option(help="Speed as a multiple of real time. Default: 240 with --auto, else 1.")
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Simulated owners act. Default: real people.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of simulated owners and of `random`; it makes a run repeatable.")] = 1,
    until: Annotated[str, typer.Option(help="Stop at this time of the incident, for example 1h.")] = "",
    tolerance: Annotated[float, typer.Option(min=0, help="Real seconds by which a notification may be late.")] = 3.0,
    customers: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="With --auto: affected customers for the 72-hour follow-up.")
    ] = None,
    closed_speed: Annotated[
        float | None, typer.Option(help="Speed after the close. Default: by the number of customers.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(metavar="ID", help="Hold a tabletop exercise with this scenario, or `random`; it is scored.")
    ] = "",
    observer: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="An observer's answers. Default: the terminal asks.")
    ] = None,
    scenarios: Annotated[bool, typer.Option("--scenarios", help="List the tabletop scenarios.")] = False,
    results: Annotated[bool, typer.Option("--results", help="List the tabletop exercises that were held.")] = False,
    result: Annotated[
        str, typer.Option("--show", metavar="INC-1", help="Show one that was held; --observer scores it again.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Rehearse a playbook in the sandbox, marked DRILL; PASS or FAIL depends on the messages received."""
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
