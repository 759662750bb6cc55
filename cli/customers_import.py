"""`tocsin customers import`: a file in batches over the API; bad rows are named by line, good ones kept."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from cli import client
from cli.common import CommandError, _, say, show_json
from cli.samples_push import TransferProgressBar, retry_while_unavailable
from domain.customers.import_row import COLUMNS, REQUIRED

BATCH = 2_000
MOST_BYTES = 700_000  # of a batch: the API takes 1 MiB
TOLD = 20  # bad rows on the screen; all are in the JSON
LONGEST_ROW = 5_000  # characters


@dataclass
class CustomerImportTally:
    """Count of a file's rows by result so far."""

    taken: int = 0
    known: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)


def import_and_report(ref: str, path: Path, token: str, *, as_json: bool) -> None:
    """Import a whole file; exit 1 if any row was bad."""
    tally = import_file(ref, path, token)
    _report(ref, tally, as_json=as_json)
    if tally.bad:
        sys.exit(1)


def import_file(ref: str, path: Path, token: str) -> CustomerImportTally:
    """Import a whole file; the count of its rows by result.

    Raises:
        CommandError: it cannot be read or sent. One line.
    """
    tally, reached = CustomerImportTally(), 0
    try:
        lines = _lines(path)
        with TransferProgressBar(_("importing"), lines) as bar:
            for batch in _batches(path, tally):
                _send(ref, batch, token, tally)
                reached = int(batch[-1]["line"])
                bar.show_progress(reached)
    except client.ServerNotRunning as lost:
        raise CommandError(f"{lost}; imported as far as line {reached}: import again, a repeat counts once") from None
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    tally.bad.sort(key=lambda one: int(one["line"]))
    return tally


def _send(ref: str, batch: list[dict[str, Any]], token: str, tally: CustomerImportTally) -> None:
    form = {"customers": batch}
    answer = retry_while_unavailable(lambda: client.post(client.incident_path(ref, "customers"), token, form))
    tally.taken += int(answer["taken"])
    tally.known += int(answer["known"])
    tally.bad += answer["bad"]


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _line in stream)


def _batches(path: Path, tally: CustomerImportTally) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for row in _rows(path, tally):
        batch.append(row)
        size += sum(len(str(value)) * 3 + len(name) + 8 for name, value in row.items())
        if len(batch) == BATCH or size > MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _rows(path: Path, tally: CustomerImportTally) -> Iterator[dict[str, Any]]:
    """The rows with their lines; those that are no rows go to the tally.

    Each line is read by itself: a quote that is never closed must not take the rest of the file with it.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        header = _header(path, stream.readline())
        for number, text in enumerate(stream, start=2):
            if not text.strip():
                continue
            values, reason = _fields(text, header)
            if reason:
                tally.bad.append({"line": number, "reason": reason})
            else:
                yield {"line": number, **dict(zip(header, values, strict=True))}


def _fields(text: str, header: list[str]) -> tuple[list[str], str]:
    """The fields of a line, or why it has none."""
    if len(text) > LONGEST_ROW:
        return [], f"is longer than {LONGEST_ROW} characters"
    if any("\udc80" <= character <= "\udcff" for character in text):
        return [], "is not UTF-8: save the file as CSV UTF-8"
    try:
        values = next(csv.reader([text.rstrip("\r\n")], strict=True))
    except (csv.Error, StopIteration):
        return [], "a quote is not closed, or stands where none belongs"
    if len(values) != len(header):
        return [], f"has {len(values)} fields where the header has {len(header)}"
    return values, ""


def _header(path: Path, text: str) -> list[str]:
    try:
        header = [name.strip() for name in next(csv.reader([text.rstrip("\r\n")], strict=True), [])]
    except csv.Error:
        header = []
    if not header:
        raise CommandError(f"{path} has no header: its first line names the columns {', '.join(COLUMNS)}")
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        strange = f"a column {unknown[0][:40]!r}" if unknown else "a column twice"
        wrong = f"no column {missing[0]}" if missing else strange
        raise CommandError(f"{path} has {wrong}: its first line names the columns {', '.join(COLUMNS)}")
    return header


def _report(ref: str, tally: CustomerImportTally, *, as_json: bool) -> None:
    if as_json:
        show_json({"ref": ref, "taken": tally.taken, "known": tally.known, "bad": tally.bad})
        return
    for bad in tally.bad[:TOLD]:
        typer.echo(_("line {line}: {reason}").format(line=bad["line"], reason=bad["reason"]), err=True)
    if len(tally.bad) > TOLD:
        typer.echo(_("and {count} more bad lines").format(count=len(tally.bad) - TOLD), err=True)
    say(
        _("{taken} customers taken in, {known} known already, {bad} bad rows").format(
            taken=tally.taken, known=tally.known, bad=len(tally.bad)
        )
    )
