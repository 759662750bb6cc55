"""`tocsin samples push`: a file in batches over the API; bad lines are named, good ones kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import typer

from cli import client
from cli.common import CommandError, _, say, show_json
from engine.samples.csv_file import BadSampleRow, BadSamplesFile, SampleRow, SamplesFile, parse_zone

BATCH = 1_000
TOLD = 20  # bad lines on the screen; all are in the JSON
_BAR_AFTER_SECONDS = 2.0
_RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15)


@dataclass
class SamplePushTally:
    """Count of a file's rows by result so far."""

    taken: int = 0
    duplicates: int = 0
    late: int = 0
    errors: list[BadSampleRow] = field(default_factory=list)
    undeclared: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """JSON document of the count."""
        return {
            "taken": self.taken,
            "duplicates": self.duplicates,
            "late": self.late,
            "refused": len(self.errors),
            "errors": [{"line": bad.line, "reason": bad.reason} for bad in self.errors],
            "undeclared": sorted(self.undeclared),
        }


def push_file(path: Path, metric: str, zone: str, token: str, *, as_json: bool) -> None:
    """Push a whole file."""
    tally, file, reached = SamplePushTally(), open_samples_file(path, metric, zone), 0
    with TransferProgressBar(_("pushing"), _lines(path)) as bar:
        try:
            for batch in batch_rows(file.rows(), tally):
                push_batch(batch, "", token, tally)
                reached = batch[-1].line
                bar.show_progress(reached)
        except BadSamplesFile as bad:
            raise CommandError(str(bad)) from None
        except client.ServerNotRunning as lost:
            raise CommandError(f"{lost}; pushed as far as line {reached}: push again, a repeat counts once") from None
    report_tally(tally, as_json=as_json)


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def open_samples_file(path: Path, metric: str, zone: str) -> SamplesFile:
    """Open a samples file and check its header.

    Raises:
        CommandError: it is not one of figures.
    """
    try:
        return SamplesFile(path, metric, parse_zone(zone))
    except BadSamplesFile as bad:
        raise CommandError(str(bad)) from None


def batch_rows(rows: Iterator[SampleRow | BadSampleRow], tally: SamplePushTally) -> Iterator[list[SampleRow]]:
    """Good rows, a batch at a time; the others go to the tally."""
    batch: list[SampleRow] = []
    for row in rows:
        if isinstance(row, BadSampleRow):
            tally.errors.append(row)
            continue
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def push_batch(batch: Sequence[SampleRow], lane: str, token: str, tally: SamplePushTally) -> None:
    """Push a batch, again if the connection is lost: a repeat counts once.

    Raises:
        NotRunning: nobody answered for half a minute.
        Refusal: the answer is no for all of them.
    """
    document = {"samples": [row.document() for row in batch], "lane": lane}
    try:
        answer = retry_while_unavailable(lambda: client.post("/api/samples", token, document))
    except client.ApiRefusal as refusal:
        answer = refusal.document
        if not isinstance(answer, dict) or "errors" not in answer:
            raise
    for name in ("taken", "duplicates", "late"):
        setattr(tally, name, getattr(tally, name) + int(answer[name]))
    told = answer["errors"]
    tally.errors += [BadSampleRow(batch[one["index"]].line, str(one["reason"])) for one in told]
    # An answer names the first hundred: where more are bad, smaller batches name them all.
    if len(told) < int(answer["refused"]):
        beyond = int(told[-1]["index"]) + 1
        rest = SamplePushTally()
        push_batch(batch[beyond:], lane, token, rest)
        tally.errors += rest.errors
    tally.undeclared |= set(answer["undeclared"])


def retry_while_unavailable(call: Callable[[], Any]) -> Any:
    """Call again for half a minute while no server answers or the database is busy; the call's result."""
    for pause in _RETRY_SECONDS:
        try:
            return call()
        except client.ServerNotRunning:
            pass
        except client.ApiRefusal as refusal:
            if refusal.status != 503:  # noqa: PLR2004 - HTTP's own number
                raise
        time.sleep(pause)
    return call()


def report_tally(tally: SamplePushTally, *, as_json: bool) -> None:
    """Report the count of rows; exit 1 if any was bad."""
    tally.errors.sort(key=lambda bad: bad.line)
    if as_json:
        show_json(tally.document())
    else:
        print_tally(tally)
    if tally.errors:
        sys.exit(1)


def print_tally(tally: SamplePushTally) -> None:
    """Print the count for a person: bad lines on stderr, the sum on stdout."""
    for bad in tally.errors[:TOLD]:
        typer.echo(_("line {line}: {reason}").format(line=bad.line, reason=bad.reason), err=True)
    if len(tally.errors) > TOLD:
        typer.echo(_("and {count} more bad lines").format(count=len(tally.errors) - TOLD), err=True)
    if tally.undeclared:
        names = ", ".join(sorted(tally.undeclared))
        typer.echo(_("nobody declared these metrics; perhaps misspelt: {names}").format(names=names), err=True)
    say(
        _("{taken} samples taken, {duplicates} known already, {refused} refused").format(
            taken=tally.taken, duplicates=tally.duplicates, refused=len(tally.errors)
        )
    )


class TransferProgressBar:
    """Progress bar on stderr for transfers of more than two seconds; none where stderr is no terminal."""

    def __init__(self, what: str, total: float) -> None:
        self._what, self._total = what, total
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show_progress(self, done: float, said: str = "") -> None:
        """Show the progress."""
        if self._bar is None:
            if not sys.stderr.isatty() or time.monotonic() - self._began < _BAR_AFTER_SECONDS:
                return
            self._begin()
        self._bar.update(self._task, completed=done, said=said)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._what, total=self._total, said="")
        self._bar.start()
