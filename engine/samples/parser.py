"""Parser of samples over HTTP: each is checked, good ones are kept, each bad one gets its reason.

What is refused: a time more than a minute ahead of ours or older than the history that is kept, a value
that is no number, not finite or beyond 1e12, a count of 0 or less or beyond 1e9, unreadable metrics and
labels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from pendulum import DateTime

from playbooks.errors import one_line
from storage.samples.rollups import ROLLUP_RETENTION
from storage.samples.sample_store import LIVE_FEED, SampleBatch, SeriesName, canonical_labels, to_micros

MOST_AHEAD: Final = timedelta(seconds=60)  # clocks of two machines may differ by so much
MOST_VALUE: Final = 1e12
MOST_COUNT: Final = 1e9
MOST_LABELS: Final = 16
LONGEST_LABEL: Final = 200
MOST_ERRORS: Final = 100  # told in one answer; all are counted

_FEED = re.compile(r"replay-[a-z0-9][a-z0-9-]{0,50}")
_METRIC = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,119}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,59}")
_OLDEST = 946_684_800 * 1_000_000  # the year 2000
_NEWEST = 4_102_444_800 * 1_000_000  # the year 2100
_MILLISECONDS = 1e11  # a larger time is in milliseconds: as seconds it would be after the year 5000
_MOST_NAMES = 100_000

_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Sample(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The form of one sample; its labels are read once for each text of them."""

    metric: str
    time: _Time | float
    value: float
    count: float = 1.0
    labels: msgspec.Raw = msgspec.Raw(b"{}")


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A batch with a lane."""

    samples: list[_Sample]
    lane: str = LIVE_FEED


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """The same form, for data that was read already."""

    metric: str
    time: _Time | float
    value: float
    count: float = 1.0
    labels: dict[str, str] = {}


_LIST = msgspec.json.Decoder(list[_Sample])
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_LABELS = msgspec.json.Decoder(dict[str, str])


class UnreadableBatch(ValueError):
    """The batch as a whole cannot be read; the text says what would be right. Nothing of it was taken."""


@dataclass(frozen=True, slots=True)
class RefusedSample:
    """Reason why one sample was refused. `index`: its place in the batch, from 0."""

    index: int
    reason: str


@dataclass(slots=True)
class ParsedBatch:
    """Parsed batch: `batch` holds the good samples, `places` where each of them stood."""

    batch: SampleBatch
    places: list[int] = field(default_factory=list)
    faults: list[RefusedSample] = field(default_factory=list)


class SampleParser:
    """Parser of batches that remembers the names of series it has seen. For one thread at a time."""

    def __init__(self, history: timedelta = ROLLUP_RETENTION) -> None:
        self._history = history
        self._names: dict[tuple[str, bytes], SeriesName | str] = {}

    def parse(self, body: bytes, now: DateTime) -> ParsedBatch:
        """Parse the samples of a JSON body: a list, or `{"samples": [...], "lane": "replay-..."}`.

        Raises:
            UnreadableBatch: not JSON, or not of that form, or a feed that cannot be.
        """
        try:
            if body.lstrip()[:1] == b"[":
                return self._quick(_LIST.decode(body), LIVE_FEED, now)
            envelope = _ENVELOPE.decode(body)
            return self._quick(envelope.samples, _checked(envelope.lane), now)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return self._one_by_one(body, now)

    def _quick(self, samples: list[_Sample], feed: str, now: DateTime) -> ParsedBatch:
        read = ParsedBatch(SampleBatch(feed))
        oldest, newest = self._bounds(feed, now)
        names, batch, places = self._names, read.batch, read.places
        for index, sample in enumerate(samples):
            time, value, count = sample.time, sample.value, sample.count
            name = names.get((sample.metric, bytes(sample.labels))) or self._name(sample)
            at = _micros(time)
            if (
                type(name) is tuple
                and oldest <= at <= newest
                and -MOST_VALUE <= value <= MOST_VALUE
                and 0 < count <= MOST_COUNT
            ):
                batch.add(name, at, value, count)
                places.append(index)
            else:
                reason = name if isinstance(name, str) else _why(at, value, count, newest)
                read.faults.append(RefusedSample(index, reason))
        return read

    def _name(self, sample: _Sample) -> SeriesName | str:
        """The name of its series, or what is wrong with it."""
        try:
            labels = _LABELS.decode(sample.labels)
        except msgspec.DecodeError:  # a text that is no text, or deeper than a mapping
            found: SeriesName | str = 'labels: a mapping of texts, such as {"channel": "chat"}'
        else:
            found = make_series_name(sample.metric, labels)
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[sample.metric, bytes(sample.labels)] = found
        return found

    def _one_by_one(self, body: bytes, now: DateTime) -> ParsedBatch:
        """The same, when a sample is not of the form: slower, and each gets its own reason."""
        try:
            document = json.loads(body)  # reads NaN and Infinity too, which many programs write
        except (ValueError, RecursionError):
            raise UnreadableBatch('this is not JSON; send [{"metric": "csat", "time": "...", "value": 4}]') from None
        feed: Any = LIVE_FEED
        if isinstance(document, dict):
            unknown = sorted(set(document) - {"samples", "lane"})
            if unknown:
                raise UnreadableBatch(
                    f"{one_line(unknown[0], 40)}: there is no such field; a batch has samples and lane"
                )
            feed, document = document.get("lane", LIVE_FEED), document.get("samples")
        if not isinstance(document, list):
            raise UnreadableBatch('samples: send a list of samples, or {"samples": [...], "lane": "replay-..."}')
        return self.check_rows(document, _checked(feed), now)

    def check_rows(self, documents: Collection[Any], feed: str, now: DateTime) -> ParsedBatch:
        """Check samples that were decoded already, each a mapping as in JSON."""
        read = ParsedBatch(SampleBatch(feed))
        oldest, newest = self._bounds(feed, now)
        for index, document in enumerate(documents):
            found = _checked_one(document, oldest, newest)
            if isinstance(found, str):
                read.faults.append(RefusedSample(index, found))
            else:
                read.batch.add(*found)
                read.places.append(index)
        return read

    def _bounds(self, feed: str, now: DateTime) -> tuple[int, int]:
        """The oldest and the newest time that is taken. A replay brings its own time."""
        return (
            (_OLDEST, _NEWEST) if feed != LIVE_FEED else (to_micros(now - self._history), to_micros(now + MOST_AHEAD))
        )


def find_undeclared(batch: SampleBatch, known: Collection[str]) -> list[str]:
    """Find metrics of the batch that nobody declared, in order; they are taken all the same."""
    return sorted({name[0] for name in batch.names} - set(known))


def make_series_name(metric: str, labels: Mapping[str, str]) -> SeriesName | str:
    """Make the name of a series, or say what is wrong with it."""
    if not _METRIC.fullmatch(metric):
        return f"metric: {one_line(metric, 40)!r} is no name; letters, digits and _.:- such as response_time"
    if len(labels) > MOST_LABELS:
        return f"labels: {len(labels)} are too many; at most {MOST_LABELS}"
    for label, value in labels.items():
        if not _LABEL.fullmatch(label):
            return f"labels: {one_line(label, 40)!r} is no name; letters, digits and _.- such as channel"
        if len(value) > LONGEST_LABEL or not value.isprintable():
            return f"labels.{label}: at most {LONGEST_LABEL} characters, without line breaks"
    return metric, canonical_labels(labels)


def is_replay_feed(feed: str) -> bool:
    """Whether a text can be the name of a replay's feed."""
    return _FEED.fullmatch(feed) is not None


def _checked(feed: Any) -> str:
    if feed == LIVE_FEED or (isinstance(feed, str) and is_replay_feed(feed)):
        return str(feed)
    raise UnreadableBatch("lane: leave it out for live figures, or write replay- and a name in a-z, 0-9 and -")


def _checked_one(document: Any, oldest: int, newest: int) -> tuple[SeriesName, int, float, float] | str:
    if not isinstance(document, dict):
        return 'a sample is a mapping, such as {"metric": "csat", "time": "...", "value": 4}'
    try:
        sample = msgspec.convert(document, _Plain)
    except (msgspec.ValidationError, OverflowError) as error:
        return _plainly(str(error), document)
    name = make_series_name(sample.metric, sample.labels)
    if isinstance(name, str):
        return name
    at = _micros(sample.time)
    if not (oldest <= at <= newest and -MOST_VALUE <= sample.value <= MOST_VALUE and 0 < sample.count <= MOST_COUNT):
        return _why(at, sample.value, sample.count, newest)
    return name, at, sample.value, sample.count


def _micros(time: datetime | float) -> int:
    """Microseconds since 1970; -1 for a number that is no time."""
    if isinstance(time, datetime):
        return round(time.timestamp() * 1e6)  # exact: a double holds microseconds until the year 2255
    seconds = time / 1000 if time >= _MILLISECONDS else time
    return round(seconds * 1e6) if 0 <= seconds < 1e10 else -1  # noqa: PLR2004 - seconds until the year 2286


def _why(at: int, value: float, count: float, newest: int) -> str:
    """What is wrong with a sample of the right form."""
    if value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return "value: NaN is no measurement; leave the sample out"
    if not -MOST_VALUE <= value <= MOST_VALUE:
        return f"value: {value:g} is beyond all measure; between -1e12 and 1e12"
    if not 0 < count <= MOST_COUNT:
        return f"count: {count:g} events; more than 0 and at most 1e9"
    if at > newest:
        return "time: is more than a minute in the future; check the clock of the sender and its time zone"
    return "time: is older than the history that is kept; `tocsin rule backtest` reads such figures from a file"


_FIELD = re.compile(r"`\$\.?(\w+)|field `(\w+)`")
_RIGHT: Mapping[str, str] = {
    "metric": "a text, such as response_time",
    "time": "ISO 8601 with offset, such as 2026-03-14T03:00:00+08:00, or seconds since 1970",
    "value": "a number that is finite",
    "count": "a number above 0: how many events the value stands for",
    "labels": 'a mapping of texts, such as {"channel": "chat"}',
}


def _plainly(said: str, document: Mapping[str, Any]) -> str:
    """What msgspec found, as `field: what would be right`."""
    unknown = next((key for key in document if key not in _RIGHT), None)
    if unknown is not None:
        return f"{one_line(str(unknown), 40)}: there is no such field; a sample has {', '.join(_RIGHT)}"
    missing = next((key for key in ("metric", "time", "value") if key not in document), None)
    if missing:
        return f"{missing}: is missing; {_RIGHT[missing]}"
    match = _FIELD.search(said)
    name = next((part for part in match.groups() if part), "") if match else ""
    return f"{name}: {_RIGHT[name]}" if name in _RIGHT else one_line(said, 120)


def describe_refused(faults: list[RefusedSample]) -> Iterator[dict[str, Any]]:
    """Describe the first refused samples as the API does, in the order of the batch."""
    for fault in sorted(faults, key=lambda one: one.index)[:MOST_ERRORS]:
        yield {"index": fault.index, "reason": fault.reason}
