"""Simulated owner of `tocsin drill run --auto`: reads their inbox box and presses the acknowledge link."""

from __future__ import annotations

import random
import time
from typing import Final

from engine.rehearsal.api_client import RehearsalClient, RehearsalError
from engine.rehearsal.received_messages import parse_message

_LEAST, _MOST = 1.0, 3.0  # seconds until they answer
_PURPOSES: Final = frozenset({"assign", "backup", "commander", "last-resort"})


class SimulatedOwner:
    """Simulated owner who acknowledges the first call about a case, a moment after it came."""

    def __init__(self, port: int, seed: int) -> None:
        """Simulate the owner whose inbox listens on `port` of this machine."""
        self._line = RehearsalClient(f"http://127.0.0.1:{port}")
        self._takes = random.Random(seed).uniform(_LEAST, _MOST)  # noqa: S311 - the same every time is what is wanted
        self._link, self._came, self.trouble = "", 0.0, ""

    def act(self, ref: str) -> None:
        """Read the box once and acknowledge when due; an error is kept in `trouble`."""
        try:
            if not self._link:
                self._read(ref)
            elif time.monotonic() >= self._came + self._takes and not self.trouble:
                self.trouble = self._line.acknowledge(self._link)
        except RehearsalError as error:
            self.trouble = str(error)

    def _read(self, ref: str) -> None:
        for message in self._line.new_messages():
            letter = parse_message(message, ref, time.time())
            if letter and letter.purpose in _PURPOSES and letter.link:
                self._link, self._came = letter.link, time.monotonic()
                return
