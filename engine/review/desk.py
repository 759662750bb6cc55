"""What the reviews of one installation consist of: the plan, the figures, the names of figures, where links lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from domain.review.plan import ReviewPlan
from domain.warning.figures import Metric
from domain.warning.rule import Rule
from engine.house import House
from playbooks.reviews import ReviewsFile
from playbooks.rulebook import Rulebook, UnknownRule
from storage.database import plain
from storage.figures import Figures, open_figures

FILE = "reviews.yaml"


class ReviewDesk:
    """The reviews of one house. Threads may share one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.file = ReviewsFile(house.settings.home / FILE)
        self._book = Rulebook(house.settings.home)
        self._figures: Figures | None = None
        self._lock = Lock()

    @property
    def plan(self) -> ReviewPlan:
        """How the operation reviews itself, as of now."""
        return self.file.current()

    @property
    def figures(self) -> Figures:
        """The figures, opened by the first who asks."""
        with self._lock:
            if self._figures is None:
                self._figures = open_figures(self.house.settings)
            return self._figures

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A long look at the database: statement by statement, for a report takes seconds and holds nothing up.

        PostgreSQL would end a session that is idle in a transaction for so long.

        Raises:
            StorageError: the database cannot be read.
        """
        database = self.house.database
        if database.is_sqlite:
            with database.read() as connection:
                yield connection
            return
        try:
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield connection
        except DBAPIError as error:
            raise plain(error) from error

    def metrics(self) -> Mapping[str, Metric]:
        """Every figure that the house knows by name."""
        return self._book.metrics()

    def rule(self, name: str) -> Rule | None:
        """The warning rule of that id; None: the house has none."""
        try:
            return self._book.get(name)
        except UnknownRule:
            return None

    def link(self, document: str) -> str:
        """Where people read a document."""
        return f"{self.house.settings.links_url}/documents/{document}"

    def close(self) -> None:
        """Give back what is held."""
        if self._figures is not None:
            self._figures.close()


_DESKS: WeakKeyDictionary[House, ReviewDesk] = WeakKeyDictionary()
_GUARD = Lock()


def desk_of(house: House) -> ReviewDesk:
    """The one desk of a house."""
    with _GUARD:
        if house not in _DESKS:
            _DESKS[house] = ReviewDesk(house)
        return _DESKS[house]
