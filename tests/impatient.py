"""Houses whose channels are impatient, and where one person has two: for tests of delivery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home import SAMPLES
from tests.houses import Estate, estate

ROSTER = (SAMPLES / "roster.yaml").read_text(encoding="utf-8")
ROSTER = ROSTER.replace("channels: [fenglei]", "channels: [fenglei, fenglei-mail]")
TAGS = (
    "alice", "bob", "chenyu", "dora", "fenglei", "fenglei-mail", "erik", "gaomin", "hana", "linyue", "wangjie",
    "agents", "platform", "official-website-en", "official-website-zh", "official-weibo",
)  # fmt: skip
# Impatient channels: a receiver that does not answer costs a test less than a second.
CHANNELS = "version: 1\nurls:\n" + "".join(
    f"  - json://127.0.0.1:{{port}}/inbox/{tag}?rto=0.5&cto=0.5:\n      - tag: {tag}\n" for tag in TAGS
)


@pytest.fixture(name="house")
def house_fixture(home: Path, database_url: str) -> Iterator[Estate]:
    """On both databases."""
    with estate(home, database_url, roster=ROSTER, channels=CHANNELS) as opened:
        yield opened


@pytest.fixture(name="one")
def one_fixture(home: Path) -> Iterator[Estate]:
    """On SQLite, for what does not depend on the database."""
    with estate(home, roster=ROSTER, channels=CHANNELS) as opened:
        yield opened


def refuse(house: Estate, *people: str, status: int = 403) -> None:
    for person in people:
        house.receiver.script(f"/inbox/{person}", status=status)
