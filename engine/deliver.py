"""Delivery: rows of the outbox become messages, and what became of each is recorded.

`Deliverer.deliver` claims rows under leases of its own, sends them and settles them. It is the same code whether
a Prefect task calls it or the guarantor. What an outcome means is in `engine.settling`.
"""

from __future__ import annotations

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
from sqlalchemy import Row

from channels.message import Message
from channels.outcome import Outcome, Verdict
from domain.approval import digest
from engine.house import House
from engine.links import Link, Links
from engine.liveness import Sender, is_dead
from engine.settling import settle
from storage import outbox

CHUNK = 8  # rows in hand of one sender at a time: as many may be repeated, marked, if it is killed
THREADS = 6  # so many slow channels may hang before a fast one waits
PATIENCE = 0.25  # seconds after which rows in hand that were not begun go back: they may have become needless


@dataclass(slots=True)
class Delivered:
    """How many messages came to which end."""

    by_state: dict[str, int] = field(default_factory=dict)

    def add(self, state: str) -> None:
        """One more."""
        self.by_state[state] = self.by_state.get(state, 0) + 1


class Deliverer:
    """The sender of one process; safe to call from several threads."""

    def __init__(self, house: House, role: str, clock: Callable[[], DateTime]) -> None:
        self._house = house
        self._clock = clock
        self._sender = Sender(house.settings.run_dir, role)
        self._links = Links(house.settings.secret_key(), house.settings.links_url)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="send")
        self._busy: set[str] = set()
        self._claiming = threading.Lock()

    def deliver(self, *, waiting_for: timedelta = timedelta(0), seconds: float = 20.0, wait: bool = True) -> Delivered:
        """Send what is ready until nothing is, or the time is over.

        Args:
            waiting_for: leave alone what has been ready for less than this (someone else is expected to take it).
            seconds: no new claim after this long.
            wait: whether to see the last sends to their end; without, they end by themselves.
        """
        ends = time.monotonic() + seconds
        done = Delivered()
        self._judge_the_dead(done)
        sends: set[Future[None]] = set()
        while time.monotonic() < ends:
            rows = self._claim(waiting_for) if len(sends) < THREADS else []
            if rows:
                sends.add(self._pool.submit(self._send_all, rows, done))
            elif not sends or not wait:
                break
            else:
                _, sends = futures.wait(sends, timeout=1.0, return_when=futures.FIRST_COMPLETED)
        if wait:
            futures.wait(sends)
        return done

    def close(self) -> None:
        """Stop sending."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._sender.close()

    # --- one claim ---

    def _claim(self, waiting_for: timedelta) -> list[Row[Any]]:
        with self._claiming:
            now = self._clock()
            with self._house.database.read() as connection:  # nothing to do is the usual case: no write lock for it
                if not outbox.waiting(connection, now - waiting_for, self._busy):
                    return []
            with self._house.database.write() as connection:
                rows = outbox.claim(
                    connection, now, now + outbox.LEASE, limit=CHUNK, busy=self._busy,
                    lease=f"{self._sender.name}/{uuid.uuid4().hex}", ready_since=now - waiting_for,
                )  # fmt: skip
            if rows:
                self._busy.add(rows[0].channel)
            return rows

    def _send_all(self, rows: list[Row[Any]], done: Delivered) -> None:
        begun = time.monotonic()
        outcomes: list[tuple[Row[Any], Outcome | None]] = []
        try:
            for row in rows:
                late = bool(outcomes) and time.monotonic() - begun > PATIENCE
                outcomes.append((row, None if late else self._send(row)))
        finally:
            with self._claiming:
                self._busy.discard(rows[0].channel)
            now = self._clock()
            with self._house.database.write() as connection:
                for row, outcome in outcomes:
                    done.add(settle(connection, self._house, row, outcome, now))

    def _send(self, row: Row[Any]) -> Outcome:
        refusal = self._forbidden(row)
        if refusal:
            return Outcome(Verdict.REFUSED, detail=refusal)
        payload = row.payload
        public = row.kind == "publication"
        link = payload.get("link")
        message = Message(
            title="" if public else payload["title"],
            body=payload["body"],
            drill=row.drill,
            possible_duplicate=bool(payload.get("possible_duplicate")),
            language=payload.get("language", "en"),
            urgent=row.lane == outbox.PAGE,
            public=public,
            key=row.key,
            link=self._links.url(Link(**link)) if link else None,
        )
        try:
            return self._house.channels().send(row.channel, message)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether the message went
            return Outcome(Verdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")

    def _forbidden(self, row: Row[Any]) -> str:
        """Checked when the row is in hand, whatever the playbook says: the last door before the public."""
        if row.kind != "publication":
            return ""
        channel = self._house.roster().public.get(row.payload.get("target", ""))
        if channel is None or channel.channel != row.channel:
            return "the roster no longer has this official channel"
        if row.drill and not channel.sandbox:
            return "a drill publishes to a sandbox only"
        if digest({row.person: row.payload["body"]}) != row.payload["digest"]:
            return "the text is not the one that was approved"
        return ""

    def _judge_the_dead(self, done: Delivered) -> None:
        """Rows in the hands of a sender that is no more: nobody knows whether they went."""
        now = self._clock()
        with self._house.database.read() as connection:
            found = outbox.in_hand(connection)
        run_dir = self._house.settings.run_dir
        dead: dict[str, bool] = {}
        for row in found:
            sender = row.lease.rpartition("/")[0]
            if sender not in dead:
                dead[sender] = is_dead(run_dir, sender)
        lost = [row for row in found if row.leased_until <= now or dead[row.lease.rpartition("/")[0]]]
        if lost:
            with self._house.database.write() as connection:
                for row in lost:
                    outcome = Outcome(Verdict.UNKNOWN, detail="its sender ended in the middle")
                    done.add(settle(connection, self._house, row, outcome, now))
