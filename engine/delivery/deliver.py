"""Delivery: rows of the outbox become messages, and the outcome of each is recorded.

`Deliverer.deliver` claims rows under leases of its own, sends them and records their outcomes. It is the
same code whether a Prefect task calls it or the guarantor. What an outcome means is in
`engine.delivery.outcomes`.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.incident import BEGUN_STATUSES, PublicationState
from domain.text_digest import compute_digest
from engine.customers import survey_delivery as surveys
from engine.delivery.links import AcknowledgeLink, AcknowledgeLinks
from engine.delivery.outcomes import SendCancelled, SendResult, record_outcome
from engine.delivery.quiet_hours import hold_and_join
from engine.delivery.send_slots import MAX_THREADS, SLOW_AFTER_SECONDS, SendSlots
from engine.delivery.sender_liveness import SenderLock, is_sender_dead
from engine.installation import Installation
from engine.oncall import handover
from engine.statuspage import mail
from storage import outbox
from storage.database import StorageError
from storage.incidents import incidents

log = logging.getLogger("tocsin.deliver")
RECORD_SECONDS = 20.0  # for which recording what became of a message is tried: a database may be started again
CLAIM_SIZE = 24  # rows in hand of one sender at a time: as many may be repeated, marked, if it is killed
_OTHERS = {handover.KIND: handover.send_handover, mail.KIND: mail.send_mail}  # kinds with a way of their own
STALE_AFTER_SECONDS = 4.0  # seconds after its claim from which a row is not begun: a slow send would outlast its lease


def _is_simple(result: SendResult) -> bool:
    """Whether recording it touches nothing but its own row."""
    return result is None or (
        isinstance(result, SendOutcome) and result.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED)
    )


@dataclass(slots=True)
class DeliveryCounts:
    """Counts of messages by their end state."""

    by_state: dict[str, int] = field(default_factory=dict)

    def add(self, state: str) -> None:
        """One more."""
        self.by_state[state] = self.by_state.get(state, 0) + 1


class Deliverer:
    """The sender of one process; safe to call from several threads."""

    def __init__(self, installation: Installation, role: str, clock: Callable[[], DateTime]) -> None:
        self._installation = installation
        self._clock = clock
        self._sender = SenderLock(installation.settings.run_dir, role)
        self._links = AcknowledgeLinks(installation.settings.secret_key(), installation.settings.links_url)
        self._customers = installation.customers
        self._surveys = surveys.SurveySender(self._customers)
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="send")
        self._hands = SendSlots()
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
        self._surveys.run_due(self._clock())
        sends: set[Future[None]] = set()
        while time.monotonic() < ends:
            rows = self._claim(waiting_for)
            if rows:
                sends.add(self._pool.submit(self._send_all, rows, done, time.monotonic()))
            elif not wait or not (sends or self._hands.is_full()):
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

    def _claim(self, waiting_for: timedelta) -> list[Row[Any]]:
        """Only what a thread is free for: a row that waits in here is one that nobody else can send."""
        with self._claiming:
            if self._hands.is_full():
                return []
            now, worst, busy = self._clock(), self._hands.lowest_priority(), self._hands.busy_channels()
            with (
                self._installation.database.read() as connection
            ):  # nothing to do is the usual case: no write lock for it
                most = outbox.most_urgent_rank(connection, now, now - waiting_for, self._hands.slow_channels())
                if most is not None:
                    worst = min(
                        worst, outbox.PRIORITY_PUBLICATION
                    )  # while pages move, bulk takes no machine time from them
                if not outbox.has_ready_messages(connection, now, now - waiting_for, busy, worst, most):
                    return []
            roster = self._installation.roster()
            with self._installation.database.write() as connection:
                rows: list[Row[Any]] = []
                while not rows:  # what is held back is no reason to leave the rest
                    claimed = outbox.claim_messages(
                        connection, now, now + outbox.LEASE, limit=CLAIM_SIZE, busy=busy, worst=worst, most=most,
                        lease=f"{self._sender.name}/{uuid.uuid4().hex}", ready_since=now - waiting_for,
                    )  # fmt: skip
                    if not claimed:
                        break
                    rows = hold_and_join(connection, roster, claimed, now)
            if rows:
                self._hands.occupy(rows[0])
            return rows

    def _send_all(self, rows: list[Row[Any]], done: DeliveryCounts, claimed: float) -> None:
        outcomes: list[tuple[Row[Any], SendResult]] = []
        try:
            for row in rows:
                late = time.monotonic() - claimed > (SLOW_AFTER_SECONDS if outcomes else STALE_AFTER_SECONDS)
                outcomes.append((row, None if late else self._send(row)))
        finally:
            with self._claiming:
                self._hands.release(rows[0])
            self._record(outcomes, done)

    def _record(self, outcomes: list[tuple[Row[Any], SendResult]], done: DeliveryCounts) -> None:
        """What arrived in one transaction; each of the rest, which moves an incident, in one of its own."""
        simple = [one for one in outcomes if one[0].kind == "notice" and _is_simple(one[1])]
        batches = [simple, *([one] for one in outcomes if one not in simple)]
        failed: StorageError | None = None
        for batch in filter(None, batches):
            try:
                self._settle(batch, done)
            except StorageError as error:  # its lease runs out, and it is judged like a dead sender's
                failed = error
        if failed:
            log.error("what became of a message could not be recorded: %s", failed)

    def _settle(self, batch: list[tuple[Row[Any], SendResult]], done: DeliveryCounts) -> None:
        ends, pause = time.monotonic() + RECORD_SECONDS, 0.1
        while True:
            try:
                with self._installation.database.write() as connection:
                    states = [self._settled(connection, row, result) for row, result in batch]
            except StorageError:
                if time.monotonic() > ends or self._closed:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 1.0)
            else:
                for state in states:
                    done.add(state)
                return

    def _settled(self, connection: Connection, row: Row[Any], result: Any) -> str:
        if row.kind in surveys.KINDS:
            return surveys.record_survey_outcome(connection, self._customers, row, result, self._clock())
        if row.kind == mail.KIND:
            return mail.record_mail_outcome(connection, row, result, self._clock())
        if row.kind == handover.KIND:
            return handover.record_handover_outcome(connection, self._installation, row, result, self._clock())
        return record_outcome(connection, self._installation, row, result, self._clock())

    def _send(self, row: Row[Any]) -> Any:
        """A `Result`; of a survey what `engine.customers.survey_delivery` makes of it."""
        if row.kind in surveys.KINDS:
            return self._surveys.send(row, self._clock())
        if row.kind in _OTHERS:
            return _OTHERS[row.kind](self._installation, row)
        needless = self._needless(row)
        if needless:
            return SendCancelled(needless)
        refusal = self._forbidden(row)
        if refusal:
            return SendOutcome(SendVerdict.REFUSED, detail=refusal)
        payload = row.payload
        public = row.kind == "publication"
        link = payload.get("link")
        message = Message(
            title="" if public else payload["title"],
            body=payload["body"],
            drill=row.drill,
            possible_duplicate=bool(payload.get("possible_duplicate")),
            language=payload.get("language", "en"),
            urgent=row.lane == outbox.PRIORITY_PAGE,
            public=public,
            key=row.key,
            link=self._links.make_url(AcknowledgeLink(**link)) if link else None,
        )
        try:
            return self._installation.channels().send(row.channel, message)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether the message went
            return SendOutcome(SendVerdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")

    def _needless(self, row: Row[Any]) -> str:
        """Why a publication is no longer wanted: its step is over, or it was posted by hand meanwhile."""
        if row.kind != "publication":
            return ""
        with self._installation.database.read() as connection:
            snapshot = incidents.load_snapshot(connection, row.response_id, self._installation.roster())
        state = snapshot.steps[row.step]
        if state.status not in BEGUN_STATUSES:
            return f"its step is {state.status}"
        if state.postings.get(row.person) != PublicationState.ORDERED:
            return f"it is {state.postings.get(row.person, 'no longer ordered')} already"
        return ""

    def _forbidden(self, row: Row[Any]) -> str:
        """Checked when the row is in hand, whatever the playbook says: the last door before the public."""
        if row.kind != "publication":
            return ""
        channel = self._installation.roster().public.get(row.payload.get("target", ""))
        if channel is None or channel.channel != row.channel:
            return "the roster no longer has this official channel"
        if row.drill and not channel.sandbox:
            return "a drill publishes to a sandbox only"
        if compute_digest({row.person: row.payload["body"]}) != row.payload["digest"]:
            return "the text is not the one that was approved"
        return ""

    def _judge_the_dead(self, done: DeliveryCounts) -> None:
        """Rows in the hands of a sender that is no more: nobody knows whether they went."""
        now = self._clock()
        with self._installation.database.read() as connection:
            found = outbox.list_leased(connection)
        run_dir = self._installation.settings.run_dir
        dead: dict[str, bool] = {}
        for row in found:
            sender = row.lease.rpartition("/")[0]
            if sender not in dead:
                dead[sender] = is_sender_dead(run_dir, sender)
        lost = [row for row in found if row.leased_until <= now or dead[row.lease.rpartition("/")[0]]]
        for row in lost:
            self._record([(row, SendOutcome(SendVerdict.UNKNOWN, detail="its sender ended in the middle"))], done)
