"""`tocsin samples replay`: past samples on a feed of their own, in their own order and pace."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from cli import client
from cli.common import CommandError, _, localized, say, show_json
from cli.samples_push import (
    BATCH,
    SamplePushTally,
    TransferProgressBar,
    batch_rows,
    open_samples_file,
    print_tally,
    push_batch,
    retry_while_unavailable,
)
from engine.samples.csv_file import BadSamplesFile, SampleRow, SamplesFile, format_utc

STEP_SECONDS = 0.25  # of real time between two announcements of the position
TICK = 10_000_000  # microseconds: figures of a tick are looked at when it is over
_BEGINNING_SECONDS = 3.0  # nothing of the lane was evaluated for so long after its end: nobody does
_STANDSTILL_SECONDS = 20.0
_NOT_FOUND = 404


@dataclass
class _Replay:
    """Replay under way: the rows to push, and its position. Times in microseconds since 1970."""

    lane: str
    speed: float
    rows: Sequence[SampleRow]
    begins: int
    ends: int
    token: str
    tally: SamplePushTally

    @property
    def path(self) -> str:
        return f"/api/replays/{quote(self.lane, safe='')}"

    def announce(self, position: int, *, ended: bool = False) -> Any:
        """Tell the API that everything before `position` was pushed."""
        form = {"position": format_utc(position), "speed": self.speed, "ended": ended}
        return retry_while_unavailable(lambda: client.call("PUT", self.path, self.token, form))

    def push(self, start: int, end: int) -> None:
        """Push the rows from `start` to `end`."""
        for first in range(start, end, BATCH):
            push_batch(self.rows[first : min(first + BATCH, end)], self.lane, self.token, self.tally)


def replay_file(
    path: Path, speed: float, lane: str, begin: str, metric: str, zone: str, token: str, *, as_json: bool
) -> None:
    """Replay a file; print the warnings that its feed gave."""
    file, tally = open_samples_file(path, metric, zone), SamplePushTally()
    rows = _in_order(file, tally)
    begins = _begin(file, begin, rows)
    ends = (rows[-1].at // TICK + 1) * TICK
    chosen = lane or f"replay-{_slug(path.stem)}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    course = _Replay(
        chosen if chosen.startswith("replay-") else f"replay-{chosen}", speed, rows, begins, ends, token, tally
    )
    if not as_json:
        typer.echo(_("lane {lane}: the same --lane goes on where this one stops").format(lane=course.lane), err=True)
    try:
        place, position = _resume(course)
        _run(course, place, position)
    except client.ServerNotRunning as lost:
        raise CommandError(f"{lost}; go on with --lane {course.lane}") from None
    found, evaluated = _warnings(course)
    if as_json:
        document = {"lane": course.lane, "position": format_utc(ends), "pushed": tally.document()}
        show_json({**document, "warnings": found, "evaluated_to": evaluated})
        return
    print_tally(tally)
    _show(found, evaluated, course)


def _in_order(file: SamplesFile, tally: SamplePushTally) -> list[SampleRow]:
    """Every good row, the oldest first; those of one time in the order of the file."""
    try:
        rows = [row for batch in batch_rows(file.rows(), tally) for row in batch]
    except BadSamplesFile as bad:
        raise CommandError(str(bad)) from None
    if not rows:
        first = f"; line {tally.errors[0].line}: {tally.errors[0].reason}" if tally.errors else ""
        raise CommandError(f"{file.path}: has no row that can be read{first}")
    return sorted(rows, key=lambda row: row.at)


def _begin(file: SamplesFile, begin: str, rows: Sequence[SampleRow]) -> int:
    """Where the replay begins, at a full tick: as told, as the file says, else with its first row."""
    at = rows[0].at if file.begins is None else file.begins
    if begin:
        try:
            at = file.parse_time(begin)
        except ValueError as error:
            raise CommandError(f"--from: {error}") from None
    if not rows[0].at <= at <= rows[-1].at:
        raise CommandError(
            f"the replay cannot begin at {format_utc(at)}: "
            f"the figures are of {format_utc(rows[0].at)} to {format_utc(rows[-1].at)}"
        )
    return at // TICK * TICK


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30] or "figures"


def _resume(course: _Replay) -> tuple[int, int]:
    """Push the history, or find where a known feed stopped: the next row, and the position."""
    try:
        known = client.get(course.path, course.token)
    except client.ApiRefusal as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        place = _place(course.rows, course.begins)
        with TransferProgressBar(_("history"), place) as bar:
            for first in range(0, place, BATCH):
                course.push(first, min(first + BATCH, place))
                bar.show_progress(first)
        course.announce(course.begins)
        return place, course.begins
    if known["ended_at"]:
        raise CommandError(f"the replay {course.lane} has ended: leave --lane out to begin another one")
    position = _micros(str(known["position"]))
    return _place(course.rows, position), position


def _place(rows: Sequence[SampleRow], at: int) -> int:
    """The first row that is not before `at`."""
    from bisect import bisect_left

    return bisect_left(rows, at, key=lambda row: row.at)


def _micros(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _run(course: _Replay, place: int, position: int) -> None:
    """Push what falls due as its time comes, and announce how far that is."""
    began, at_first = time.monotonic(), position
    with TransferProgressBar(course.lane, course.ends - course.begins) as bar:
        while position < course.ends:
            passed = (time.monotonic() - began) * course.speed
            position = min(course.ends, max(position, at_first + int(passed * 1e6)))
            due = _place(course.rows, position)
            course.push(place, due)
            place = due
            course.announce(position, ended=position >= course.ends)
            bar.show_progress(position - course.begins, format_utc(position)[:19])
            if position < course.ends:
                time.sleep(min(STEP_SECONDS, (course.ends - position) / 1e6 / course.speed + 0.001))


def _warnings(course: _Replay) -> tuple[Any, str | None]:
    """Warnings of the feed once all is evaluated, and how far it was; None where no server can say."""
    reached, end = "", time.monotonic() + _BEGINNING_SECONDS
    while True:
        try:
            found = client.get("/api/warnings", course.token, lane=course.lane, status="all")
        except (client.ApiRefusal, client.ServerNotRunning):
            return None, None
        if not isinstance(found, dict) or "warnings" not in found:
            return None, None
        evaluated = str(found.get("evaluated_to") or "")
        if evaluated and _micros(evaluated) >= course.ends:
            return found["warnings"], evaluated
        if evaluated != reached:  # as long as it comes nearer
            reached, end = evaluated, time.monotonic() + _STANDSTILL_SECONDS
        if time.monotonic() > end:
            return (found["warnings"], evaluated) if evaluated else (None, None)
        time.sleep(STEP_SECONDS)


def _show(found: Any, evaluated: str | None, course: _Replay) -> None:
    if found is None:
        say(_("the figures were pushed; which warnings they gave cannot be said: nobody evaluates rules here"))
        return
    for one in reversed(found):  # the oldest first
        times = f"{str(one.get('began_at') or '')[:19]} - {str(one.get('ended_at') or '')[:19]}"
        title = localized(one["title"]) if isinstance(one.get("title"), dict) else one.get("rule", "")
        say(f"{one.get('ref') or '-':<8} {one.get('worst') or one.get('tier') or '':<7} {times}  {title}")
    if evaluated is None or _micros(evaluated) < course.ends:
        say(_("evaluated only as far as {time}: the rest is still to come").format(time=str(evaluated)[:19]))
    elif not found:
        say(_("no warning: quiet figures start nothing"))
