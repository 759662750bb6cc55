"""Folders of drills in the home, and which of them are being conducted now. Light, for pages and children."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.installation import Installation

KIND: Final = "drill"  # of its document
ALIVE: Final = "alive"  # in the drill's folder: who conducts it


def drills_dir(installation: Installation) -> Path:
    """Path of the folder that holds every drill's folder."""
    return Path(installation.settings.home) / "drills"


def list_conducted(drills: Path) -> list[Path]:
    """List the folders of drills whose conductor is alive."""
    return [mark.parent for mark in sorted(drills.glob(f"*/{ALIVE}")) if is_alive(mark)]


def is_alive(mark: Path) -> bool:
    """Whether the process named by a mark file is alive."""
    try:
        pid = mark.read_text().strip()
    except OSError:
        return False
    return bool(pid) and Path(f"/proc/{pid}").exists()
