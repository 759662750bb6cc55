"""`tocsin rehearse PLAYBOOK`: run a playbook at many times real speed, watched live, then PASS or FAIL."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import client
from cli.common import CommandError, _, fail, show_json

if TYPE_CHECKING:
    from engine.installation import Installation
    from engine.rehearsal.request import RehearsalCustomers, RehearsalProgress, RehearsalRequest, RehearsalResult

SLOWEST, FASTEST = 1.0, 10_000.0


def hold_rehearsal(
    name: str,
    *,
    speed: float | None = None,
    auto: bool = False,
    as_json: bool = False,
    seed: int = 1,
    until: str = "",
    tolerance: float = 3.0,
    customers: Path | None = None,
    closed_speed: float | None = None,
) -> None:
    """Hold the rehearsal; exit 0 on PASS, 1 on FAIL or when it cannot be held."""
    from engine.rehearsal.api_client import RehearsalClient, RehearsalError
    from engine.rehearsal.run_rehearsal import run_rehearsal as hold
    from playbooks.errors import BadFile
    from storage.database import StorageError

    speed = speed if speed is not None else 240.0 if auto else 1.0
    if not SLOWEST <= speed <= FASTEST:
        raise CommandError(f"--speed is {SLOWEST:g} to {FASTEST:,.0f} times real time, for example 240")
    if closed_speed is not None and not SLOWEST <= closed_speed <= FASTEST:
        raise CommandError(f"--closed-speed is {SLOWEST:g} to {FASTEST:,.0f} times real time, for example 2000")
    if customers is not None and not auto:
        raise CommandError("--customers needs --auto: they are simulated as the owners are")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tokens are taken back all the same
    host, port = client.api_address()
    client.get("/healthz", "")  # says in one line that nothing runs
    installation = _installation(port)
    line = RehearsalClient(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    try:
        order = _order(installation, name, speed, auto=auto, seed=seed, until=until, tolerance=tolerance)
        order = replace(order, customers=_customers(customers), closed_speed=closed_speed)
        if as_json:
            held, found = hold(installation, line, order, lambda _progress: None)
            show_json(found)
        else:
            held, found = _watched(installation, line, order)
    except (RehearsalError, StorageError, BadFile) as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        fail(_("the rehearsal was broken off; its incident is cancelled"))
    finally:
        line.close()
        installation.close()
    sys.exit(0 if held.verdict.passed else 1)


def _installation(port: int) -> Installation:
    from engine.installation import Installation
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    try:
        return Installation(load_settings(port=port)).open()
    except (SettingsError, StorageError, OSError) as error:
        raise CommandError(str(error)) from None


def _order(
    installation: Installation, name: str, speed: float, *, auto: bool, seed: int, until: str, tolerance: float
) -> RehearsalRequest:
    from domain.durations import parse_duration
    from engine.rehearsal.request import RehearsalRequest
    from playbooks.playbook_library import UnknownPlaybook

    ends: timedelta | None = None
    try:
        ends = parse_duration(until) if until else None
        playbook = installation.library.get(name)
    except UnknownPlaybook as unknown:
        raise CommandError(str(unknown)) from None
    except ValueError as error:
        raise CommandError(f"--until: {error}") from None
    return RehearsalRequest(playbook, speed, auto, seed, ends, tolerance)


def _customers(path: Path | None) -> RehearsalCustomers | None:
    """The customers of a file, and the import as `tocsin customers import` does it."""
    if path is None:
        return None
    from cli.customers_import import import_file
    from engine.rehearsal.affected_customers import read_customer_file
    from engine.rehearsal.request import ImportedCustomers, RehearsalCustomers

    def work(ref: str) -> ImportedCustomers:
        tally = import_file(ref, path, "")
        return ImportedCustomers(tally.taken, frozenset(int(one["line"]) for one in tally.bad))

    return RehearsalCustomers(read_customer_file(path), path.name, work)


def _watched(installation: Installation, line: Any, order: RehearsalRequest) -> tuple[RehearsalResult, dict[str, Any]]:
    """On a terminal, as it goes; elsewhere a line for each call."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from cli.rehearsal_view import progress_view, result_view
    from engine.rehearsal.run_rehearsal import run_rehearsal as hold

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.print(Text(_("DRILL 演练: rehearsing {playbook}").format(playbook=order.playbook.id)))
        held, found = hold(installation, line, order, lambda _progress: None)
    else:
        with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:

            def draw(progress: RehearsalProgress) -> None:
                live.update(progress_view(progress), refresh=True)

            held, found = hold(installation, line, order, draw)
    console.print(result_view(held, found))
    return held, found
