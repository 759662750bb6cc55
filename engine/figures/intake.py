"""Taking samples in: read, checked, committed, and only then answered for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from engine.figures.deriving import derived
from engine.figures.reading import Fault, Read, Reader, Unreadable, told, undeclared
from storage.figures import MOST_SERIES, Batch, Figures, Taken
from storage.figures_history import HISTORY


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one batch.

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
    faults: tuple[Fault, ...]
    undeclared: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As the API answers."""
        return {
            "taken": self.taken,
            "duplicates": self.duplicates,
            "late": self.late,
            "refused": len(self.faults),
            "errors": list(told(list(self.faults))),
            "undeclared": list(self.undeclared),
        }


class Intake:
    """The one way in. For one thread at a time.

    `known` gives the declared metrics; None: none is ever called undeclared.
    """

    def __init__(
        self, figures: Figures, known: Callable[[], Collection[str]] | None = None, history: timedelta = HISTORY
    ) -> None:
        self._figures = figures
        self._known = known
        self._reader = Reader(history)

    def take(self, bodies: Sequence[bytes], now: DateTime) -> list[Outcome | Unreadable]:
        """Read these bodies and commit their samples together; what became of each.

        Raises:
            StorageError: the database cannot be written; nothing of any was taken.
        """
        read: list[Read | Unreadable] = []
        for body in bodies:
            try:
                read.append(self._reader.read(body, now))
            except Unreadable as unreadable:
                read.append(unreadable)
        return self._commit(read, now)

    def take_rows(self, rows: Sequence[Any], lane: str, now: DateTime) -> Outcome:
        """The same for samples of our own making, each a mapping as in JSON.

        Raises:
            StorageError: the database cannot be written; nothing was taken.
        """
        found = self._commit([self._reader.rows(rows, lane, now)], now)[0]
        assert isinstance(found, Outcome)  # noqa: S101 - only a body can be unreadable
        return found

    def take_checked(self, batch: Batch, now: DateTime) -> Outcome:
        """The same for samples that were checked already."""
        found = self._commit([Read(batch, list(range(len(batch))))], now)[0]
        assert isinstance(found, Outcome)  # noqa: S101 - as above
        return found

    def _commit(self, read: Sequence[Read | Unreadable], now: DateTime) -> list[Outcome | Unreadable]:
        good = [one for one in read if isinstance(one, Read) and len(one.batch)]
        # What follows from samples is committed with them, and not counted: nobody sent it.
        more = [batch for one in good if len(batch := derived(one.batch))]
        taken = self._figures.take([*(one.batch for one in good), *more], now) if good else []
        by_read = dict(zip(map(id, good), taken, strict=False))
        return [self._outcome(one, by_read.get(id(one))) if isinstance(one, Read) else one for one in read]

    def _outcome(self, read: Read, taken: Taken | None) -> Outcome:
        crowded = taken.crowded if taken else ()
        reason = f"labels: there are {MOST_SERIES} series already; a label is a kind of thing, not a number of each"
        faults = (*read.faults, *(Fault(read.places[place], reason) for place in crowded))
        unknown = undeclared(read.batch, self._known()) if self._known else ()
        if taken is None:
            return Outcome(0, 0, 0, faults, ())
        return Outcome(taken.taken, taken.duplicates, taken.late, faults, tuple(unknown))
