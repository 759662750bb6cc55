"""Simulated owners: they read what the receiver got, and act on it through the API with tokens of their own.

Some do not answer, some late, so that reminders, backups and escalations fall due. An answer that does not get
through (the web process was killed) is given again under the same id.
"""

from __future__ import annotations

import heapq
import itertools
import time
import uuid
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.smoke.living import Living
from tests.smoke.stack import Stack

CALLS = frozenset({"assign", "backup", "commander", "last-resort", "reassign", "overdue"})
PUBLIC = "/public/"
_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    """What a received key says: who was called for what."""

    ref: str
    step: str
    purpose: str
    person: str

    @staticmethod
    def read(key: str) -> Call | None:
        """`INC-1/playbook/stage/step/assign/1/alice/alice/1`; None for what is no call about a step."""
        parts = key.split("/")
        if len(parts) != 9:  # ref, playbook, stage, step, purpose, number, person, channel, position
            return None
        return Call(parts[0], f"{parts[2]}/{parts[3]}", parts[4], parts[6])


@dataclass(order=True, slots=True)
class _Deed:
    at: float
    number: int
    act: Callable[[str], bool] = field(compare=False)  # True: over, one way or another
    id: str = field(compare=False, default_factory=lambda: str(uuid.uuid4()))


class Owners(Living):
    """`with Owners(stack) as owners:` they act in a thread until the block ends."""

    def __init__(self, stack: Stack, *, deaf: float = 0.3) -> None:
        self.done = 0
        self.refused = 0
        self.failures: list[str] = []
        self._stack = stack
        self._deaf = deaf
        self._tokens = stack.tokens()
        self._deeds: list[_Deed] = []
        self._count = itertools.count()
        self._known: set[tuple[str, str, str]] = set()
        self._public: set[str] = set()
        self._since = 0
        super().__init__("owners", httpx.Client(base_url=stack.url, timeout=3, trust_env=False))

    # --- their life

    def live(self) -> None:
        """Read, and do what is due."""
        while not self.over.is_set():
            self._read()
            while self._deeds and self._deeds[0].at <= time.monotonic() and not self.over.is_set():
                self._carry_out(heapq.heappop(self._deeds))
            self.over.wait(_LOOK_SECONDS)

    def _carry_out(self, deed: _Deed) -> None:
        try:
            over = deed.act(deed.id)
        except httpx.HTTPError:
            over = False  # the web process is away: the same command again
        except Exception as error:  # noqa: BLE001 - said by the test, which looks at `failures`
            self.failures.append(repr(error))
            return
        if not over:
            deed.at = time.monotonic() + _AGAIN_SECONDS
            heapq.heappush(self._deeds, deed)

    def _later(self, seconds: float, act: Callable[[str], bool]) -> None:
        heapq.heappush(self._deeds, _Deed(time.monotonic() + seconds, next(self._count), act))

    def _read(self) -> None:
        received = self._stack.receiver.received(self._since)
        self._since += len(received)
        for one in received:
            key = str(one["json"]["key"])
            if one["path"].startswith(PUBLIC):
                self._public.add(key)
                continue
            call = Call.read(key)
            if call is not None:
                self._hear(call)

    def _hear(self, call: Call) -> None:
        if call.purpose == "publication-in-doubt":
            self._later(1.0, lambda name: self._resolve(call, name))
            return
        if call.purpose not in CALLS or (call.ref, call.step, call.person) in self._known:
            return
        self._known.add((call.ref, call.step, call.person))
        # Who answers, and how quickly, follows from the names alone: the same in every run.
        mood = zlib.crc32(f"{call.ref} {call.step} {call.person}".encode()) % 1000 / 1000
        if mood < self._deaf:
            return
        self._later(0.1 + mood, lambda name: self._post(call, "acknowledge", name, {"step": call.step}))
        self._later(0.6 + 4 * mood, lambda name: self._finish(call, name))

    # --- what they do

    def _post(self, call: Call, what: str, name: str, document: dict[str, Any]) -> bool:
        answer = self.client.post(
            f"/api/incidents/{call.ref}/{what}",
            json={"id": name, **document},
            headers=self._tokens[call.person],
        )
        if answer.is_server_error:
            return False
        self.done += answer.is_success
        self.refused += answer.is_client_error  # somebody else was quicker
        return True

    def _finish(self, call: Call, name: str) -> bool:
        step = self._step(call.ref, call.step)
        if step["kind"] == "draft":
            texts = {"en": f"{call.ref} {call.step}: we are sorry.", "zh_CN": f"{call.ref} {call.step}：我们深表歉意。"}
            return self._post(call, "draft", name, {"step": call.step, "texts": texts})
        if step["kind"] == "approve":
            digest = self._step(call.ref, step["of"])["digest"] if step.get("of") else ""
            return not digest or self._post(call, "approve", name, {"step": call.step, "digest": digest})
        if step["kind"] == "publish":
            return True  # the system posts it
        return self._post(call, "done", name, {"step": call.step, "evidence": "done by its owner"})

    def _resolve(self, call: Call, name: str) -> bool:
        """Look whether it stands there; say so with a link, or order it again."""
        step = self._step(call.ref, call.step)
        for channel, posting in step["postings"].items():
            if posting not in ("unknown", "failed"):
                continue
            stands = [key for key in self._public if f"{call.ref}/" in key and f"{call.step}/publish/{channel}/" in key]
            document = {"step": call.step, "channel": channel}
            if stands:
                self._post(call, "done", f"{name[:30]}-{channel}", {**document, "evidence": "https://example.org/it"})
            else:
                self._post(call, "retry", f"{name[:30]}-{channel}", document)
        return True

    def _step(self, ref: str, name: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/incidents/{ref}")
        answer.raise_for_status()
        for stage in answer.json()["stages"]:
            for step in stage["steps"]:
                if step["id"] == name:
                    return dict(step)
        raise LookupError(f"{ref} has no step {name}")


def quiet(stack: Stack) -> dict[str, Any]:
    """The figures, or nothing while the web process is away."""
    with suppress(httpx.HTTPError):
        return dict(stack.client.get("/api/figures").json())
    return {}
