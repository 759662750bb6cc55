"""Samples in a CSV file: `time,metric,value[,count][,labels...]`, or `timestamp,value` of one metric.

Every other column is a label; an empty cell is none. A line that begins with `#` is a comment; `# from:
TIME` says where a replay of the file begins: what is before it is history.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

_TIMES = ("time", "timestamp")
_FIXED = frozenset({*_TIMES, "metric", "value", "count"})
_MICRO = 1_000_000
_MOST_MILLISECONDS = 1e11  # a larger number is in milliseconds


class BadSamplesFile(ValueError):
    """The file as a whole cannot be read; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """Good row. `line` counts from 1, with the header; `at`: microseconds since 1970."""

    line: int
    at: int
    metric: str
    value: float
    count: float = 1.0
    labels: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """Convert to the sample as the API takes it."""
        document: dict[str, object] = {"metric": self.metric, "time": format_utc(self.at), "value": self.value}
        if self.count != 1:
            document["count"] = self.count
        if self.labels:
            document["labels"] = self.labels
        return document


@dataclass(frozen=True, slots=True)
class BadSampleRow:
    """Row that cannot be read."""

    line: int
    reason: str


def format_utc(at: int) -> str:
    """Format microseconds since 1970 in UTC."""
    seconds, micro = divmod(at, _MICRO)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro).isoformat()


def parse_zone(name: str) -> tzinfo:
    """Parse the name of a time zone.

    Raises:
        BadSamplesFile: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadSamplesFile(f"there is no time zone {name[:40]!r}: write for example Asia/Shanghai") from None


class SamplesFile:
    """File of samples, read row by row.

    `metric`: of the rows, where the file has no such column. `zone`: of times without an offset.
    `begins`: microseconds since 1970 of its `# from:`, known once the header was read; None where it has none.

    Raises:
        BadSamplesFile: it cannot be opened, or its header is not one of samples.
    """

    def __init__(self, path: Path, metric: str = "", zone: tzinfo = UTC) -> None:
        self.path, self._metric, self._zone = path, metric, zone
        self.begins: int | None = None
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                next(self._read(stream), None)
        except OSError as error:
            raise BadSamplesFile(f"{path}: cannot be read: {error.strerror}") from None

    def rows(self) -> Iterator[SampleRow | BadSampleRow]:
        """Yield every row in the order of the file."""
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            yield from self._read(stream)

    def _read(self, stream: TextIO) -> Iterator[SampleRow | BadSampleRow]:
        try:
            lines = _Lines(stream, self._comment)
            table = csv.reader(lines, strict=True)
            header = self._header(next(table, []))
            for cells in table:
                if cells:
                    yield self._row(lines.number, header, cells)
        except UnicodeDecodeError:
            raise BadSamplesFile(f"{self.path}: is not UTF-8 text: save it as CSV in UTF-8") from None
        except csv.Error as error:
            raise BadSamplesFile(f"{self.path}: line {lines.number}: {error}: check its quotes") from None

    def _comment(self, line: str) -> None:
        key, _, value = line.lstrip("# ").partition(":")
        if key.strip() == "from":
            try:
                self.begins = self.parse_time(value.strip())
            except ValueError as error:
                raise BadSamplesFile(f"{self.path}: # from: {error}") from None

    def _header(self, cells: Sequence[str]) -> list[str]:
        header = [cell.strip() for cell in cells]
        lower = [name.lower() for name in header]
        header = [small if small in _FIXED else name for name, small in zip(header, lower, strict=True)]
        if not any(name in header for name in _TIMES) or "value" not in header:
            raise BadSamplesFile(
                f"{self.path}: the first line names the columns: time,metric,value[,count][,labels...] "
                "or timestamp,value"
            )
        if "metric" not in header and not self._metric:
            raise BadSamplesFile(f"{self.path}: has no column metric: say which it is with --metric, such as contacts")
        if len(set(header)) < len(header) or "" in header:
            raise BadSamplesFile(f"{self.path}: two columns have one name, or one has none")
        return header

    def _row(self, line: int, header: Sequence[str], cells: Sequence[str]) -> SampleRow | BadSampleRow:
        if len(cells) != len(header):
            return BadSampleRow(line, f"has {len(cells)} cells, the header has {len(header)}")
        found = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        metric = found.get("metric") or self._metric
        if not metric:
            return BadSampleRow(line, "metric: is empty")
        try:
            return SampleRow(
                line,
                self.parse_time(found.get("time") or found.get("timestamp") or ""),
                metric,
                _number(found["value"], "value"),
                _number(found["count"], "count") if found.get("count") else 1.0,
                {name: cell for name, cell in found.items() if name not in _FIXED and cell},
            )
        except ValueError as error:
            return BadSampleRow(line, str(error))

    def parse_time(self, text: str) -> int:
        """Parse a time in ISO 8601, or in seconds or milliseconds since 1970, to microseconds since 1970.

        Raises:
            ValueError: it is no time.
        """
        try:
            number = float(text)
        except ValueError:
            pass
        else:
            if not 0 <= number < 1e14:  # noqa: PLR2004 - NaN too; milliseconds until the year 5138
                raise ValueError(f"time: {text[:40]!r} is no time")
            return round(number * (_MICRO / 1000 if number >= _MOST_MILLISECONDS else _MICRO))
        try:
            when = datetime.fromisoformat(text)
            when = when if when.tzinfo else when.replace(tzinfo=self._zone)
            return round(when.timestamp() * _MICRO)
        except (ValueError, OverflowError):
            raise ValueError(f"time: {text[:40]!r} is no time; write 2026-03-14T03:00:00+08:00") from None


class _Lines:
    """The lines of a file without its comments, counted."""

    def __init__(self, stream: TextIO, comment: Callable[[str], None]) -> None:
        self._stream = iter(stream)
        self._comment = comment
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while True:
            line = next(self._stream)
            self.number += 1
            if not line.startswith("#"):
                return line
            self._comment(line)


def _number(text: str, name: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is no number") from None
    if not math.isfinite(found):
        raise ValueError(f"{name}: {text[:40]!r} is no measurement")
    return found
