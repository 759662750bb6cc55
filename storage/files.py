"""Files of a home: written whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

OWNER_ONLY, AS_USUAL = 0o600, 0o666  # the latter less the process's umask


def write_atomically(path: Path, text: str, *, mode: int = OWNER_ONLY) -> None:
    """Write a file whole or not at all: a reader sees the text before or the one after.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(3)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
