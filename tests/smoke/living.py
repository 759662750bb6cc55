"""Somebody who acts in a thread of their own for as long as a `with` block lasts."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import httpx


class Living:
    """`live` is called once and looks at `over`; the client is closed when the block ends."""

    def __init__(self, name: str, client: httpx.Client) -> None:
        self.client, self.over = client, threading.Event()
        self._thread = threading.Thread(target=self.live, name=name)

    def live(self) -> None:
        """What they do until it is over."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._thread.join()
        self.client.close()
