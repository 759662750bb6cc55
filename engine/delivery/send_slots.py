"""Send slots of one sender: what it may claim, so that no channel and no priority keeps the others waiting."""

from __future__ import annotations

import time
from collections import Counter

from storage import outbox
from storage.outbox import OutboxMessage

MAX_THREADS = 6  # so many slow channels may hang before a fast one waits
MAX_REST_THREADS = 4  # of them for what is no page and no publication: the rest is kept free for those
MAX_PUBLICATION_THREADS = 4  # of them for publications: the rest is kept free for pages
MAX_PUBLICATIONS_PER_CHANNEL = (
    2  # publications of one official channel: of different incidents, so that their order is kept
)
SLOW_AFTER_SECONDS = 0.25  # seconds after which a channel in use is slow: nobody waits for it


class SendSlots:
    """Counts of sends under way. The owner guards it by a lock."""

    def __init__(self) -> None:
        self._in_use: Counter[int] = Counter()
        self._channels: Counter[str] = Counter()
        self._since: dict[str, float] = {}

    def is_full(self) -> bool:
        """Return whether no thread is free."""
        return self._in_use.total() >= MAX_THREADS

    def lowest_priority(self) -> int:
        """Return the last priority of which more may be taken."""
        if self._in_use[outbox.PRIORITY_PUBLICATION] >= MAX_PUBLICATION_THREADS:
            return outbox.PRIORITY_PAGE
        return (
            outbox.PRIORITY_PUBLICATION
            if self._in_use[outbox.PRIORITY_REST] >= MAX_REST_THREADS
            else outbox.PRIORITY_REST
        )

    def busy_channels(self) -> set[str]:
        """Return the channels that take no more now."""
        return {channel for channel, weight in self._channels.items() if weight >= MAX_PUBLICATIONS_PER_CHANNEL}

    def slow_channels(self) -> set[str]:
        """Return the channels that have been in use for so long that a page does not wait for them."""
        return {channel for channel, since in self._since.items() if time.monotonic() - since > SLOW_AFTER_SECONDS}

    def occupy(self, message: OutboxMessage) -> None:
        """Note that a chunk beginning with this message is under way."""
        self._in_use[message.lane] += 1
        self._channels[message.channel] += _weight(message)
        self._since.setdefault(message.channel, time.monotonic())

    def release(self, message: OutboxMessage) -> None:
        """Note that the chunk beginning with this message is over."""
        self._in_use[message.lane] -= 1
        self._channels[message.channel] -= _weight(message)
        if self._channels[message.channel] <= 0:
            del self._channels[message.channel], self._since[message.channel]


def _weight(message: OutboxMessage) -> int:
    return 1 if message.lane == outbox.PRIORITY_PUBLICATION else MAX_PUBLICATIONS_PER_CHANNEL
