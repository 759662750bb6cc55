"""Where drills are: their folders in the home, who conducts one at this moment. Light, for pages and children."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.house import House

KIND: Final = "drill"  # of its document
ALIVE: Final = "alive"  # in the drill's folder: who conducts it


def drills_dir(house: House) -> Path:
    """Where drills leave what they leave."""
    return Path(house.settings.home) / "drills"


def conducted(drills: Path) -> list[Path]:
    """The folders of drills that somebody conducts who is alive."""
    return [mark.parent for mark in sorted(drills.glob(f"*/{ALIVE}")) if lives(mark)]


def lives(mark: Path) -> bool:
    """Whether the process lives that a mark names."""
    try:
        pid = mark.read_text().strip()
    except OSError:
        return False
    return bool(pid) and Path(f"/proc/{pid}").exists()
