"""Delivery: messages of the outbox are claimed, prepared, sent, and the outcome of each is recorded.

`Deliverer.deliver` is the same code whether a Prefect task calls it or the guarantor. How a message of each
kind goes through these stages is in its `DeliveryKind`; which kinds there are, in `engine.delivery.registry`.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from channels.outcome import SendOutcome, SendVerdict
from engine.delivery.kinds import DeliveryKind, DeliveryKinds, is_result
from engine.delivery.outcomes import SendRecorded, SendResult
from engine.delivery.quiet_hours import hold_and_join
from engine.delivery.registry import DELIVERY_KINDS
from engine.delivery.send_slots import MAX_THREADS, SLOW_AFTER_SECONDS, SendSlots
from engine.delivery.sender_liveness import SenderLock, is_sender_dead
from engine.installation import Installation
from storage import outbox
from storage.database import StorageError
from storage.outbox import OutboxMessage

log = logging.getLogger("tocsin.deliver")
RECORD_SECONDS = 20.0  # for which recording what became of a message is tried: a database may be started again
CLAIM_SIZE = 24  # messages in hand of one sender at a time: as many may be repeated, marked, if it is killed
STALE_AFTER_SECONDS = 4.0  # after its claim: then a message is not begun, a slow send would outlast its lease
_SENDER_ENDED = SendOutcome(SendVerdict.UNKNOWN, detail="its sender ended in the middle")
PreparedMessage = tuple[OutboxMessage, Any]  # what its kind prepared of it, or its result
SentMessage = tuple[OutboxMessage, SendResult | SendRecorded]


@dataclass(slots=True)
class DeliveryCounts:
    """Counts of messages by their end state."""

    by_state: dict[str, int] = field(default_factory=dict)

    def add(self, state: str) -> None:
        """One more."""
        self.by_state[state] = self.by_state.get(state, 0) + 1


class Deliverer:
    """The sender of one process; safe to call from several threads."""

    def __init__(
        self,
        installation: Installation,
        role: str,
        clock: Callable[[], DateTime],
        kinds: Sequence[type[DeliveryKind[Any]]] = DELIVERY_KINDS,
    ) -> None:
        self._installation = installation
        self._clock = clock
        self._sender = SenderLock(installation.settings.run_dir, role)
        self._kinds = DeliveryKinds(installation, kinds)
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="send")
        self._slots = SendSlots()
        self._claiming = threading.Lock()
        self._closed = False

    def deliver(
        self, *, waiting_for: timedelta = timedelta(0), seconds: float = 20.0, wait: bool = True
    ) -> DeliveryCounts:
        """Send what is ready until nothing is, or the time is over.

        Args:
            waiting_for: leave alone what has been ready for less than this (someone else is expected to take it).
            seconds: no new claim after this long.
            wait: whether to see the last sends to their end; without, they end by themselves.
        """
        ends = time.monotonic() + seconds
        done = DeliveryCounts()
        self._judge_the_dead(done)
        self._kinds.enqueue_due(self._clock())
        sends: set[Future[None]] = set()
        while time.monotonic() < ends:
            rows = self._claim(waiting_for)
            if rows:
                sends.add(self._pool.submit(self._send_all, rows, done, time.monotonic()))
            elif not wait or not (sends or self._slots.is_full()):
                break
            elif sends:
                _, sends = futures.wait(sends, timeout=0.2, return_when=futures.FIRST_COMPLETED)
            else:
                time.sleep(0.05)
        if wait:
            futures.wait(sends)
        return done

    def close(self) -> None:
        """Stop sending."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._sender.close()

    # --- one claim ---

    def _claim(self, waiting_for: timedelta) -> list[OutboxMessage]:
        """Only what a thread is free for: a row that waits in here is one that nobody else can send."""
        with self._claiming:
            if self._slots.is_full():
                return []
            now, worst, busy = self._clock(), self._slots.lowest_priority(), self._slots.busy_channels()
            # Nothing to do is the usual case: no write lock for it.
            with self._installation.database.read() as connection:
                most = outbox.most_urgent_rank(connection, now, now - waiting_for, self._slots.slow_channels())
                if most is not None:  # while pages move, bulk takes no machine time from them
                    worst = min(worst, outbox.PRIORITY_PUBLICATION)
                if not outbox.has_ready_messages(connection, now, now - waiting_for, busy, worst, most):
                    return []
            roster = self._installation.roster()
            with self._installation.database.write() as connection:
                rows: list[OutboxMessage] = []
                while not rows:  # what is held back is no reason to leave the rest
                    claimed = outbox.claim_messages(
                        connection, now, now + outbox.LEASE, limit=CLAIM_SIZE, busy=busy, worst=worst, most=most,
                        lease=f"{self._sender.name}/{uuid.uuid4().hex}", ready_since=now - waiting_for,
                    )  # fmt: skip
                    if not claimed:
                        break
                    rows = hold_and_join(connection, roster, claimed, now)
            if rows:
                self._slots.occupy(rows[0])
            return rows

    # --- the stages ---

    def _send_all(self, messages: list[OutboxMessage], done: DeliveryCounts, claimed_at: float) -> None:
        """Take claimed messages through the stages, one after the other: each is checked right before it goes."""
        self._record(self._release(messages[0], self._send(self._prepare(messages, claimed_at))), done)

    def _prepare(self, messages: Iterable[OutboxMessage], claimed_at: float) -> Iterator[PreparedMessage]:
        patience = STALE_AFTER_SECONDS
        for message in messages:
            stale = time.monotonic() - claimed_at > patience
            yield message, None if stale else self._kinds.find(message).prepare(message, self._clock())
            patience = SLOW_AFTER_SECONDS

    def _send(self, prepared: Iterable[PreparedMessage]) -> Iterator[SentMessage]:
        for message, ready in prepared:
            unsent = is_result(ready)
            yield message, ready if unsent else self._kinds.find(message).send(message, ready, self._clock())

    def _release(self, first: OutboxMessage, sent: Iterable[SentMessage]) -> Iterator[SentMessage]:
        """After the last send others may claim of this channel: nobody waits for the record."""
        try:
            yield from sent
        finally:
            with self._claiming:
                self._slots.release(first)

    def _record(self, sent: Iterable[SentMessage], done: DeliveryCounts) -> None:
        results: list[SentMessage] = []
        try:
            results.extend(sent)
        finally:  # of a chunk that broke off too: what was sent before counts
            self._record_results(results, done)

    def _record_results(self, results: Sequence[SentMessage], done: DeliveryCounts) -> None:
        """What changes no more than its row in one transaction; each of the rest in one of its own."""
        together, batches = [], []
        for message, result in results:
            if isinstance(result, SendRecorded):
                done.add(result.state)
            elif self._kinds.find(message).changes_only_its_row(result):
                together.append((message, result))
            else:
                batches.append([(message, result)])
        failed: StorageError | None = None
        for batch in filter(None, (together, *batches)):
            try:
                self._record_batch(batch, done)
            except StorageError as error:  # its lease runs out, and it is judged like a dead sender's
                failed = error
        if failed:
            log.error("what became of a message could not be recorded: %s", failed)

    def _record_batch(self, batch: Sequence[tuple[OutboxMessage, SendResult]], done: DeliveryCounts) -> None:
        ends, pause = time.monotonic() + RECORD_SECONDS, 0.1
        while True:
            try:
                with self._installation.database.write() as connection:
                    states = [
                        self._kinds.find(message).record(connection, message, result, self._clock())
                        for message, result in batch
                    ]
            except StorageError:
                if time.monotonic() > ends or self._closed:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 1.0)
            else:
                for state in states:
                    done.add(state)
                return

    def _judge_the_dead(self, done: DeliveryCounts) -> None:
        """Messages in the hands of a sender that is no more: nobody knows whether they went."""
        now = self._clock()
        with self._installation.database.read() as connection:
            found = outbox.list_leased(connection)
        run_dir = self._installation.settings.run_dir
        dead: dict[str, bool] = {}
        for message in found:
            sender = message.lease.rpartition("/")[0]
            if sender not in dead:
                dead[sender] = is_sender_dead(run_dir, sender)
            if dead[sender] or (message.leased_until is not None and message.leased_until <= now):
                self._record([(message, _SENDER_ENDED)], done)
