"""`tocsin check`: check that every owner is reached, every file loads and every clock will fire."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.common import AsJson, CommandError, _, home_folder, say, show_json, terminal_language


def check(
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Send no test messages.")] = False,
    at_rest: Annotated[
        bool, typer.Option("--at-rest", help="Run only the checks that work while Tocsin is down.")
    ] = False,
    inbox: Annotated[
        bool, typer.Option("--inbox", help="Accept channels that wake nobody, such as the built-in inbox.")
    ] = False,
    hand_over: Annotated[bool, typer.Option("--hand-over", help="Open an action for each broken item.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the whole response chain, one line per item. Exit 1 if anything is broken."""
    from engine.check.chain_check import CheckScope, run_checks
    from engine.check.chain_check import open_repair_actions as hand
    from engine.installation import Installation
    from engine.process.clock import now
    from engine.process.startup_checks import read_state
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    try:
        state = read_state(home_folder())  # a running set may listen on another port than the usual one
        installation = Installation(load_settings(port=int(state["port"])) if state else load_settings())
        found = []
        for one in run_checks(installation, now(), CheckScope(quiet=quiet, running=not at_rest, waking=not inbox)):
            found.append(one)
            if not as_json:
                reason = one.reason.in_(terminal_language())
                say(f"{'ok' if one.ok else '!!'}  {one.what:<34} {reason}")
        refs = hand(installation, found, now()) if hand_over else []
        installation.close()
    except (SettingsError, StorageError, OSError) as error:
        raise CommandError(str(error)) from None
    broken = sum(not one.ok for one in found)
    if as_json:
        rows = [
            {"what": one.what, "ok": one.ok, "reason": one.reason.en, "zh": one.reason.zh, "owner": one.owner}
            for one in found
        ]
        show_json({"ok": not broken, "findings": rows, "actions": refs})
    else:
        say(_("{broken} of {count} are broken").format(broken=broken, count=len(found)) if broken else _("all is well"))
        for ref in refs:
            say(f"  {ref}")
    sys.exit(1 if broken else 0)
