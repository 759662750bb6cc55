"""What an installation learns by: its plan."""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from pendulum import DateTime

from domain.learning.plan import Plan
from engine.house import House
from playbooks.learning import LearningFile

FILE = "learning.yaml"


class LearningDesk:
    """Learning of one house. Threads may share one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.file = LearningFile(house.settings.home / FILE)
        self.kept: dict[str, tuple[DateTime, list[dict[str, Any]]]] = {}  # what pages show of what is similar

    @property
    def plan(self) -> Plan:
        """How it learns, as of now."""
        return self.file.current()

    def document_link(self, document: str) -> str:
        """Where a document is read."""
        return f"{self.house.settings.links_url}/documents/{document}"


_DESKS: WeakKeyDictionary[House, LearningDesk] = WeakKeyDictionary()
_GUARD = Lock()


def learning_of(house: House) -> LearningDesk:
    """The one desk of a house."""
    with _GUARD:
        if house not in _DESKS:
            _DESKS[house] = LearningDesk(house)
        return _DESKS[house]
