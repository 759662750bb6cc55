"""Liveness of senders: each holds a lock on its own file, which the kernel frees when the sender dies.

A message that a dead sender had in hand is judged at once, not when its lease runs out.
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path

HOST = socket.gethostname()[:24]


class SenderLock:
    """Lock of this process as a sender. Its name is the front part of every lease it takes."""

    def __init__(self, run_dir: Path, role: str) -> None:
        self._folder = run_dir / "senders"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{read_home_id(run_dir)}:{role}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._handle = (self._folder / _file(self.name)).open("w")
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        """Stop being a sender."""
        (self._folder / _file(self.name)).unlink(missing_ok=True)
        self._handle.close()


def is_sender_dead(run_dir: Path, name: str) -> bool:
    """Return whether the sender of that name is certainly dead.

    Of a sender of another home nothing is known: its lease decides.
    """
    if not name.startswith(f"{read_home_id(run_dir)}:"):
        return False
    path = run_dir / "senders" / _file(name)
    try:
        with path.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def read_home_id(run_dir: Path) -> str:
    """Return the id of this home: two on one machine, or in two containers of one name, may share a database."""
    file = run_dir / "senders" / "place"
    try:
        return f"{HOST}.{file.read_text(encoding='ascii')}"
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"place.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        draft.write_text(uuid.uuid4().hex[:8], encoding="ascii")
        with suppress(FileExistsError):  # somebody else was quicker: theirs it is
            file.hardlink_to(draft)
        draft.unlink()
        return f"{HOST}.{file.read_text(encoding='ascii')}"


def _file(name: str) -> str:
    return name.replace(":", "_").replace("/", "_") + ".lock"
