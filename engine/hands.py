"""What one sender has in hand, and so what it may take: no channel and no lane keeps the others waiting."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from sqlalchemy import Row

from storage import outbox

THREADS = 6  # so many slow channels may hang before a fast one waits
REST = 4  # of them for what is no page and no publication: the rest is kept free for those
POSTS = 4  # of them for publications: the rest is kept free for pages
SIDE_BY_SIDE = 2  # publications of one official channel: of different incidents, so that their order is kept
PATIENCE = 0.25  # seconds after which a channel in use is slow: nobody waits for it


class Hands:
    """Counts what is under way. Its owner guards it by a lock."""

    def __init__(self) -> None:
        self._lanes: Counter[int] = Counter()
        self._channels: Counter[str] = Counter()
        self._since: dict[str, float] = {}

    def full(self) -> bool:
        """Whether no thread is free."""
        return self._lanes.total() >= THREADS

    def worst(self) -> int:
        """The last lane of which more may be taken."""
        if self._lanes[outbox.PUBLICATION] >= POSTS:
            return outbox.PAGE
        return outbox.PUBLICATION if self._lanes[outbox.REST] >= REST else outbox.REST

    def busy(self) -> set[str]:
        """Channels that take no more now."""
        return {channel for channel, weight in self._channels.items() if weight >= SIDE_BY_SIDE}

    def slow(self) -> set[str]:
        """Channels that have been in use for so long that a page on them is nothing to wait for."""
        return {channel for channel, since in self._since.items() if time.monotonic() - since > PATIENCE}

    def take(self, row: Row[Any]) -> None:
        """A chunk that begins with this row is under way."""
        self._lanes[row.lane] += 1
        self._channels[row.channel] += _weight(row)
        self._since.setdefault(row.channel, time.monotonic())

    def give(self, row: Row[Any]) -> None:
        """It is over."""
        self._lanes[row.lane] -= 1
        self._channels[row.channel] -= _weight(row)
        if self._channels[row.channel] <= 0:
            del self._channels[row.channel], self._since[row.channel]


def _weight(row: Row[Any]) -> int:
    return 1 if row.lane == outbox.PUBLICATION else SIDE_BY_SIDE
