"""`tocsin drill`: load on the whole service chain, a fault, recovery, and a verdict."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from cli.common import AsJson, CommandError, _, example, home_folder, say, show_json, terminal_language

if TYPE_CHECKING:
    from domain.drill.measurement import DrillSecond
    from engine.drill.conductor import DrillConductor
    from engine.drill.record import DrillRecord
    from engine.drill.run_drill import DrillResult
    from engine.installation import Installation

app = typer.Typer(no_args_is_help=True, help="Full-chain drills: lint, run, compare, abort.", rich_markup_mode=None)

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="The plan of a drill.")]
Name = Annotated[str, typer.Argument(metavar="DRILL", help="A drill as named by `tocsin drill list`.")]


@app.command(epilog=example("tocsin drill lint examples/drill.yaml"))
def lint(plan: PlanFile, as_json: AsJson = False) -> None:
    """Check a plan; mistakes are reported with file, line, field and the correct form."""
    from playbooks.drill_file import read_drill_plan
    from playbooks.errors import BadFile

    try:
        found = read_drill_plan(plan)
    except BadFile as bad:
        raise CommandError(str(bad)) from None
    steps, levels = sum(1 for _one in found.steps()), [level.percent for level in found.levels]
    if as_json:
        show_json({"plan": found.id, "steps": steps, "levels": levels, "targets": list(found.targets)})
        return
    say(_("{plan}: sound").format(plan=found.id) + f" · {steps} steps · {', '.join(f'{level} %' for level in levels)}")


@app.command(epilog=example("tocsin drill run examples/drill.yaml"))
def run(
    plan: PlanFile,
    *,
    auto: Annotated[
        bool, typer.Option("--auto", help="A simulated owner acknowledges the warning, in the sandbox.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a drill now: PASS (exit 0), FAIL or INVALID (exit 1). Ctrl-C stops it safely."""
    import asyncio

    from engine.drill import run_drill
    from engine.drill.preflight import DrillNotAllowed
    from engine.process.clock import now
    from playbooks.errors import BadFile
    from storage.database import StorageError

    installation = _installation()
    shown = _Shown(quiet=as_json)
    try:
        with shown:
            held = asyncio.run(run_drill.run_drill(installation, plan, now, shown.heard, _stoppable, auto=auto))
    except (BadFile, DrillNotAllowed, StorageError) as error:
        raise CommandError(str(error)) from None
    finally:
        installation.close()
    if as_json:
        show_json(
            {**held.document.data, "report": str(held.page), "matter": held.matter, "actions": list(held.actions)}
        )
    else:
        _tell(held)
    sys.exit(0 if held.document.data["verdict"] == "PASS" else 1)


@app.command("list", epilog=example("tocsin drill list"))
def list_(as_json: AsJson = False) -> None:
    """List the running drill and past drills, the newest first."""
    from engine.drill.read_model import list_history, read_running

    installation = _installation()
    try:
        live, held = read_running(installation), list_history(installation)
    finally:
        installation.close()
    if as_json:
        now = {name: live[name] for name in ("id", "plan", "begun_at", "phase", "stage")} if live else None
        show_json({"running": now, "drills": held})
        return
    if live:
        say(f"{live['id']}  {live['plan']}  {_('runs')}: {live['phase']} · {live['stage'] or '-'}")
    for one in held:
        rto = "-" if one["rto_seconds"] is None else f"{one['rto_seconds']:.0f} s"
        knee = f"{one['knee']['rate']:.1f}/s" if one["knee"] else "-"
        say(f"{one['id']}  {one['plan']}  {one['verdict']:<8} {_('capacity')} {knee}, {_('recovery')} {rto}")
    if not live and not held:
        say(_("No drill was held yet: `tocsin drill run examples/drill.yaml`"))


@app.command(epilog=example("tocsin drill show 20261122-173000"))
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the results of a drill and the path of its report."""
    found = _read(name)
    if as_json:
        show_json(found)
        return
    say(f"{found['id']}  {found['plan']}  {found['verdict']}")
    for reason in found["reasons"]:
        say(f"  {reason['zh' if terminal_language() == 'zh_CN' else 'en']}")
    say(f"  {_('report')}: {home_folder() / 'drills' / name / 'report.en.html'}")


@app.command(epilog=example("tocsin drill compare 20261022-173000 20261122-173000"))
def compare(old: Name, new: Name, as_json: AsJson = False) -> None:
    """Compare two drills: whether the newer one is worse, beyond chance and by a relevant amount."""
    from engine.drill.comparison import compare_with_earlier

    found = compare_with_earlier([_record(old)], _record(new))
    rows = [
        {"figure": one.figure, "ratio": one.change.ratio, "low": one.change.low, "high": one.change.high,
         "says": str(one.change.trend)}
        for one in found
    ]  # fmt: skip
    if as_json:
        show_json({"old": old, "new": new, "figures": rows})
        return
    for row in rows:
        say(f"{row['figure']:<10} x {row['ratio']:.2f} ({row['low']:.2f} - {row['high']:.2f})  {row['says']}")
    if not rows:
        say(_("They have no stage in common that both carried."))


@app.command(epilog=example("tocsin drill abort"))
def abort(as_json: AsJson = False) -> None:
    """Stop the running drill: no new journeys, five seconds for those in progress, the fault reverted."""
    from engine.drill.conductor import ABORT
    from engine.drill.folders import ALIVE

    running = sorted((home_folder() / "drills").glob(f"*/{ALIVE}"))
    if not running:
        raise CommandError("no drill runs here")
    if as_json:
        show_json({"drills": [mark.parent.name for mark in running]})
    for mark in running:
        (mark.parent / ABORT).touch()
        if not as_json:
            say(_("{drill} stops within a second").format(drill=mark.parent.name))


def _installation() -> Installation:
    from engine.installation import Installation
    from engine.process.startup_checks import read_state
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    state = read_state(home_folder())  # a running set may listen on another port than the usual one: links lead there
    try:
        return Installation(load_settings(port=int(state["port"])) if state else load_settings(), sends=False).open()
    except (SettingsError, StorageError, OSError) as error:
        raise CommandError(str(error)) from None


def _stoppable(conductor: DrillConductor) -> None:
    def stop(*_given: object) -> None:
        conductor.abort("stopped by hand")

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


class _Shown:
    """A progress bar of the whole course on a terminal; a line a stage elsewhere; nothing where it must be quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._stage = quiet, ""
        self._bar: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stdout.isatty():
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar.start()
            self._bar.add_task(_("preflight"), total=None)
        return self

    def __exit__(self, *_given: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def heard(self, _record: DrillRecord, second: DrillSecond) -> None:
        """One second of the drill."""
        p95 = "-" if second.p95 is None else f"{second.p95:.0f} ms"
        line = (
            f"{second.segment:<18} {second.rate:6.1f}/s  {second.completed:4} done  {second.under_way:4} under way  "
            f"p95 {p95:<9} {second.failed} failed"
        )
        if self._bar is not None:
            self._bar.update(0, description=line)
        elif not self._quiet and second.segment != self._stage:
            self._stage = second.segment
            say(line)


def _tell(held: DrillResult) -> None:
    data = held.document.data
    say(f"{data['verdict']}  {data['plan']}  {data['id']}")
    for reason in data["reasons"]:
        say(f"  {reason['zh' if terminal_language() == 'zh_CN' else 'en']}")
    if data["knee"]:
        say(f"  {_('capacity')}: {data['knee']['rate']:.1f}/s ({data['knee']['low']:.1f} - {data['knee']['high']:.1f})")
    if data["rto_seconds"] is not None:
        say(f"  {_('recovery')}: {data['rto_seconds']:.1f} s, {_('seen by')} {data['detected_by'] or '-'}")
    if data["called"]:
        say(f"  {data['called']}: {_('acknowledged by')} {data['acknowledged_by'] or '-'}")
    elif data["not_called"]:
        say(f"  {_('nobody was called')}: {_(data['not_called'])}")
    say(f"  {_('report')}: {held.page}")
    if held.matter or held.actions:
        say(f"  {_('on record as')} {' '.join(filter(None, (held.matter, *held.actions)))}")


def _record(name: str) -> DrillRecord:
    from engine.drill.lifecycle import load_record

    found = load_record(home_folder() / "drills" / name)
    if found is None:
        raise CommandError(f"no drill {name!r} here: `tocsin drill list` names them")
    return found


def _read(name: str) -> dict[str, Any]:
    from engine.drill.drill_records import summarise
    from engine.drill.lifecycle import judge_record
    from playbooks.drill_file import read_drill_plan

    record = _record(name)
    plan = read_drill_plan(home_folder() / "drills" / name / "plan.yaml")
    return summarise(record, judge_record(plan, record))
