"""`tocsin samples push`: a file in batches over the API, bad lines named, good ones kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import typer

from cli import client
from cli.frame import Trouble, _, say, show_json
from engine.figures.files import BadFigures, BadRow, FiguresFile, Row, zone_of

BATCH = 1_000
TOLD = 20  # bad lines on the screen; all are in the JSON
_BAR_AFTER_SECONDS = 2.0
_RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15)


@dataclass
class Tally:
    """What became of the rows so far."""

    taken: int = 0
    duplicates: int = 0
    late: int = 0
    errors: list[BadRow] = field(default_factory=list)
    undeclared: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "taken": self.taken,
            "duplicates": self.duplicates,
            "late": self.late,
            "refused": len(self.errors),
            "errors": [{"line": bad.line, "reason": bad.reason} for bad in self.errors],
            "undeclared": sorted(self.undeclared),
        }


def push(path: Path, metric: str, zone: str, token: str, *, as_json: bool) -> None:
    """Push a file whole."""
    tally, file, reached = Tally(), opened(path, metric, zone), 0
    with Bar(_("pushing"), _lines(path)) as bar:
        try:
            for batch in batches(file.rows(), tally):
                push_batch(batch, "", token, tally)
                reached = batch[-1].line
                bar.at(reached)
        except BadFigures as bad:
            raise Trouble(str(bad)) from None
        except client.NotRunning as lost:
            raise Trouble(f"{lost}; pushed as far as line {reached}: push again, a repeat counts once") from None
    report(tally, as_json=as_json)


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def opened(path: Path, metric: str, zone: str) -> FiguresFile:
    """The file, its header checked.

    Raises:
        Trouble: it is not one of figures.
    """
    try:
        return FiguresFile(path, metric, zone_of(zone))
    except BadFigures as bad:
        raise Trouble(str(bad)) from None


def batches(rows: Iterator[Row | BadRow], tally: Tally) -> Iterator[list[Row]]:
    """The good rows, a batch at a time; the others go to the tally."""
    batch: list[Row] = []
    for row in rows:
        if isinstance(row, BadRow):
            tally.errors.append(row)
            continue
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def push_batch(batch: Sequence[Row], lane: str, token: str, tally: Tally) -> None:
    """Push a batch, again if the connection is lost: a repeat counts once.

    Raises:
        NotRunning: nobody answered for half a minute.
        Refusal: the answer is no for all of them.
    """
    document = {"samples": [row.document() for row in batch], "lane": lane}
    try:
        answer = patiently(lambda: client.post("/api/samples", token, document))
    except client.Refusal as refusal:
        answer = refusal.document
        if not isinstance(answer, dict) or "errors" not in answer:
            raise
    for name in ("taken", "duplicates", "late"):
        setattr(tally, name, getattr(tally, name) + int(answer[name]))
    told = answer["errors"]
    tally.errors += [BadRow(batch[one["index"]].line, str(one["reason"])) for one in told]
    # An answer names the first hundred: where more are bad, smaller batches name them all.
    if len(told) < int(answer["refused"]):
        beyond = int(told[-1]["index"]) + 1
        rest = Tally()
        push_batch(batch[beyond:], lane, token, rest)
        tally.errors += rest.errors
    tally.undeclared |= set(answer["undeclared"])


def patiently(call: Callable[[], Any]) -> Any:
    """What the call gives, tried again for half a minute while nobody answers or the database is busy."""
    for pause in _RETRY_SECONDS:
        try:
            return call()
        except client.NotRunning:
            pass
        except client.Refusal as refusal:
            if refusal.status != 503:  # noqa: PLR2004 - HTTP's own number
                raise
        time.sleep(pause)
    return call()


def report(tally: Tally, *, as_json: bool) -> None:
    """Say what became of the rows; exit 1 if any was bad."""
    tally.errors.sort(key=lambda bad: bad.line)
    if as_json:
        show_json(tally.document())
    else:
        tell(tally)
    if tally.errors:
        sys.exit(1)


def tell(tally: Tally) -> None:
    """For a person: bad lines on stderr, the sum on stdout."""
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


class Bar:
    """A progress bar on stderr, for what takes longer than two seconds; none where nobody looks."""

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

    def at(self, done: float, said: str = "") -> None:
        """So much is done."""
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
