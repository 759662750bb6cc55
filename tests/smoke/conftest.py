"""In which order the real installations run, two at a time: beside one that is killed, one that mostly waits."""

from __future__ import annotations

import pytest

ORDER = (
    "kill_and_freeze", "rehearsal", "cluster", "watched_rehearsal", "without_prefect", "readme", "warnings", "reviews",
    "tabletop", "wheel",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not named comes last, as it was found."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem.removeprefix("test_")
        return ORDER.index(name) if name in ORDER else len(ORDER)

    here = [item for item in items if item.path.parent.name == "smoke"]
    if len(here) == len(items):
        items.sort(key=place)
