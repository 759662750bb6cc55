"""Intake of samples: read, checked, committed, and only then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from engine.samples.derived_metrics import derive_samples
from engine.samples.parser import (
    ParsedBatch,
    RefusedSample,
    SampleParser,
    UnreadableBatch,
    describe_refused,
    find_undeclared,
)
from storage.samples.rollups import ROLLUP_RETENTION
from storage.samples.sample_store import MOST_SERIES, BatchResult, SampleBatch, SampleStore


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """Result of one batch.

    Attributes:
        taken: new samples, committed.
        duplicates: samples that were there already.
        late: of both, those too old for any window.
        faults: the others, each with its reason.
        undeclared: metrics that nobody declared; their samples are taken.
    """

    taken: int
    duplicates: int
    late: int
    faults: tuple[RefusedSample, ...]
    undeclared: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Convert to the API's answer."""
        return {
            "taken": self.taken,
            "duplicates": self.duplicates,
            "late": self.late,
            "refused": len(self.faults),
            "errors": list(describe_refused(list(self.faults))),
            "undeclared": list(self.undeclared),
        }


class SampleIntake:
    """The one entrance of samples. For one thread at a time.

    `known` gives the declared metrics; None: none is ever called undeclared.
    """

    def __init__(
        self,
        figures: SampleStore,
        known: Callable[[], Collection[str]] | None = None,
        history: timedelta = ROLLUP_RETENTION,
    ) -> None:
        self._figures = figures
        self._known = known
        self._reader = SampleParser(history)

    def take_bodies(self, bodies: Sequence[bytes], now: DateTime) -> list[IntakeResult | UnreadableBatch]:
        """Read these bodies and commit their samples together; the result of each.

        Raises:
            StorageError: the database cannot be written; nothing of any was taken.
        """
        read: list[ParsedBatch | UnreadableBatch] = []
        for body in bodies:
            try:
                read.append(self._reader.parse(body, now))
            except UnreadableBatch as unreadable:
                read.append(unreadable)
        return self._commit(read, now)

    def take_rows(self, rows: Sequence[Any], feed: str, now: DateTime) -> IntakeResult:
        """Take samples of our own making, each a mapping as in JSON.

        Raises:
            StorageError: the database cannot be written; nothing was taken.
        """
        found = self._commit([self._reader.check_rows(rows, feed, now)], now)[0]
        assert isinstance(found, IntakeResult)  # noqa: S101 - only a body can be unreadable
        return found

    def take_checked(self, batch: SampleBatch, now: DateTime) -> IntakeResult:
        """Take samples that were checked already.

        Raises:
            StorageError: the database cannot be written; nothing was taken.
        """
        found = self._commit([ParsedBatch(batch, list(range(len(batch))))], now)[0]
        assert isinstance(found, IntakeResult)  # noqa: S101 - as above
        return found

    def _commit(
        self, read: Sequence[ParsedBatch | UnreadableBatch], now: DateTime
    ) -> list[IntakeResult | UnreadableBatch]:
        good = [one for one in read if isinstance(one, ParsedBatch) and len(one.batch)]
        # What follows from samples is committed with them, and not counted: nobody sent it.
        more = [batch for one in good if len(batch := derive_samples(one.batch))]
        taken = self._figures.take([*(one.batch for one in good), *more], now) if good else []
        by_read = dict(zip(map(id, good), taken, strict=False))
        return [self._outcome(one, by_read.get(id(one))) if isinstance(one, ParsedBatch) else one for one in read]

    def _outcome(self, read: ParsedBatch, taken: BatchResult | None) -> IntakeResult:
        crowded = taken.crowded if taken else ()
        reason = f"labels: there are {MOST_SERIES} series already; a label is a kind of thing, not a number of each"
        faults = (*read.faults, *(RefusedSample(read.places[place], reason) for place in crowded))
        unknown = find_undeclared(read.batch, self._known()) if self._known else ()
        if taken is None:
            return IntakeResult(0, 0, 0, faults, ())
        return IntakeResult(taken.taken, taken.duplicates, taken.late, faults, tuple(unknown))
