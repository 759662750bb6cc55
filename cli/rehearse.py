"""`tocsin rehearse`: the procedure at many times real speed, watched as it goes, then PASS or FAIL."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import client
from cli.frame import Trouble, _, fail, show_json

if TYPE_CHECKING:
    from engine.house import House
    from engine.rehearsal.order import Customers, Held, Order, Progress

SLOWEST, FASTEST = 1.0, 10_000.0


def rehearse(
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
    from engine.rehearsal.line import Line, RehearsalError
    from engine.rehearsal.run import rehearse as hold
    from playbooks.errors import BadFile
    from storage.database import StorageError

    speed = speed if speed is not None else 240.0 if auto else 1.0
    if not SLOWEST <= speed <= FASTEST:
        raise Trouble(f"--speed is {SLOWEST:g} to {FASTEST:,.0f} times real time, for example 240")
    if closed_speed is not None and not SLOWEST <= closed_speed <= FASTEST:
        raise Trouble(f"--closed-speed is {SLOWEST:g} to {FASTEST:,.0f} times real time, for example 2000")
    if customers is not None and not auto:
        raise Trouble("--customers needs --auto: they are simulated as the owners are")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tokens are taken back all the same
    host, port = client.address()
    client.get("/healthz", "")  # says in one line that nothing runs
    house = _house(port)
    line = Line(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    try:
        order = _order(house, name, speed, auto=auto, seed=seed, until=until, tolerance=tolerance)
        order = replace(order, customers=_customers(customers), closed_speed=closed_speed)
        if as_json:
            held, found = hold(house, line, order, lambda _progress: None)
            show_json(found)
        else:
            held, found = _watched(house, line, order)
    except (RehearsalError, StorageError, BadFile) as error:
        raise Trouble(str(error)) from None
    except KeyboardInterrupt:
        fail(_("the rehearsal was broken off; its incident is cancelled"))
    finally:
        line.close()
        house.close()
    sys.exit(0 if held.verdict.passed else 1)


def _house(port: int) -> House:
    from engine.house import House
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    try:
        return House(load_settings(port=port)).open()
    except (SettingsError, StorageError, OSError) as error:
        raise Trouble(str(error)) from None


def _order(house: House, name: str, speed: float, *, auto: bool, seed: int, until: str, tolerance: float) -> Order:
    from domain.durations import parse_duration
    from engine.rehearsal.order import Order
    from playbooks.library import UnknownPlaybook

    ends: timedelta | None = None
    try:
        ends = parse_duration(until) if until else None
        playbook = house.library.get(name)
    except UnknownPlaybook as unknown:
        raise Trouble(str(unknown)) from None
    except ValueError as error:
        raise Trouble(f"--until: {error}") from None
    return Order(playbook, speed, auto, seed, ends, tolerance)


def _customers(path: Path | None) -> Customers | None:
    """The customers of a file, and the import as `tocsin customers import` does it."""
    if path is None:
        return None
    from cli.customers_import import bring
    from engine.rehearsal.affected import read_file
    from engine.rehearsal.order import Brought, Customers

    def work(ref: str) -> Brought:
        tally = bring(ref, path, "")
        return Brought(tally.taken, frozenset(int(one["line"]) for one in tally.bad))

    return Customers(read_file(path), path.name, work)


def _watched(house: House, line: Any, order: Order) -> tuple[Held, dict[str, Any]]:
    """On a terminal, as it goes; elsewhere a line for each call."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from cli.rehearsal_drawing import ending, under_way
    from engine.rehearsal.run import rehearse as hold

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.print(Text(_("DRILL 演练: rehearsing {playbook}").format(playbook=order.playbook.id)))
        held, found = hold(house, line, order, lambda _progress: None)
    else:
        with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:

            def draw(progress: Progress) -> None:
                live.update(under_way(progress), refresh=True)

            held, found = hold(house, line, order, draw)
    console.print(ending(held, found))
    return held, found
