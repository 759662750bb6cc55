"""`tocsin rule backtest`: run a rule over past figures before it calls anyone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.common import AsJson, CommandError, _, home_folder, say, show_json, terminal_language

if TYPE_CHECKING:
    from datetime import tzinfo

    from domain.warning.rule import Rule
    from engine.warning.backtest import BacktestResult, RecordedSamples
    from playbooks.rulebook import Rulebook

EXAMPLE = "tocsin rule backtest .tocsin/rules/slow-checkout.yaml last-month.csv"
_SHOWN = 40  # firings in full; programs get them all
_QUICK = 20_000  # rows that need no progress bar


def backtest(
    rule_file: Annotated[str, typer.Argument(metavar="RULE", help="A rule file, or the id of a rule.")],
    figures: Annotated[
        Path | None, typer.Argument(help="CSV: time,metric,value[,count][,labels...]. Default: the stored history.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="File for the plot. Default: RULE.svg here.")] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw no plot.")] = False,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of times without an offset, and of the plot.")] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Run a rule over past samples: when it would have fired, warnings a day, a plot with the firings marked."""
    from engine.samples.csv_file import BadSamplesFile, parse_zone
    from playbooks.rulebook import Rulebook

    book = Rulebook(home_folder())
    rule = _rule(rule_file, book)
    try:
        recorded = _recorded(rule, figures, zone)
        outcome = _run(rule, recorded, book, quiet=as_json)
        picture = plot or (None if no_plot or as_json else Path(f"{rule.id}.svg"))
        if picture is not None:
            _draw(outcome, picture, parse_zone(zone))
    except BadSamplesFile as bad:
        raise CommandError(str(bad)) from None
    if as_json:
        show_json(outcome.document())
        return
    for row in recorded.bad[:_SHOWN]:
        typer.echo(f"{figures}: {_('line')} {row.line}: {row.reason}", err=True)
    _tell(outcome)
    if picture is not None:
        say(_("plot: {file}").format(file=picture))


def _rule(name: str, book: Rulebook) -> Rule:
    from playbooks.errors import BadFile
    from playbooks.rule_loader import load_rule
    from playbooks.rulebook import UnknownRule

    path = Path(name)
    try:
        if path.suffix in (".yaml", ".yml") or path.exists():
            return load_rule(path, book.vocabulary()).rule
        return book.get(name)
    except (BadFile, UnknownRule) as bad:
        raise CommandError(str(bad)) from None


def _recorded(rule: Rule, figures: Path | None, zone: str) -> RecordedSamples:
    from engine.samples.csv_file import parse_zone
    from engine.warning.backtest import read_samples

    if figures is not None:
        return read_samples(figures, rule.metric, parse_zone(zone))
    from engine.warning.backtest_history import read_stored_samples
    from storage.database import StorageError
    from storage.settings import load_settings

    try:
        return read_stored_samples(load_settings(), rule)
    except StorageError as error:
        raise CommandError(str(error)) from None


def _run(rule: Rule, recorded: RecordedSamples, book: Rulebook, *, quiet: bool) -> BacktestResult:
    from domain.warning.calendar import rule_at
    from engine.warning.backtest import run_backtest as run

    calendar = book.calendar()

    def at(rule: Rule, now: object) -> Rule:
        return rule_at(rule, calendar.campaigns, now)  # type: ignore[arg-type]

    if quiet or len(recorded.columns) < _QUICK:
        return run(rule, recorded, calendar.holidays, at)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(rule.id, total=1.0)
        return run(rule, recorded, calendar.holidays, at, lambda share: bar.update(task, completed=share))


def _draw(outcome: BacktestResult, path: Path, zone: tzinfo) -> None:
    from engine.warning.backtest_chart import draw_backtest

    try:
        path.write_text(draw_backtest(outcome, zone, terminal_language()), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from None


def _tell(outcome: BacktestResult) -> None:
    for firing in outcome.firings[:_SHOWN]:
        until = firing.until.isoformat(timespec="seconds") if firing.until else _("still at the end")
        value = "" if firing.value is None else f"{firing.value:.6g}"
        labels = " ".join(f"{name}={label}" for name, label in firing.series)
        began = firing.began.isoformat(timespec="seconds")
        say(f"{firing.level:<7} {began}  {until:<25}  {value:>10}  {labels}".rstrip())
    if len(outcome.firings) > _SHOWN:
        say(_("and {count} more").format(count=len(outcome.firings) - _SHOWN))
    say(
        _("{rule}: {firings} warnings in {evaluations} evaluations, {rate} a day").format(
            rule=outcome.rule.id,
            firings=len(outcome.firings),
            evaluations=outcome.evaluations,
            rate=f"{outcome.warnings_per_day:.2g}",
        )
    )
