"""Rate limits of services, kept on our side: a sender that exceeds one is shut out for minutes.

Nothing blocks here. A message that has to wait gets a turn and the seconds until then; when it comes back
it has the turn, unless it came so late that the window is full again. An urgent message waits only for the
window, never for the turns of others.

The book of one rate is a small file under a lock, if a folder is given, so that all senders of an
installation keep one count; else it is in memory, and each process keeps its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

# A book is open for less than a millisecond; who does not get it in this time keeps a count of its own.
LOCK_TRIES, LOCK_PAUSE = 50, 0.002
# A turn that nobody took is free again after so many windows.
TURN_KEPT_WINDOWS = 2.0


@dataclass(frozen=True)
class RateLimit:
    """Rate limit of a service.

    Attributes:
        count: So many messages ...
        seconds: ... in any such time.
        shared_by: What the service counts by (a robot's token); a secret, which is hashed before it is kept.
    """

    count: int
    seconds: float
    shared_by: str = field(repr=False)

    @property
    def name(self) -> str:
        """File name of the rate's book; reveals nothing of the token."""
        return hashlib.sha256(f"{self.count}/{self.seconds}/{self.shared_by}".encode()).hexdigest()[:24]


@dataclass
class RateLimitBook:
    """Book of one rate limit: messages sent and turns given, in seconds since the epoch.

    Attributes:
        sent: When each of the last messages went.
        turns: The outbox key of each that waits, and when its turn is.
        closed_until: The service itself asked to wait until then.
    """

    sent: list[float] = field(default_factory=list)
    turns: dict[str, float] = field(default_factory=dict)
    closed_until: float = 0.0

    def reserve(self, rate: RateLimit, key: str, now: float, *, urgent: bool = False) -> float:
        """Reserve a send: 0 if `key` may go now, which is recorded; else the seconds until its turn."""
        self._forget(rate, now)
        mine = self.turns.get(key)
        ahead = 0 if urgent or mine is not None else len(self.turns)
        early = mine is not None and mine > now and not urgent
        if now >= self.closed_until and not early and len(self.sent) + ahead < rate.count:
            self.turns.pop(key, None)
            self.sent.append(now)
            return 0.0
        if not early:
            mine = self._next_turn(rate, now, key)
            self.turns[key] = mine
        assert mine is not None  # noqa: S101 - either it had one, or was just given one
        return max(mine - now, 0.001)

    def _next_turn(self, rate: RateLimit, now: float, key: str) -> float:
        """The earliest time at which no window of the rate holds more than it may."""
        taken = sorted([*self.sent, *(turn for other, turn in self.turns.items() if other != key)])
        earliest = max(now, self.closed_until)
        return max(earliest, taken[-rate.count] + rate.seconds) if len(taken) >= rate.count else earliest

    def _forget(self, rate: RateLimit, now: float) -> None:
        # What lies in the future was written before the clock was set back.
        self.sent = [at for at in self.sent if now - rate.seconds < at <= now]
        kept = TURN_KEPT_WINDOWS * rate.seconds
        self.turns = {key: turn for key, turn in self.turns.items() if now - turn < kept}


class RateLimiter:
    """Rate limiter: the books of all rates; safe for threads, and for processes that share `folder`."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time, homes: int = 1) -> None:
        """Keep the books in `folder`, or in memory; homes that share a service each get their share."""
        self._folder, self._clock, self._homes = folder, clock, homes
        self._books: dict[str, RateLimitBook] = {}
        self._lock = threading.Lock()

    def reserve(self, rate: RateLimit, key: str, *, urgent: bool = False) -> float:
        """Reserve a send: 0 if the message under `key` may go now; else seconds until the next attempt."""
        rate = replace(rate, count=max(1, rate.count // self._homes))
        with self._lock, self._book(rate) as book:
            return book.reserve(rate, key, self._clock(), urgent=urgent)

    def pause(self, rate: RateLimit, seconds: float) -> None:
        """Pause a service that asked to wait: nothing goes to it for that long."""
        rate = replace(rate, count=max(1, rate.count // self._homes))
        with self._lock, self._book(rate) as book:
            book.closed_until = max(book.closed_until, self._clock() + seconds)

    @contextmanager
    def _book(self, rate: RateLimit) -> Iterator[RateLimitBook]:
        if self._folder is None:
            yield self._books.setdefault(rate.name, RateLimitBook())
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / f"{rate.name}.json").open("a+", encoding="utf-8")
        except OSError:  # a full disk must not silence anybody: this process' own count is better than none
            yield self._books.setdefault(rate.name, RateLimitBook())
            return
        with file:
            if not _locked(file):
                yield self._books.setdefault(rate.name, RateLimitBook())
                return
            file.seek(0)
            book = _read(file.read())
            yield book
            with suppress(OSError):
                file.seek(0)
                file.truncate()
                file.write(json.dumps([book.sent, book.turns, book.closed_until]))
                file.flush()


def _locked(file: TextIO) -> bool:
    """Whether the book is ours to write; a process that was frozen over it must not hold up the others."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_PAUSE)
        else:
            return True
    return False


def _read(text: str) -> RateLimitBook:
    try:
        sent, turns, closed_until = json.loads(text)
        return RateLimitBook(
            [float(at) for at in sent], {str(k): float(v) for k, v in turns.items()}, float(closed_until)
        )
    except (ValueError, TypeError, AttributeError):  # new, or cut off by a kill: the service's own answer is heeded
        return RateLimitBook()
